"""Whether the distances between frames are known, and are what the images show."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from selfsup_depth.data.check.evidence import Evidence
from selfsup_depth.data.check.finding import Finding
from selfsup_depth.data.check.steps import Step
from selfsup_depth.data.screening import MAX_BAD_SHARE

# Metres per second.
FASTEST = 100.0
STANDING = 0.05
# Pixels of the training images.
MOVED = 2.0
UNMOVED = 0.2
# Shares of the steps.
MANY = 0.05
# Distances by speed against those of the poses.
AGREEMENT = 1.25


def findings(evidence: Evidence) -> Iterator[Finding]:
    """Gaps, impossible speeds, and disagreement with the poses and with the images."""
    steps = evidence.steps
    known = [step for step in steps if np.isfinite(step.travelled)]
    if not known:
        return
    unknown = len(steps) - len(known)
    if unknown > MAX_BAD_SHARE * len(steps):
        first = next(step for step in steps if not np.isfinite(step.travelled))
        what = f"the speed of {unknown} of {len(steps)} steps is not known, the first is to {first.second}"
        yield Finding(
            "warning", what, first.start.recording.name, "let the speeds reach over all frames, without gaps"
        )
    speed = np.array([step.travelled / max(step.seconds, 1e-9) for step in known])
    median = float(np.median(speed))
    if speed.max() > FASTEST:
        fastest = known[int(speed.argmax())]
        what = f"the camera moves at {speed.max():.0f} m/s"
        fix = "write metres, seconds and metres per second, and poses in the order of the frames"
        yield Finding("warning", what, str(fastest.second), fix)
    else:
        yield Finding("fact", f"speeds of {speed.min():.1f} to {speed.max():.1f} m/s, median {median:.1f}")
    yield from _against_images(known, speed)
    yield from _against_poses(known)


def _against_images(steps: list[Step], speed: NDArray[np.float64]) -> Iterator[Finding]:
    parallax = np.array([step.parallax for step in steps])
    contrary = ((speed < STANDING) & (parallax > MOVED)) | ((speed > 1.0) & (parallax < UNMOVED))
    if contrary.sum() <= MANY * len(steps):
        return
    first = steps[int(contrary.argmax())]
    stands = speed[contrary.argmax()] < STANDING
    where = (
        "stands by its speed and moves in the images"
        if stands
        else "moves by its speed and stands in the images"
    )
    what = f"in {int(contrary.sum())} of {len(steps)} steps the camera {where}"
    fix = "put the times of speeds and frames on one clock"
    yield Finding("warning", what, str(first.second), fix, (first.first, first.second))


def _against_poses(steps: list[Step]) -> Iterator[Finding]:
    """Where both are known, the distance by speed comes from the speed."""
    both = [(step.travelled, step.between_poses) for step in steps if step.between_poses > STANDING]
    if not both:
        return
    ratio = float(np.median([by_speed / by_pose for by_speed, by_pose in both]))
    if not 1 / AGREEMENT <= ratio <= AGREEMENT:
        what = f"distances by speed are {ratio:.2f} times those between poses"
        hint = " (3.6: speeds in km/h?)" if abs(ratio - 3.6) < 0.2 else ""
        where = steps[0].start.recording.name
        yield Finding("warning", what + hint, where, "write metres, seconds and metres per second in both")
