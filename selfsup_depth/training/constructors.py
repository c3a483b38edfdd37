"""What a class's constructor says about its options, and which classes a name can mean."""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import pkgutil
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, Literal, Union

from selfsup_depth.errors import ConfigError
from selfsup_depth.suggestions import did_you_mean

_PACKAGE = "selfsup_depth"
_PLAIN_MODULES = {"builtins", "collections", "collections.abc", "datetime", "numbers", "pathlib", "typing"}


@dataclasses.dataclass(frozen=True)
class Option:
    """One argument of a constructor; `default` is inspect.Parameter.empty where it has none."""

    hint: Any
    default: Any

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty


def options_of(cls: type) -> dict[str, Option]:
    """Arguments of a class's constructor; **kwargs stand for those of the next base class."""
    owner = next(base for base in cls.__mro__ if "__init__" in vars(base))
    constructor = inspect.getattr_static(owner, "__init__")
    if owner is object:
        return {}
    hints = typing.get_type_hints(constructor)
    options: dict[str, Option] = {}
    for name, parameter in list(inspect.signature(constructor).parameters.items())[1:]:
        if parameter.kind is parameter.VAR_KEYWORD:
            options = options_of(cls.__mro__[cls.__mro__.index(owner) + 1]) | options
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            options[name] = Option(hints.get(name, Any), parameter.default)
    return options


def alternatives(hint: Any) -> tuple[Any, ...]:
    """Members of a union, or the type itself."""
    return typing.get_args(hint) if typing.get_origin(hint) in (Union, types.UnionType) else (hint,)


def component_class(hint: Any) -> type | None:
    """The class whose instances an option takes, None where it takes plain values only."""
    for member in alternatives(hint):
        plain = not inspect.isclass(member) or typing.get_origin(member) or member is type(None)
        if plain or member.__module__ in _PLAIN_MODULES or issubclass(member, enum.Enum | PurePath):
            continue
        return typing.cast(type, member)
    return None


def component_inside(hint: Any) -> type | None:
    """The class whose instances a list or dictionary takes, None where it takes plain values."""
    inner = typing.get_args(hint)
    return component_class(inner[-1]) if inner and typing.get_origin(hint) in (dict, list) else None


def type_name(hint: Any) -> str:
    """A type as a reader of an error message would write it."""
    if len(alternatives(hint)) > 1:
        return " or ".join(dict.fromkeys(type_name(member) for member in alternatives(hint)))
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return "one of " + ", ".join(map(str, inner))
    if inspect.isclass(hint) and issubclass(hint, enum.Enum):
        return "one of " + ", ".join(hint.__members__)
    if origin is not None and inspect.isclass(origin):
        shown = ", ".join("..." if member is ... else type_name(member) for member in inner)
        return f"{origin.__name__}[{shown}]"
    if hint in (type(None), Any):
        return "anything" if hint is Any else "null"
    return str(getattr(hint, "__name__", hint))


def usual_class(base: type) -> type | None:
    """The class that is meant where a configuration names none: the base itself, or what it says.

    An abstract base may say it by `usual_class`, the bare name of one of its kinds.
    """
    if not inspect.isabstract(base):
        return base
    name = getattr(base, "usual_class", None)
    return find_class(name, base) if name else None


def find_class(name: str, base: type, trust: bool = True) -> type:
    """The class that a configuration names.

    Args:
        name: a bare name for the package's own classes, module.Class for any other.
        base: what it must be a kind of.
        trust: whether modules outside the package may be imported, which runs their code.

    Raises:
        ConfigError: there is no such class, or it may not or cannot be used.
    """
    module_name, _, class_name = name.rpartition(".")
    if not module_name:
        known = {cls.__name__: cls for cls in known_classes(base)}
        if name not in known:
            raise ConfigError(f"no {base.__name__} is named {name}; {did_you_mean(name, known)}")
        return known[name]
    if not trust and is_from_outside(name):
        raise ConfigError(f"{name} is not part of {_PACKAGE}; --trust imports it, which runs its code")
    found = getattr(_imported(module_name, name), class_name, None)
    if not inspect.isclass(found):
        raise ConfigError(f"the module {module_name} has no class {class_name}; check the spelling")
    if not issubclass(found, base):
        raise ConfigError(
            f"{name} is not a {base.__name__}; derive it from {base.__module__}.{base.__name__}"
        )
    return found


def is_from_outside(name: str) -> bool:
    """Whether the name of a class, with its module, is of another package than this one."""
    return "." in name and not name.startswith(f"{_PACKAGE}.")


def known_classes(base: type) -> list[type]:
    """Kinds of a class that can be named without their module, in alphabetical order.

    For a class of this package: what stands in the files beside its own.
    """
    inside = base.__module__.startswith(f"{_PACKAGE}.")
    if inside:
        folder = importlib.import_module(base.__module__.rpartition(".")[0])
        for file in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
            importlib.import_module(file.name)
    kinds = {cls for cls in _kinds(base) if not inspect.isabstract(cls) and not cls.__name__.startswith("_")}
    return sorted(
        (cls for cls in kinds if not inside or cls.__module__.startswith(f"{_PACKAGE}.")),
        key=lambda cls: cls.__name__,
    )


def _kinds(base: type) -> Iterator[type]:
    yield base
    derived: type
    for derived in base.__subclasses__():
        yield from _kinds(derived)


def _imported(module_name: str, wanted: str) -> types.ModuleType:
    # A user's own module lies in the directory where the command is run.
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        return importlib.import_module(module_name)
    except Exception as error:
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
        raise ConfigError(
            f"{wanted} cannot be imported ({reason}); is its file in this directory?"
        ) from error
