"""Writing so that nothing half-written stays, and saying so before a disk is full."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from selfsup_depth.errors import StorageError

PART_SUFFIX = ".part"


def part_of(file: Path) -> Path:
    """Where a file is written before it takes its name: beside it, one for each file."""
    return file.with_name(f".{file.name}{PART_SUFFIX}")


def remove_parts(folder: Path) -> None:
    """Remove what a killed process left half-written; only for who holds the folder."""
    for part in folder.glob(f".*{PART_SUFFIX}"):
        part.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file, which is never written in place, a second name; a copy where that cannot be.

    Raises:
        StorageError: neither is possible; what was there before stays.
    """
    part = part_of(target)
    try:
        part.unlink(missing_ok=True)
        try:
            os.link(source, part)
        except OSError:  # a file system without links
            with part.open("wb") as copy, source.open("rb") as original:
                shutil.copyfileobj(original, copy)
                copy.flush()
                os.fsync(copy.fileno())
        os.replace(part, target)
        sync_folder(target.parent)
    except OSError as error:
        raise StorageError(
            f"checkpoint not kept ({error.strerror}), in {target}; free space or give a smaller --keep"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def check_space(folder: Path, needed: int, file: Path | None = None) -> None:
    """Refuse to begin what will not fit.

    Args:
        folder: on which disk; must exist.
        needed: bytes.
        file: what is to be written, for the message; absent: the folder.

    Raises:
        StorageError: there is less.
    """
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if free < needed:
        raise StorageError(
            f"disk full: need {_megabytes(needed)}, have {_megabytes(free)}, in {file or folder}; free space"
        )


def write_text(path: Path, text: str) -> None:
    """Write a whole file of UTF-8 text or none; see write_bytes."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file or none, its folder too where that is missing.

    Raises:
        StorageError: the file cannot be written.
    """
    part = part_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise StorageError(
            f"cannot write ({error.strerror}), in {path}; free space or choose another folder"
        ) from None


def append_line(path: Path, line: str) -> None:
    """Add a line to a record.

    Raises:
        StorageError: the file cannot be written.
    """
    try:
        with path.open("a", encoding="utf-8") as record:
            record.write(line + "\n")
    except OSError as error:
        raise StorageError(f"cannot write ({error.strerror}), in {path}; free space") from None


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
