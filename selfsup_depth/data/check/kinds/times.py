"""Whether frames follow one another evenly in time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from selfsup_depth.data.check.evidence import Evidence
from selfsup_depth.data.check.finding import Finding
from selfsup_depth.data.recording import Camera

# Times the median interval.
GAP = 1.6
# A camera takes between a frame a minute and a thousand a second; beyond, the unit is another.
FRAMES_PER_SECOND = (1 / 60, 1000)


def findings(evidence: Evidence) -> Iterator[Finding]:
    """Intervals between neighbouring frames."""
    if not evidence.needs.video:
        return
    rates = []
    for recording, side, camera in evidence.cameras():
        if side not in evidence.target_sides or len(camera.frames) < 2:
            continue
        seconds, after = _intervals(camera)
        median = float(np.median(seconds))
        rates.append(1 / max(median, 1e-9))
        gaps = np.flatnonzero(seconds > GAP * median)
        if len(gaps):
            what = (
                f"{len(gaps)} frames come {GAP:g} times later than usual or more, up to {seconds.max():.3g} s"
            )
            fix = "frames are lost there: leave a number out in the names of the frames, or cut the recording"
            yield Finding("warning", what, str(camera.frames[after[gaps[0]]].image), fix)
        if not FRAMES_PER_SECOND[0] <= rates[-1] <= FRAMES_PER_SECOND[1]:
            what = f"{rates[-1]:.3g} frames a second"
            yield Finding("warning", what, f"the times of {recording.name}", "write times in seconds")
    if rates:
        least, most = f"{min(rates):.3g}", f"{max(rates):.3g}"
        yield Finding("fact", f"{least if least == most else f'{least} to {most}'} frames a second")


def _intervals(camera: Camera) -> tuple[NDArray[np.float64], list[int]]:
    """Seconds between frames whose numbers follow, and the later one of each two."""
    indices = sorted(camera.frames)
    follow = [pair for pair in pairwise(indices) if pair[1] == pair[0] + 1] or [(indices[0], indices[1])]
    seconds = [camera.frames[b].seconds - camera.frames[a].seconds for a, b in follow]
    return np.array(seconds), [b for _, b in follow]
