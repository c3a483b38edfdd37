"""Times of exposures, from KITTI's two kinds of time file."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from selfsup_depth.data.text_files import parse_numbers, read_lines
from selfsup_depth.errors import DataError

log = logging.getLogger(__name__)

# Nominal rate of KITTI's cameras, for data whose times are not recorded.
NOMINAL_FRAMES_PER_SECOND = 10.0

# Nine decimals: datetime holds six, so the fraction is read apart.
_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\.(\d{1,9})", re.ASCII)


def read_timestamps(path: Path, count: int) -> list[float]:
    """Times in seconds since the first line, from lines such as 2011-09-26 13:10:51.175862102.

    Args:
        path: the file; if there is none, the nominal rate is assumed and said.
        count: how many times are needed.

    Raises:
        DataError: a line is no time, or there are fewer than `count`.
    """
    if not path.exists():
        return nominal_times(path, count)
    lines = read_lines(path, "time file")
    _check_count(len(lines), count, path)
    first, _ = _parse_timestamp(lines[0][1], f"{path}:{lines[0][0]}")
    seconds = []
    for number, line in lines:
        whole, fraction = _parse_timestamp(line, f"{path}:{number}")
        seconds.append((whole - first).total_seconds() + fraction)
    return seconds


def read_times(path: Path, count: int) -> list[float]:
    """Times in seconds, one number a line; see `read_timestamps`."""
    if not path.exists():
        return nominal_times(path, count)
    lines = read_lines(path, "time file")
    _check_count(len(lines), count, path)
    return [parse_numbers(line, f"{path}:{number}", count=1)[0] for number, line in lines]


def times_of_frames(folder: Path, numbers: Sequence[int]) -> list[float]:
    """Times of a folder's frames in seconds, from timestamps.txt there or (as KITTI has it) above.

    Args:
        folder: that of the images.
        numbers: of the frames. A file with a line for each frame is read in their order, one with
            more by their numbers; without a file the nominal rate is assumed and said.

    Raises:
        DataError: a line is no time, there are too few, or time does not go on.
    """
    file = next((path for path in _time_files(folder) if path.exists()), None)
    if file is None:
        log.warning("no times in %s: assuming %g frames per second", folder, NOMINAL_FRAMES_PER_SECOND)
        return [number / NOMINAL_FRAMES_PER_SECOND for number in numbers]
    lines = read_lines(file, "time file")
    read = read_timestamps if ":" in lines[0][1] else read_times
    in_turn = len(lines) == len(numbers)
    seconds = read(file, len(lines) if in_turn else max(numbers) + 1)
    chosen = seconds if in_turn else [seconds[number] for number in numbers]
    if any(later <= earlier for earlier, later in pairwise(chosen)):
        raise DataError(f"time does not go on from frame to frame, in {file}; restore the order")
    return chosen


def _time_files(folder: Path) -> list[Path]:
    return [place / "timestamps.txt" for place in (folder, folder.parent)]


def nominal_times(path: Path, count: int) -> list[float]:
    """Times at the nominal rate, for want of a file at `path`."""
    log.warning("no %s: assuming %g frames per second", path, NOMINAL_FRAMES_PER_SECOND)
    return [index / NOMINAL_FRAMES_PER_SECOND for index in range(count)]


def _check_count(found: int, needed: int, path: Path) -> None:
    if found < needed:
        raise DataError(f"{found} times for images up to number {needed - 1}, in {path}; restore the file")


def _parse_timestamp(line: str, where: str) -> tuple[datetime, float]:
    """The whole second and the fraction."""
    if match := _TIMESTAMP.fullmatch(line):
        with suppress(ValueError):
            return datetime.fromisoformat(match[1]), float(f"0.{match[2]}")
    expected = "2011-09-26 13:10:51.175862102"
    raise DataError(f"expected a time such as {expected}, found {line[:40]!r}, in {where}; restore the file")
