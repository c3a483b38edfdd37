"""Whether the camera moves from frame to frame, enough and not only by turning."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from selfsup_depth.data.check.evidence import Evidence
from selfsup_depth.data.check.finding import Finding, Severity
from selfsup_depth.data.check.steps import Step
from selfsup_depth.data.photograph import Photograph

# Pixels of the training images. Below the first, depth follows from noise; KITTI's median is 4.
LITTLE_PARALLAX = 1.0
NO_PARALLAX = 0.15
GOOD_PARALLAX = 3.0
STATIC_FLOW = 0.3
# Flow against parallax: of a camera that turns.
TURNING = 4.0
# Shares of the frames.
MANY_STATIC = 0.05
ALL_STATIC = 0.9
_LONGEST_STRIDE = 30


def findings(evidence: Evidence) -> Iterator[Finding]:
    """Median flow and parallax of a step, and the share of steps without any."""
    steps = [step for step in evidence.steps if np.isfinite(step.parallax)]
    if not steps:
        return
    static = [step for step in steps if step.flow < STATIC_FLOW]
    moving = [step for step in steps if step.flow >= STATIC_FLOW]
    share = len(static) / len(steps)
    if share > ALL_STATIC:
        what = (
            f"the camera stands still in {share:.0%} of the steps (median flow {_median_flow(steps):.2f} px)"
        )
        yield Finding("error", what, str(evidence.root), _move(evidence), _shown(static))
        return
    if share > MANY_STATIC and not evidence.leaves_out_still:
        what = f"the camera stands still in {share:.0%} of the steps, the first is to {static[0].second}"
        yield Finding("warning", what, str(evidence.root), _LEAVE_OUT, _shown(static))
    yield from _parallax(evidence, moving)


_LEAVE_OUT = "leave them out: --data.min_parallax 0.3"


def _move(evidence: Evidence) -> str:
    alone = ", or learn from stereo alone: --data.video=[] --data.stereo=true"
    return f"record with a moving camera{alone if evidence.has_pairs else ''}"


def _parallax(evidence: Evidence, moving: list[Step]) -> Iterator[Finding]:
    median, flow = float(np.median([step.parallax for step in moving])), _median_flow(moving)
    width = evidence.size[1]
    told = f"median parallax of a step is {median:.2f} px, flow {flow:.2f} px, at {width} columns"
    if median >= LITTLE_PARALLAX:
        yield Finding("fact", told)
        return
    severity: Severity = "error" if median < NO_PARALLAX else "warning"
    fix = _move(evidence)
    stride = evidence.stride * min(_LONGEST_STRIDE, math.ceil(GOOD_PARALLAX / max(median, 1e-3)))
    stride = min(stride, evidence.longest_stride)
    if flow > TURNING * max(median, NO_PARALLAX):
        told = f"the camera turns more than it moves: {told}"
    elif stride > evidence.stride:
        fix = f"take frames further apart: --data.video=[-{stride},{stride}]"
    yield Finding(severity, told, str(evidence.root), fix, _shown(moving))


def _median_flow(steps: list[Step]) -> float:
    return float(np.median([step.flow for step in steps]))


def _shown(steps: list[Step]) -> tuple[Photograph, Photograph]:
    return steps[0].first, steps[0].second
