"""Frames whose brightness jumps, and frames that show nothing."""

from __future__ import annotations

from collections.abc import Iterator

from selfsup_depth.data.check.evidence import Evidence
from selfsup_depth.data.check.finding import Finding, Severity

# KITTI's neighbours differ by up to 1.08.
MAX_RATIO = 1.3
MOST = 0.5


def findings(evidence: Evidence) -> Iterator[Finding]:
    """Neighbours in time with other brightness; images without contrast."""
    steps = evidence.steps
    jumps = [step for step in steps if _ratio(step.levels) > MAX_RATIO and step.shows_something]
    if jumps:
        times = max(_ratio(step.levels) for step in jumps)
        what = f"brightness jumps in {len(jumps)} of {len(steps)} steps, by up to {times:.1f} times"
        fix = "record with fixed exposure, or cut the recording there: it is taken for wrong depth"
        yield Finding("warning", what, str(jumps[0].second), fix, (jumps[0].first, jumps[0].second))
    empty = [step for step in steps if not step.shows_something]
    if empty:
        what = f"{len(empty)} of {len(steps)} frames show next to nothing, being dark, white or covered"
        severity: Severity = "error" if len(empty) > MOST * len(steps) else "warning"
        yield Finding(
            severity, what, str(empty[0].second), "leave them out", (empty[0].first, empty[0].second)
        )


def _ratio(levels: tuple[float, float]) -> float:
    low, high = sorted(levels)
    return (high + 1) / (low + 1)
