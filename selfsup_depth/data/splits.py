"""Frame lists: which frames are for training, validation and test.

One frame a line, `folder frame side`, as the field writes them: the recording's folder, the
frame's number, and l or r for the camera.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Literal, NamedTuple

from selfsup_depth.data.text_files import read_lines, words_of
from selfsup_depth.errors import DataError
from selfsup_depth.resources import find_resource

log = logging.getLogger(__name__)

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = ("train", "val", "test")

_FRAME = re.compile(r"\d{1,10}", re.ASCII)


class SplitLine(NamedTuple):
    """One line of a frame list and where it stands (FILE:LINE)."""

    folder: str
    frame: int
    side: str
    where: str


def split_file(split: str, part: Part, root: Path) -> Path | None:
    """The frame list for a part, or None if the split has none for it.

    Args:
        split: a folder of lists: inside the data root, a path, or a name in data_splits/.
        part: which list.
        root: the data root.

    Raises:
        ConfigError: there is no such folder.
        DataError: it holds no list at all.
    """
    inside = root / split
    folder = inside if inside.is_dir() else find_resource("data_splits", split)
    path = folder / f"{part}.txt"
    if path.is_file():
        return path
    if not any((folder / f"{other}.txt").is_file() for other in PARTS):
        raise DataError(
            f"no train.txt, val.txt or test.txt, in {folder}; give --data.split a folder of lists"
        )
    return None


def read_split(path: Path) -> list[SplitLine]:
    """Lines of a frame list; a frame that comes twice is kept once, with a warning.

    Raises:
        DataError: the list is empty, or a line is not `folder frame side` with a folder that
            stays inside the data root.
    """
    lines = [_parse(line, f"{path}:{number}") for number, line in read_lines(path, "frame list")]
    if not lines:
        raise DataError(f"frame list is empty, in {path}; write lines such as '2011_09_26/... 42 l'")
    unique = {line[:3]: line for line in reversed(lines)}
    if len(unique) < len(lines):
        log.warning("%d frames come more than once and are used once, in %s", len(lines) - len(unique), path)
    return [line for line in lines if unique[line[:3]] is line]


def _parse(text: str, where: str) -> SplitLine:
    words = words_of(text)
    if len(words) != 3 or not _FRAME.fullmatch(words[1]) or words[2] not in ("l", "r"):
        raise DataError(f'expected "folder frame side", found {text[:60]!r}, in {where}; correct the line')
    folder = words[0]
    if folder.startswith(("/", "\\")) or ".." in Path(folder).parts or ":" in folder:
        raise DataError(f"folder {folder!r} leaves the data root, in {where}; correct the line")
    return SplitLine(folder, int(words[1]), words[2], where)
