"""Refusals, each with the exit code that tells its kind.

A message is one line: what is wrong, in which file and line, and how to mend it.
"""

from __future__ import annotations


def first_line(error: BaseException) -> str:
    """The first line of an exception's message, or its type's name where it says nothing."""
    return next(iter(str(error).splitlines()), type(error).__name__)


class SelfsupDepthError(Exception):
    """Base of every refusal; anything else that reaches the command line is a bug."""

    exit_code = 70

    def __init__(self, message: str = "") -> None:
        # A data loader's worker hands its exception over as the text of a traceback, which
        # ends in the message.
        told = message.rpartition(f"{type(self).__name__}: ")[2].strip() if "\n" in message else message
        super().__init__(told)


class ConfigError(SelfsupDepthError):
    """An option or a configuration file cannot be used."""

    exit_code = 2


class DataError(SelfsupDepthError):
    """An input file is missing, malformed or of the wrong kind."""

    exit_code = 3


class CheckpointError(SelfsupDepthError):
    """A checkpoint cannot be read or does not fit."""

    exit_code = 4


class NumericError(SelfsupDepthError):
    """Training left the finite numbers."""

    exit_code = 5


class StorageError(SelfsupDepthError):
    """A result cannot be written."""

    exit_code = 6


class RunInUseError(SelfsupDepthError):
    """Another process holds the run directory."""

    exit_code = 7


class RunsFailedError(SelfsupDepthError):
    """Some runs of an ablation failed; the others are done."""

    exit_code = 8


class LostProcessError(SelfsupDepthError):
    """Another process of a distributed run has died or gives no answer."""

    exit_code = 9
