"""What every layout of files on disk can do."""

from __future__ import annotations

import abc
import re
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import ClassVar, TypeVar

from selfsup_depth.data.images import PHOTOGRAPH_SUFFIXES
from selfsup_depth.data.recording import Recording
from selfsup_depth.errors import DataError

Name = TypeVar("Name", bound=Hashable)


class Layout(abc.ABC):
    """A way of arranging a data set in folders; its options are its constructor's.

    Attributes:
        default_root: where the data is if the user names no root; only a layout that can
            make its own data has one.
    """

    default_root: ClassVar[Path | None] = None

    def prepare(self, root: Path) -> None:  # noqa: B027 (most layouts have nothing to prepare)
        """Make the data if this layout can and it is not there yet; called by one process."""

    def is_prepared(self, root: Path) -> bool:
        """Whether `prepare` would write nothing."""
        return True

    @abc.abstractmethod
    def recordings(self, root: Path) -> list[Recording]:
        """Every recording under `root`, built from the files that exist, ordered by name.

        Raises:
            DataError: the root is missing, is another level of the layout, or a calibration,
                pose or time file cannot be used.
        """

    def usable_recordings(self, root: Path) -> tuple[list[Recording], list[str]]:
        """As `recordings`, and for each that is left out because its own file is bad, why.

        Only where a recording is one file can it be bad as a whole; else its images are looked at.
        """
        return self.recordings(root), []


def check_root(root: Path, is_root: Callable[[Path], bool], expected: str) -> None:
    """Refuse a root that is missing or another level of the layout than the one expected.

    Args:
        root: what the user gave.
        is_root: whether a folder is the right one.
        expected: what the right folder holds.

    Raises:
        DataError: naming the right folder if it is a little above or below.
    """
    if not root.is_dir():
        what = "not a folder" if root.exists() else "missing"
        raise DataError(f"data root is {what}, in {root}; give --data.root the folder that holds {expected}")
    if is_root(root):
        return
    children = sorted(child for child in root.iterdir() if child.is_dir())
    near = [*list(root.resolve().parents)[:4], *children]
    meant = next((folder for folder in near if is_root(folder)), None)
    advice = f"did you mean --data.root {meant}?" if meant else "check the path and the layout"
    raise DataError(f"data root does not hold {expected}, in {root}; {advice}")


def numbered_files(folder: Path, suffixes: tuple[str, ...] = PHOTOGRAPH_SUFFIXES) -> dict[int, Path]:
    """Files whose name is a number, by that number; empty if there is no such folder."""
    if not folder.is_dir():
        return {}
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes)
    named = ((int(path.stem), path) for path in files if re.fullmatch(r"\d+", path.stem, re.ASCII))
    return dict(sorted(by_one_name(named).items()))


def by_one_name(files: Iterable[tuple[Name, Path]]) -> dict[Name, Path]:
    """Files by their name or number.

    Raises:
        DataError: two have the same, as 0001.png and 0001.jpg: which is meant cannot be known.
    """
    named: dict[Name, Path] = {}
    for name, path in files:
        if name in named:
            raise DataError(
                f"{named[name].name} and {path.name} are one frame, in {path}; keep one of the two"
            )
        named[name] = path
    return named
