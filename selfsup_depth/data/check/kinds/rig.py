"""Whether the stated places of the two cameras can be those of a rig."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from selfsup_depth.data.check.evidence import Evidence
from selfsup_depth.data.check.finding import Finding
from selfsup_depth.data.recording import Recording
from selfsup_depth.data.selection import MIN_BASELINE

# Metres; a rig's cameras are a pencil's width to a car's length apart.
USUAL_BASELINE = (5e-4, 5.0)


def findings(evidence: Evidence) -> Iterator[Finding]:
    """Baseline and principal points of each rig, alike ones once."""
    if not evidence.needs.stereo:
        return
    told: set[str] = set()
    for recording in evidence.recordings:
        if {"l", "r"} <= recording.cameras.keys():
            found = _finding(recording)
            if found.what not in told:
                told.add(found.what)
                yield found


def _finding(recording: Recording) -> Finding:
    T = recording.T_between("l", "r")
    baseline = float(np.linalg.norm(T[:3, 3]))
    where, fix = recording.name, "state the baseline in metres"
    if baseline < MIN_BASELINE:
        return Finding("error", f"the cameras stand at one place ({baseline:g} m)", where, fix)
    if T[0, 3] > MIN_BASELINE and abs(T[0, 3]) > 0.5 * baseline:
        what = f"the right camera is said to stand {T[0, 3]:.3g} m to the left of the left one"
        return Finding("error", what, where, "correct the sign of the baseline")
    if not USUAL_BASELINE[0] <= baseline <= USUAL_BASELINE[1]:
        return Finding("warning", f"the cameras stand {baseline:g} m apart", where, fix)
    doffs = recording.cameras["l"].K[0, 2] - recording.cameras["r"].K[0, 2]
    return Finding("fact", f"the cameras stand {baseline:.4g} m apart, their principal points {doffs:.1f} px")
