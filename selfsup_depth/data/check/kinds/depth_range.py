"""Whether the network can say the depths that the pairs show."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from selfsup_depth.data.check.evidence import Evidence
from selfsup_depth.data.check.finding import Finding, Severity
from selfsup_depth.data.check.pairs import FEWEST_MATCHES

# Shares of the points.
FEW = 0.02
# Far points look much alike whatever their depth.
MANY = 0.2
MOST = 0.5
# Pixels at which a depth is more than noise.
_SURE = 1.0
# A first depth further off than this is far to learn from.
FAR_OFF = 8.0


def findings(evidence: Evidence) -> Iterator[Finding]:
    """Disparities of points that both images show, as depths."""
    seen = [(pair.depth, pair.disparity) for pair in evidence.pairs if not pair.identical]
    depth, disparity = np.concatenate([np.empty((2, 0)), *map(np.stack, seen)], axis=1)
    sure = disparity > _SURE
    if len(depth) >= FEWEST_MATCHES > (np.abs(disparity) > _SURE).sum():
        what = f"disparities of more than {_SURE:g} px are rare: the cameras stand too near each other"
        yield Finding("warning", what, str(evidence.root), "learn from video, too, or use a wider rig")
    if sure.sum() < FEWEST_MATCHES:
        return
    depth, disparity = depth[sure], disparity[sure]
    near, median, far = np.quantile(depth, [0.02, 0.5, 0.98])
    largest = np.quantile(disparity, 0.98)
    told = (
        f"points are {near:.3g} to {far:.3g} m away, median {median:.3g} (disparity up to {largest:.0f} px)"
    )
    nearest, farthest, first = evidence.depth_range
    outside = float((depth < nearest).mean()), float((depth > farthest).mean())
    if outside[0] > FEW or outside[1] > MANY:
        told += f"; the network's depth is {nearest:g} to {farthest:g} m"
        fix = f"--model.depth_net.min_depth {near / 2:.2g} --model.depth_net.max_depth {far * 2:.2g}"
        severity: Severity = "error" if sum(outside) > MOST else "warning"
        yield Finding(severity, told, "model.depth_net", f"correct the baseline, or give {fix}")
    elif first is not None and not 1 / FAR_OFF <= first / median <= FAR_OFF:
        told += f"; the network begins at {first:g} m"
        yield Finding("warning", told, "model.depth_net", f"give --model.depth_net.first_depth {median:.2g}")
    else:
        yield Finding("fact", told)
