"""From merged configuration to checked configuration to objects.

A class's constructor is its schema: the names, types and defaults of its arguments are read
from its signature, so a new argument is a new option with no further edit. The types are
judged by jsonargparse, which also builds the objects; what is said about a mistake (where it
stands, what was probably meant) is said by `checking`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from selfsup_depth.errors import ConfigError, SelfsupDepthError
from selfsup_depth.training.checking import Checker, plain_values
from selfsup_depth.training.constructors import component_class, options_of
from selfsup_depth.training.layers import CLASS, Layers, arguments_beside_class


@dataclasses.dataclass(frozen=True)
class Section:
    """One top-level key of a configuration.

    base: class whose constructor gives the options, or a plain type for a single value.
    default: class that is meant where the section names none by `class_path`; None: the
        section takes no `class_path` and holds the arguments of `base`.
    skip: arguments that the caller sets.
    built: false keeps the arguments as a dictionary.
    value: of a plain type, where none is given.
    defaults: ours, where the class has others; for arguments that are not built.
    """

    base: type
    default: type | None = None
    skip: frozenset[str] = frozenset()
    built: bool = True
    value: Any = None
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def single(self) -> bool:
        """Whether it is one plain value rather than the arguments of a class."""
        return component_class(self.base) is None


Sections = Mapping[str, Section]


def resolve(layers: Layers, sections: Sections, trust: bool = True) -> dict[str, Any]:
    """The whole configuration: checked, every default written out, plain values only.

    Given back as a file it yields itself.

    Args:
        layers: what the user set.
        sections: what can be set.
        trust: whether classes outside the package may be imported.

    Raises:
        ConfigError: an unknown key or class, a value of the wrong type, a missing one.
    """
    checker = Checker(layers, trust)
    checker.refuse_unknown((), layers.values, sections)
    return {name: _resolve_section(checker, name, section) for name, section in sections.items()}


def build(config: Mapping[str, Any], sections: Sections, trust: bool = True) -> dict[str, Any]:
    """Objects of every section, from a resolved configuration or a recorded one.

    Args:
        config: as `resolve` returns it.
        sections: what it holds.
        trust: whether classes outside the package may be imported.
    """
    resolved = resolve(Layers(arguments_beside_class(dict(config)), {}), sections, trust)
    construct = _naming_keys(dict(class_paths(arguments_beside_class(resolved))))
    parser, namespace = _parse(resolved, sections)
    try:
        objects = parser.instantiate(namespace, instantiators=[(construct, object, True)])
    except (ValueError, TypeError) as error:
        raise refusal_behind(error) from error
    return {
        name: objects[name] if section.built and not section.single else resolved[name]
        for name, section in sections.items()
    }


def _resolve_section(checker: Checker, name: str, section: Section) -> Any:
    given = checker.layers.values.get(name)
    if section.single:
        return section.value if given is None else checker.value(section.base, given, (name,))
    if section.default is not None:
        filled = checker.component(section.base, given or {}, (name,), section.default)
        return _written_out(filled, Section(section.base, section.default))
    if not isinstance(given or {}, dict):
        raise checker.error((name,), f"{name} is {given}", f"write its options below it, {name}.OPTION")
    arguments = checker.arguments(section.base, given or {}, (name,), section.skip)
    if section.built:
        return _written_out(arguments, section)
    return {
        key: arguments.get(key, section.defaults.get(key, option.default))
        for key, option in options_of(section.base).items()
        if key not in section.skip
    }


def refusal_behind(error: Exception) -> SelfsupDepthError:
    """What a constructor said, without what jsonargparse wraps around it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, SelfsupDepthError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return ConfigError(f"{_one_line(error)}; change the option it speaks of")


def _naming_keys(classes: Mapping[str, str]) -> Callable[..., Any]:
    """A way to call constructors that says which component has refused: they know but their arguments.

    Args:
        classes: the components' by their keys.
    """

    def construct(cls: type, *args: Any, **kwargs: Any) -> Any:
        try:
            return cls(*args, **kwargs)
        except ConfigError as error:
            path = f"{cls.__module__}.{cls.__qualname__}"
            keys = [key for key, name in classes.items() if name == path]
            if not keys or any(f"{key}." in str(error) for key in keys):
                raise
            raise ConfigError(f"{error} ({' or '.join(keys)})") from error

    return construct


def class_paths(node: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Keys of all components inside, and their classes."""
    if isinstance(node, dict):
        if isinstance(node.get(CLASS), str):
            yield key, node[CLASS]
        for name, value in node.items():
            yield from class_paths(value, f"{key}.{name}" if key else name)


def _written_out(value: dict[str, Any], section: Section) -> Any:
    """A section with the defaults of every class in it."""
    parser, namespace = _parse({"section": value}, {"section": section})
    return plain_values(parser, namespace)["section"]


def _parse(resolved: Mapping[str, Any], sections: Sections) -> tuple[ArgumentParser, Namespace]:
    parser = ArgumentParser(exit_on_error=False)
    built = {name: section for name, section in sections.items() if section.built and not section.single}
    for name, section in built.items():
        if section.default is None:
            parser.add_class_arguments(section.base, name, skip=set(section.skip))
        else:
            parser.add_subclass_arguments(section.base, name, required=True)
    try:
        return parser, parser.parse_object({name: resolved[name] for name in built})
    except ArgumentError as error:
        raise ConfigError(f"{_one_line(error)}; see --help") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
