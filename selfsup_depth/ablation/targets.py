"""What a name after --drop or --add means in a configuration: a loss term, or a boolean option."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from selfsup_depth.errors import ConfigError
from selfsup_depth.losses.base import LossTerm
from selfsup_depth.suggestions import did_you_mean
from selfsup_depth.training.constructors import find_class, known_classes, options_of
from selfsup_depth.training.layers import ARGUMENTS, CLASS
from selfsup_depth.training.loss_catalogue import in_words, term_name

LOSSES = "model.losses"


class Targets:
    """The terms and options of a baseline by name.

    Args:
        config: of the baseline, resolved.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.terms: dict[str, dict[str, Any]] = config["model"][ARGUMENTS]["losses"]
        self.options = dict(_options("", config))

    def active_terms(self) -> list[str]:
        """Names of the terms that have a weight, to be left out one at a time.

        Raises:
            ConfigError: there is but one, and without it nothing is learned.
        """
        active = [name for name in self.terms if self._weight(name, "drop")]
        if len(active) < 2:
            only = ", ".join(active) or "none"
            raise ConfigError(f"the only loss term is {only}, in --drop all; name options to leave out")
        return active

    def drop(self, name: str) -> list[tuple[str, str]]:
        """Flags that switch a term or an option off.

        Raises:
            ConfigError: there is none of that name, several are, or it is off already.
        """
        term = self._key_of(name.removeprefix(f"{LOSSES}."))
        if term in self.terms:
            self._refuse_if(not self._weight(term, "drop"), f"{term} has no weight", "drop")
            return [(f"{LOSSES}.{term}.weight", "0")]
        option = self._boolean(name, "drop", list(self.terms))
        self._refuse_if(not self.options[option], f"{option} is false", "drop")
        return [(option, "false")]

    def add(self, name: str) -> list[tuple[str, str]]:
        """Flags that switch a term on, with its defaults, or an option.

        Raises:
            ConfigError: there is none of that name, several are, or it is on already.
        """
        classes = {term_name(cls): cls for cls in known_classes(LossTerm)}
        cls = classes.get(name) or {c.__name__: c for c in classes.values()}.get(name)
        if cls is None and name.rpartition(".")[2][:1].isupper():
            cls = find_class(name, LossTerm)
        if cls is None:
            option = self._boolean(name, "add", list(classes))
            self._refuse_if(bool(self.options[option]), f"{option} is true", "add")
            return [(option, "true")]
        return self._added_term(name, cls)

    def _added_term(self, name: str, cls: type) -> list[tuple[str, str]]:
        path = f"{cls.__module__}.{cls.__qualname__}"
        same = [key for key, term in self.terms.items() if term[CLASS] == path]
        for key in same:
            self._refuse_if(bool(self._weight(key, "add")), f"{LOSSES}.{key} is there", "add")
        if same:
            return [(f"{LOSSES}.{same[0]}.weight", str(options_of(cls)["weight"].default))]
        key = term_name(cls)
        self._refuse_if(key in self.terms, f"another term is named {key}", "add")
        return [(f"{LOSSES}.{key}", name if "." in name else cls.__name__)]

    def _key_of(self, term: str) -> str:
        """A term may be called as `losses` lists it, whatever its key is, if there is one of its class."""
        keys = [key for key, given in self.terms.items() if in_words(given[CLASS].rpartition(".")[2]) == term]
        return keys[0] if term not in self.terms and len(keys) == 1 else term

    def _weight(self, term: str, option: str) -> float:
        """What a term's weight is set to; 0 switches it off.

        Raises:
            ConfigError: its constructor takes none.
        """
        arguments = self.terms[term][ARGUMENTS]
        if "weight" not in arguments:
            what = f"{self.terms[term][CLASS]} takes no weight, in --{option}"
            raise ConfigError(f"{what}; give its constructor one, 0 for off: weight: float = 1.0")
        return float(arguments["weight"])

    def _boolean(self, name: str, option: str, terms: list[str]) -> str:
        """Full name of the one boolean option that ends in this."""
        ending = [known for known in self.options if known == name or known.endswith(f".{name}")]
        found = [known for known in ending if isinstance(self.options[known], bool)]
        if len(found) == 1:
            return found[0]
        if found:
            raise ConfigError(f"{name} may be {' or '.join(found)}, in --{option}; write which")
        if ending:
            fix = f"vary it with --grid {ending[0]}=V1,V2"
            raise ConfigError(f"{name} is neither a loss term nor true or false, in --{option}; {fix}")
        booleans = [known.rpartition(".")[2] for known, v in self.options.items() if isinstance(v, bool)]
        near = did_you_mean(name, [*terms, *booleans])
        advice = near if near.startswith("did") else did_you_mean(name, terms)
        raise ConfigError(f"no loss term or boolean option is named {name}, in --{option}; {advice}")

    def _refuse_if(self, contradiction: bool, what: str, option: str) -> None:
        if contradiction:
            raise ConfigError(f"{what} already, in --{option}; leave it out")


def _options(prefix: str, node: Any) -> Iterator[tuple[str, Any]]:
    """Dotted names and values of everything in a resolved configuration, as flags name them."""
    if not isinstance(node, dict):
        yield prefix, node
        return
    for key, value in node.items():
        inner = prefix if key == ARGUMENTS else f"{prefix}.{key}".removeprefix(".")
        if key != CLASS:
            yield from _options(inner, value)
