"""The questions that are put to data, in order; a further one is a file in `kinds` and a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from selfsup_depth.data.check.evidence import Evidence
from selfsup_depth.data.check.finding import Finding
from selfsup_depth.data.check.kinds import (
    cameras,
    continuity,
    depth_range,
    duplicates,
    epipolar,
    examples,
    exposure,
    files,
    image_size,
    motion,
    rig,
    sides,
    speeds,
    times,
)

Check = Callable[[Evidence], Iterator[Finding]]

CHECKS: Mapping[str, Check] = {
    "examples": examples.findings,
    "files": files.findings,
    "image size": image_size.findings,
    "cameras": cameras.findings,
    "times": times.findings,
    "motion": motion.findings,
    "copies": duplicates.findings,
    "continuity": continuity.findings,
    "exposure": exposure.findings,
    "speeds": speeds.findings,
    "rig": rig.findings,
    "left and right": sides.findings,
    "rows": epipolar.findings,
    "depth range": depth_range.findings,
}
