"""Whether the two images of a pair are where their cameras are said to be: rectified, in most rigs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from selfsup_depth.data.check.evidence import Evidence
from selfsup_depth.data.check.finding import Finding, Severity
from selfsup_depth.data.check.pairs import FEWEST_MATCHES

# Pixels of the stored images: rectified KITTI has medians of 0.25 to 0.46, and 0.8 to 1.7 at 95 %.
MAX_MEDIAN = 1.0
MAX_TAIL = 3.0
# Pixels of the training images by which pairs cannot be learned from.
POINTLESS = 1.0


def findings(evidence: Evidence) -> Iterator[Finding]:
    """Rows of points that both images show: |dy| of rectified pairs."""
    pairs = [pair for pair in evidence.pairs if len(pair.across) >= FEWEST_MATCHES and not pair.identical]
    if not pairs:
        return
    medians = [float(np.median(np.abs(pair.across))) for pair in pairs]
    across = np.concatenate([pair.across for pair in pairs])
    median, tail = float(np.median(medians)), float(np.quantile(np.abs(across), 0.95))
    told = f"points miss their rows by a median of {median:.2f} px, 95 % by less than {tail:.2f} px"
    worst = pairs[int(np.argmax(medians))]
    if max(medians) <= MAX_MEDIAN and tail <= MAX_TAIL:
        yield Finding("fact", told)
        return
    bad = sum(value > MAX_MEDIAN for value in medians)
    offset = float(np.median(across))
    more = f" in {bad} of {len(pairs)} pairs (right minus left: {offset:+.2f} px)"
    scale = evidence.size[0] / worst.start.camera.size[0]
    severity: Severity = "error" if median * scale > POINTLESS and bad > len(pairs) / 2 else "warning"
    fix = "rectify the pairs: selfsup-depth data rectify; or correct the calibration"
    yield Finding(severity, told + more, str(worst.right), fix, (worst.left, worst.right))
