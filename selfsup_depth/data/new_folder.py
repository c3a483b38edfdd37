"""Folders that appear as a whole, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selfsup_depth.errors import ConfigError, StorageError


def refuse_existing(output: Path) -> None:
    """Refuse to write where something is.

    Raises:
        ConfigError: naming the folder.
    """
    if output.exists():
        raise ConfigError(f"the folder exists already, in {output}; give another --output or remove it")


@contextmanager
def folder_at_once(output: Path) -> Iterator[Path]:
    """A folder that takes its name when all is in it; nothing stays of one that fails.

    Raises:
        StorageError: it cannot be written.
    """
    part = output.with_name(f".{output.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)  # of a process that was killed
        part.mkdir(parents=True)
        yield part
        part.rename(output)
    except OSError as error:
        raise StorageError(
            f"cannot write ({error.strerror}), in {output}; free space or choose another folder"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
