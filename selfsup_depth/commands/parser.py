"""Arguments of a command: few options of its own, and dotted ones that belong to constructors."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from selfsup_depth.errors import ConfigError
from selfsup_depth.suggestions import did_you_mean


class CommandParser(argparse.ArgumentParser):
    """argparse with one line, not fifty, between a slip and what to do about it.

    Args:
        options: as argparse takes them; `prog` is the command as it is typed.
    """

    def __init__(self, **options: Any) -> None:
        # An abbreviation that works today is ambiguous after the next option.
        formatter = argparse.RawDescriptionHelpFormatter
        super().__init__(**{"allow_abbrev": False, "formatter_class": formatter, **options})

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}; see {self.prog} --help")

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Raises: ConfigError: an option is unknown, misses its value or is of the wrong type."""
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            name = unknown[0].split("=")[0]
            raise ConfigError(f"unknown argument {name}; {did_you_mean(name, _option_names(self))}")
        return parsed


def split_dotted(arguments: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Take --SECTION.OPTION VALUE and --SECTION.OPTION=VALUE out of a command's arguments.

    Returns:
        The other arguments, and the dotted ones as (SECTION.OPTION, VALUE).

    Raises:
        ConfigError: a dotted option has no value.
    """
    rest: list[str] = []
    flags: list[tuple[str, str]] = []
    remaining = iter(arguments)
    for argument in remaining:
        name, equals, value = argument.partition("=")
        if not name.startswith("--") or "." not in name:
            rest.append(argument)
            continue
        if not equals:
            value = next(remaining, "--")
            if value.startswith("--"):
                raise ConfigError(f"{name} has no value; write {name} VALUE")
        flags.append((name[2:], value))
    return rest, flags


def _option_names(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _option_names(inner)
