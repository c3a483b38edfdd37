"""Frames that come twice."""

from __future__ import annotations

from collections.abc import Iterator

from selfsup_depth.data.check.evidence import Evidence
from selfsup_depth.data.check.finding import Finding

# Mean difference of the grey levels: an encoder's copy of a frame has less, the noise of a
# camera that stands still has more.
ALIKE = 0.25
MOST = 0.5


def findings(evidence: Evidence) -> Iterator[Finding]:
    """Steps from a frame to its copy."""
    copies = [step for step in evidence.steps if step.difference < ALIKE]
    if not copies or evidence.leaves_out_still:
        return
    share = len(copies) / len(evidence.steps)
    what = f"{len(copies)} of {len(evidence.steps)} frames are copies of the one before"
    fix = "remove them, or leave them out: --data.min_parallax 0.3"
    shown = copies[0].first, copies[0].second
    yield Finding("warning" if share < MOST else "error", what, str(copies[0].second), fix, shown)
