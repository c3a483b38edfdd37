"""The walk along the constructors that finds what is wrong with a configuration.

Every refusal says which key, which value, where it was set, and what was probably meant.
"""

from __future__ import annotations

import copy
import functools
import typing
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Union

import yaml
from jsonargparse import ArgumentError, ArgumentParser, Namespace

from selfsup_depth.errors import ConfigError
from selfsup_depth.suggestions import did_you_mean
from selfsup_depth.training.constructors import (
    Option,
    alternatives,
    component_class,
    component_inside,
    find_class,
    known_classes,
    options_of,
    type_name,
    usual_class,
)
from selfsup_depth.training.layers import ARGUMENTS, CLASS, IF_PRESENT, Layers
from selfsup_depth.training.yaml_file import KeyPath


class Checker:
    """Turns what the user set into what the constructors take, or says why not.

    Args:
        layers: what the user set, and where.
        trust: whether modules outside the package may be imported.
    """

    def __init__(self, layers: Layers, trust: bool) -> None:
        self.layers = layers
        self.trust = trust

    def component(self, base: type, given: Any, path: KeyPath, default: type | None = None) -> dict[str, Any]:
        """A class and its arguments, in the long form.

        Args:
            base: what the class must be a kind of.
            given: name of a class, or its arguments with or without `class_path`.
            path: keys that lead here.
            default: class that is meant where none is named.
        """
        given = {CLASS: given} if isinstance(given, str) else dict(given)
        name = given.pop(CLASS, None)
        usual = default or usual_class(base)
        cls = usual if name is None else self._named_class(str(name), base, path)
        if cls is None:
            raise self._unnamed_class(base, path)
        return {CLASS: f"{cls.__module__}.{cls.__qualname__}", ARGUMENTS: self.arguments(cls, given, path)}

    def arguments(
        self, cls: type, given: dict[str, Any], path: KeyPath, skip: frozenset[str] = frozenset()
    ) -> dict[str, Any]:
        """What the user set of a constructor's arguments, and those it cannot go without."""
        options = {name: option for name, option in options_of(cls).items() if name not in skip}
        given = where_taken(given, options)
        self.refuse_unknown(path, given, options)
        resolved: dict[str, Any] = {}
        for name, option in options.items():
            if name in given:
                resolved[name] = self.value(option.hint, given[name], (*path, name))
            elif option.required:
                resolved[name] = self._required(option, (*path, name))
        return resolved

    def value(self, hint: Any, given: Any, path: KeyPath) -> Any:
        """One option, with the classes inside it named in full."""
        cls = component_class(hint)
        names_class = isinstance(given, str) and str not in alternatives(hint)
        if cls is not None and (isinstance(given, dict) or names_class):
            return self.component(cls, given, path)
        inner = component_inside(hint)
        if inner is not None and isinstance(given, dict):
            return {key: self.value(inner, item, (*path, key)) for key, item in given.items()}
        if inner is not None and isinstance(given, list):
            return [self.value(inner, item, (*path, str(index))) for index, item in enumerate(given)]
        return self._leaf(hint, given, path)

    def refuse_unknown(self, path: KeyPath, given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        """Refuse keys that nothing reads."""
        for key in given:
            if key not in known:
                what = f"unknown {'option' if path else 'section'} {'.'.join((*path, key))}"
                raise self.error((*path, key), what, did_you_mean(key, known))

    def error(self, path: KeyPath, what: str, fix: str) -> ConfigError:
        """The refusal of what stands at a path."""
        return ConfigError(f"{what}{self.layers.place(path)}; {fix}")

    def _leaf(self, hint: Any, given: Any, path: KeyPath) -> Any:
        """A value without classes inside, as the option's type reads it."""
        if not self.trust and isinstance(given, str | list | dict) and _may_import(hint):
            raise self.error(path, f"{'.'.join(path)} may name code", "--trust lets it be imported")
        members = alternatives(hint)
        # Tried in order, and every whole number is a float too: 1 batch is not the share 1.0.
        if float in members and int in members:
            hint = Union[tuple(sorted(members, key=lambda member: member is float))]  # noqa: UP007
        if given is not None or hint is Any or type(None) in members:
            try:
                return _read_as(hint, given)
            except ArgumentError:
                pass
        shown = "null" if given is None else str(given)
        fix = f"expected {type_name(hint)}"
        if int in members and (number := whole_number(shown)):
            fix += f", written {number}"
        raise self.error(path, f"{'.'.join(path)} is {shown}", fix)

    def _required(self, option: Option, path: KeyPath) -> Any:
        """What stands for an argument without default: its class, where that says all."""
        cls = component_class(option.hint)
        if cls is not None and usual_class(cls) is not None:
            return self.component(cls, {}, path)
        name, kinds = ".".join(path), known_classes(cls) if cls else []
        wanted = "|".join(kind.__name__ for kind in kinds) or type_name(option.hint)
        raise ConfigError(f"{name} is not set; give --{name} {wanted}, or a --config that has it")

    def _named_class(self, name: str, base: type, path: KeyPath) -> type:
        try:
            return find_class(name, base, self.trust)
        except ConfigError as error:
            what, _, fix = str(error).rpartition("; ")
            raise self.error((*path, CLASS), f"{'.'.join(path)}: {what}", fix) from error

    def _unnamed_class(self, base: type, path: KeyPath) -> ConfigError:
        """An entry of a mapping that names no class: most likely a misspelt entry."""
        siblings: Any = self.layers.values
        for key in path[:-1]:
            siblings = siblings[key] if isinstance(siblings, dict) else {}
        named = [key for key, value in siblings.items() if isinstance(value, dict) and CLASS in value]
        advice = did_you_mean(path[-1], named or [kind.__name__ for kind in known_classes(base)])
        return self.error(path, f"{'.'.join(path)} names no {CLASS}", advice)


def whole_number(text: str) -> str:
    """A number that is whole but not written as one (1e3, 5.0), in digits; empty of any other text."""
    with suppress(ValueError, OverflowError):
        if float(text).is_integer():
            return str(int(float(text)))
    return ""


def where_taken(given: dict[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments without those marked as optional ("norm?") that the class does not take."""
    names = {key: key.removesuffix(IF_PRESENT) for key in given}
    return {names[key]: value for key, value in given.items() if names[key] == key or names[key] in known}


def plain_values(parser: ArgumentParser, namespace: Namespace) -> dict[str, Any]:
    """Text, numbers, lists and dictionaries: what YAML and a checkpoint can hold safely."""
    plain = yaml.safe_load(parser.dump(namespace, skip_unset=False))
    assert isinstance(plain, dict)
    return plain


def _read_as(hint: Any, given: Any) -> Any:
    """A value as an option of this type reads it.

    The same ones are read again when what was resolved is built, and for every run of an ablation.
    """
    try:
        return copy.deepcopy(_remembered(repr(hint), hint, given))
    except TypeError:  # what cannot be hashed, such as a list
        return _parsed_as(repr(hint), hint, given)


def _parsed_as(written: str, hint: Any, given: Any) -> Any:
    """`written` tells types apart that are equal and read differently, int | str and str | int."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--value", type=hint)
    return plain_values(parser, parser.parse_object({"value": given}))["value"]


# By type, too: 1, 1.0 and true are equal, and not the same option.
_remembered = functools.lru_cache(maxsize=4096, typed=True)(_parsed_as)


def _may_import(hint: Any) -> bool:
    """Whether reading a text as this type could import a module."""
    origin = typing.get_origin(hint)
    if origin is typing.Literal or isinstance(hint, list):
        return False
    inner = [member for member in typing.get_args(hint) if member is not ...]
    return component_class(hint) is not None or origin in (Callable, type) or any(map(_may_import, inner))
