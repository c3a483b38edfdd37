"""Data that is there and cannot be used: found before the first step, refused or left out.

What is left out is a function of the data alone, so that a run that is repeated, or goes on,
sees the same examples.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Literal, NamedTuple

from tqdm import tqdm

from selfsup_depth.data.photograph import Photograph
from selfsup_depth.data.recording import Camera, DepthSource
from selfsup_depth.data.selection import Example, Needs, Selection
from selfsup_depth.errors import DataError

OnBadData = Literal["error", "skip"]

# More than this is no scratch on a data set but a broken one, or the wrong one.
MAX_BAD_SHARE = 0.01

# A bar for what takes a moment would only flicker.
_SECONDS_BEFORE_BAR = 2.0


class _File(NamedTuple):
    """What an example needs: its file, how its header is looked at, how it is read as a whole."""

    item: Photograph | DepthSource
    path: Path
    check: Callable[[], object]
    read: Callable[[], object]


class Screening:
    """Looks at every file of the examples before the first step.

    Args:
        root: the data root.
        on_bad_data: "error" looks at the headers and refuses the first bad file; "skip" decodes
            every file and leaves out the examples that need a bad one.
        follow_symlinks: whether a link inside the root may lead out of it.
    """

    def __init__(self, root: Path, on_bad_data: OnBadData, follow_symlinks: bool) -> None:
        self.root = root
        self.on_bad_data = on_bad_data
        self.follow_symlinks = follow_symlinks
        self._real_root = Path(os.path.realpath(root))
        self._refusals: dict[Photograph | DepthSource, DataError | None] = {}

    def screened(self, selection: Selection, needs: Needs) -> Selection:
        """The examples that can be used, and for each other one why not.

        Raises:
            DataError: a file cannot be used; or, of those left out, there are too many.
        """
        files = {example: list(_files(example, needs)) for example in selection.examples}
        self._look_at([file for needed in files.values() for file in needed])
        good: list[Example] = []
        bad = list(selection.bad)
        for example, needed in files.items():
            refusals = [error for file in needed if (error := self._refusals[file.item])]
            if refusals and self.on_bad_data == "error":
                raise refusals[0]
            if refusals:
                bad.append(str(refusals[0]))
            else:
                good.append(example)
        refuse_too_many(bad, len(good) + len(bad))
        return Selection(good, selection.left_out, bad)

    def _look_at(self, files: Sequence[_File]) -> None:
        """Find out about each file once."""
        new = list({file.item: file for file in files if file.item not in self._refusals}.values())
        with ThreadPool(os.cpu_count() if self.on_bad_data == "skip" else 1) as pool:
            bar = tqdm(total=len(new), desc="looking at the data", unit="file", delay=_SECONDS_BEFORE_BAR)
            with bar:
                for file, refusal in zip(new, pool.imap(self._refusal, new), strict=True):
                    self._refusals[file.item] = refusal
                    bar.update()

    def _refusal(self, file: _File) -> DataError | None:
        try:
            self._refuse_outside(file.path)
            if self.on_bad_data == "skip":
                file.read()
            else:
                file.check()
        except DataError as error:
            return error
        return None

    def _refuse_outside(self, path: Path) -> None:
        """Refuse a link out of the root, in the file's place or in a folder's above it."""
        if self.follow_symlinks or not path.is_relative_to(self.root):
            return
        real = Path(os.path.realpath(path)) if path.is_symlink() else _real(path.parent) / path.name
        if not real.is_relative_to(self._real_root):
            fix = "give --data.follow_symlinks=true if that is meant"
            raise DataError(f"a link leads out of the data root to {real}, in {path}; {fix}")


@cache
def _real(folder: Path) -> Path:
    return Path(os.path.realpath(folder))


def refuse_too_many(bad: Sequence[str], num_wanted: int, what: str = "examples") -> None:
    """Refuse data of which too much is left out.

    Args:
        bad: why each example is left out.
        num_wanted: how many were asked for.
        what: they are.

    Raises:
        DataError: naming the first.
    """
    if len(bad) > MAX_BAD_SHARE * num_wanted:
        share = f"{len(bad)} of {num_wanted} {what} are bad, more than {MAX_BAD_SHARE:.0%}"
        raise DataError(f"{share}, the first because {bad[0].rpartition('; ')[0]}; restore the data")


def _files(example: Example, needs: Needs) -> Iterator[_File]:
    """What an example is read from."""
    for side, index in needs.places(example):
        yield _photograph(example.recording.cameras[side], index)
    measured = example.frame.measured
    if measured is not None and (needs == Needs() or needs.measured):  # else depth is not read
        yield _measured(measured)


def _photograph(camera: Camera, index: int) -> _File:
    image, size = camera.frames[index].image, camera.size
    return _File(image, image.path, lambda: image.check(size), lambda: image.pixels(size))


def _measured(source: DepthSource) -> _File:
    return _File(source, source.file, source.check, source.read)
