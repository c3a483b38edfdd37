"""Where a command writes, proven before it works for minutes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from selfsup_depth.errors import StorageError


def make_folder(folder: Path, option: str) -> None:
    """Make the folder of the results and prove that it can be written.

    Args:
        folder: where the results will be.
        option: the option that named it.

    Raises:
        StorageError: it cannot.
    """
    probe = folder / f".{os.getpid()}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StorageError(
            f"cannot write ({error.strerror}), in {folder}; choose another {option}"
        ) from error


@contextlib.contextmanager
def folder_of_results(folder: Path, option: str) -> Iterator[None]:
    """The same, for the time in which results are written: where none came, no folder stays.

    Raises:
        StorageError: it cannot be written.
    """
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        make_folder(folder, option)
        yield
    except BaseException:
        for one in made:
            with contextlib.suppress(OSError):  # not empty: there are results
                one.rmdir()
        raise
