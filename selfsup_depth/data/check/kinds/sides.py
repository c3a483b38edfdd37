"""Whether the two images of a pair are of one moment, by the cameras that they are said to be by."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from selfsup_depth.data.check.evidence import Evidence
from selfsup_depth.data.check.finding import Finding, Severity
from selfsup_depth.data.check.pairs import FEWEST_MATCHES, StereoPair

# Share of a pair's points that lie beyond infinity, by more pixels than matching is wrong.
SWAPPED = 0.6
BEYOND_INFINITY = 0.08
_NOISE = 1.0
# Mean grey levels of the two; KITTI's differ by up to 1.07.
MAX_RATIO = 1.3
MOST = 0.5


def findings(evidence: Evidence) -> Iterator[Finding]:
    """Swapped, one image twice, nothing in common, doffs that are wrong, other exposure."""
    pairs = evidence.pairs
    if not pairs:
        return
    same = [pair for pair in pairs if pair.identical]
    if same:
        what = f"left and right are one image in {len(same)} of {len(pairs)} pairs"
        yield _worst(what, same, len(same) > MOST * len(pairs), "restore the right camera's images")
    others = [pair for pair in pairs if not pair.identical]
    apart = [pair for pair in others if len(pair.across) < FEWEST_MATCHES]
    if apart:
        what = f"left and right have hardly a point in common in {len(apart)} of {len(pairs)} pairs"
        fix = "make sure that both were taken at one moment and show the same"
        yield _worst(what, apart, len(apart) > MOST * len(pairs), fix)
    yield from _order([pair for pair in others if len(pair.across) >= FEWEST_MATCHES])
    unlike = [pair for pair in others if max(pair.levels) + 1 > MAX_RATIO * (min(pair.levels) + 1)]
    if unlike:
        what = f"one camera's images are brighter than the other's in {len(unlike)} of {len(pairs)} pairs"
        yield _worst(what, unlike, False, "give both cameras one exposure")


def _order(pairs: list[StereoPair]) -> Iterator[Finding]:
    """Points beyond infinity: all of them if the sides are swapped, the far ones if doffs is wrong."""
    beyond = np.array([(pair.disparity < -_NOISE).mean() for pair in pairs])
    swapped = [pair for pair, share in zip(pairs, beyond, strict=True) if share > SWAPPED]
    if swapped:
        what = f"left and right are swapped in {len(swapped)} of {len(pairs)} pairs"
        fix = "exchange the two folders, or the two halves"
        yield _worst(what, swapped, len(swapped) > MOST * len(pairs), fix)
    elif len(pairs) and float(np.median(beyond)) > BEYOND_INFINITY:
        farthest = float(np.median([np.quantile(pair.disparity, 0.02) for pair in pairs]))
        what = f"{np.median(beyond):.0%} of the points lie beyond infinity, by up to {-farthest:.1f} px"
        fix = "correct the principal points (doffs) or the rotation of the calibration"
        yield _worst(what, pairs, float(np.median(beyond)) > 2 * BEYOND_INFINITY, fix)


def _worst(what: str, pairs: list[StereoPair], pointless: bool, fix: str) -> Finding:
    first = pairs[0]
    severity: Severity = "error" if pointless else "warning"
    return Finding(severity, what, str(first.right), fix, (first.left, first.right))
