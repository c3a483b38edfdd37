"""Where a command writes, proven before it works for minutes."""

from __future__ import annotations

import os
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
