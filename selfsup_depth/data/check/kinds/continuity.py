"""Whether each frame goes on where the one before ended."""

from __future__ import annotations

from collections.abc import Iterator

from selfsup_depth.data.check.evidence import Evidence
from selfsup_depth.data.check.finding import Finding

# Share of the corners that are found again; KITTI's least is 0.53.
CUT = 0.1
MOST = 0.5


def findings(evidence: Evidence) -> Iterator[Finding]:
    """Steps over which hardly a corner is found again."""
    steps = [step for step in evidence.steps if step.shows_something]
    cuts = [step for step in steps if step.followed < CUT]
    if not cuts:
        return
    shown, where = (cuts[0].first, cuts[0].second), str(cuts[0].second)
    told = f"{len(cuts)} of {len(steps)} frames have hardly a point in common with the one before"
    if len(cuts) > MOST * len(steps):
        fix = "restore their order, or take frames that are nearer in time"
        yield Finding("error", told, where, fix, shown)
    else:
        fix = "there the recording is cut: put what comes after in a folder or video of its own"
        yield Finding("warning", told, where, fix, shown)
