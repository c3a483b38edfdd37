"""What is known about every loss term of the package: read from the classes and the recipes.

Nothing is listed by hand: a new file in losses/ is a new entry. Lightning is not imported.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any, NamedTuple

from docstring_parser import parse_from_object

from selfsup_depth.errors import ConfigError
from selfsup_depth.losses.base import LossTerm
from selfsup_depth.resources import known_resources
from selfsup_depth.suggestions import did_you_mean
from selfsup_depth.training.constructors import (
    find_class,
    is_from_outside,
    known_classes,
    options_of,
    type_name,
)
from selfsup_depth.training.layers import CLASS, arguments_beside_class
from selfsup_depth.training.option_help import default_text, said_of_options
from selfsup_depth.training.yaml_file import read_yaml

# The name that the class docstring gives the paper by.
_SOURCE = re.compile(r"^Source:\s*(.+?)(?=\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)


class TermOption(NamedTuple):
    """One argument of a term's constructor, as text."""

    name: str
    type: str
    default: str
    description: str


class TermEntry(NamedTuple):
    """One loss term.

    name: as it is usually called in a configuration.
    class_name: what `class_path` takes.
    purpose: one line.
    details: what else its docstring says, or nothing.
    source: the paper it is from, "" where the docstring names none.
    options: of its constructor.
    recipes: names of those in conf/method that use it.
    """

    name: str
    class_name: str
    purpose: str
    details: str
    source: str
    options: list[TermOption]
    recipes: list[str]


def catalogue() -> list[TermEntry]:
    """Every loss term of the package, in alphabetical order."""
    users = recipes_by_term()
    return [entry_of(cls, users.get(cls.__name__, [])) for cls in known_classes(LossTerm)]


def entry_of(cls: type, recipes: list[str]) -> TermEntry:
    """What a class says about itself."""
    said = said_of_options(cls)
    options = [
        TermOption(
            name,
            type_name(option.hint),
            "" if option.required else default_text(option.default),
            " ".join(said.get(name, "").split()),
        )
        for name, option in options_of(cls).items()
    ]
    # The docstring as written, without what follows the description.
    docstring = parse_from_object(cls)
    details = _SOURCE.sub("", docstring.long_description or "").strip()
    purpose = " ".join((docstring.short_description or "").split())
    return TermEntry(
        term_name(cls), cls.__name__, purpose, " ".join(details.split()), source_of(cls), options, recipes
    )


def source_of(cls: type) -> str:
    """The paper in a class's docstring, "" where there is none."""
    found = _SOURCE.search(inspect.getdoc(cls) or "")
    return " ".join(found[1].split()) if found else ""


def term_name(cls: type) -> str:
    """What a term of this class is usually called in a configuration."""
    return in_words(cls.__name__)


def in_words(class_name: str) -> str:
    """LeftRightConsistency -> left_right_consistency."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", class_name).lower()


def entry_named(name: str) -> TermEntry:
    """The term of that name, given as in a configuration or as the class; one's own as module.Class.

    Raises:
        ConfigError: there is none; the message has the nearest name.
    """
    if is_from_outside(name):
        return entry_of(find_class(name, LossTerm), [])._replace(class_name=name)
    entries = catalogue()
    for entry in entries:
        if name in (entry.name, entry.class_name):
            return entry
    known = [entry.class_name if name[:1].isupper() else entry.name for entry in entries]
    raise ConfigError(f"no loss term is named {name}; {did_you_mean(name, known)}")


def recipes_by_term() -> dict[str, list[str]]:
    """Class name of a term -> recipes of conf/method with a weight for it."""
    users: dict[str, list[str]] = {}
    for file in known_resources("conf", "method").values():
        for name in sorted(classes_of_terms(file)):
            users.setdefault(name, []).append(file.stem)
    return users


def classes_of_terms(recipe: Path) -> set[str]:
    """Names of the classes of a recipe's loss terms, without their modules."""
    content = arguments_beside_class(read_yaml(recipe)[0])
    terms: Any = (content.get("model") or {}).get("losses") or {}
    classes = [term.get(CLASS) if isinstance(term, dict) else term for term in terms.values()]
    return {str(name).rpartition(".")[2] for name in classes if name}
