"""Speeds written down by another instrument than the camera, at times of their own."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from selfsup_depth.data.text_files import parse_numbers, read_lines
from selfsup_depth.errors import DataError

# Between samples that are further apart than this the speed is not known.
MAX_GAP_SECONDS = 2.5

# Metres per second: more than any vehicle, and far from what would overflow.
MAX_SPEED = 1e4

_HEADER = "seconds,speed"


class SpeedLog(NamedTuple):
    """Speeds over time.

    seconds: (N,) increasing, on the clock of the frames.
    speed: (N,) metres per second, NaN = unknown.
    """

    seconds: NDArray[np.float64]
    speed: NDArray[np.float64]

    def travelled(self, start: float, end: float) -> float:
        """Metres between two times: the integral of the speed, linear between samples.

        NaN where the log does not reach, or has a gap.
        """
        start, end = min(start, end), max(start, end)
        if not len(self.seconds) or start < self.seconds[0] or end > self.seconds[-1]:
            return float("nan")
        first = int(np.searchsorted(self.seconds, start, "right"))
        last = int(np.searchsorted(self.seconds, end, "left"))
        around = self.seconds[first - 1 : last + 1]
        if np.diff(around).max(initial=0) > MAX_GAP_SECONDS:
            return float("nan")
        at_ends = np.interp([start, end], self.seconds, self.speed)
        speed = np.concatenate([at_ends[:1], self.speed[first:last], at_ends[1:]])
        return float(np.trapezoid(speed, np.concatenate([[start], self.seconds[first:last], [end]])))


NO_SPEED = SpeedLog(np.empty(0), np.empty(0))


def read_speed_csv(path: Path) -> SpeedLog:
    """Read lines "seconds,speed"; a first line of those words is passed over.

    Raises:
        DataError: a line is not two numbers, a time is not later than the one before, a speed is
            negative or absurd, or there are fewer than two lines.
    """
    rows: list[list[float]] = []
    for number, line in read_lines(path, "speed file"):
        where = f"{path}:{number}"
        if not rows and line.replace(" ", "").lower() == _HEADER:
            continue
        seconds, speed = parse_numbers(line.replace(",", " "), where, count=2, finite=False)
        if not np.isfinite(seconds) or (rows and seconds <= rows[-1][0]):
            raise DataError(f"time is not later than the one before, in {where}; restore the order")
        if speed < 0:
            raise DataError(f"speed {speed:g} is negative, in {where}; write metres per second without sign")
        if speed > MAX_SPEED:
            raise DataError(f"speed {speed:g} m/s is that of no vehicle, in {where}; correct the file")
        rows.append([seconds, speed])
    if len(rows) < 2:
        raise DataError(f"{len(rows)} speeds, not two or more, in {path}; write lines such as 0.1,13.9")
    table = np.array(rows)
    return SpeedLog(table[:, 0], table[:, 1])
