"""Whether the intrinsics can be those of the images."""

from __future__ import annotations

import math
from collections.abc import Iterator

from selfsup_depth.data.check.evidence import Evidence
from selfsup_depth.data.check.finding import Finding, Severity
from selfsup_depth.data.recording import Camera

# Horizontal field of view in degrees: what lenses without distortion have, and what none has.
USUAL_FOV = (12.0, 125.0)
POSSIBLE_FOV = (1.0, 160.0)
# Of the image's width and height, from its middle; KITTI's principal points are within 0.05.
MAX_OFF_CENTRE = 0.15
# Pixels that are not square are rare, and then by a stated share.
MAX_ASPECT = 1.1
_FIX = "give the intrinsics in pixels of the images as they are stored"


def findings(evidence: Evidence) -> Iterator[Finding]:
    """Field of view, principal point and shape of the pixels of each camera, alike ones once."""
    told: set[Finding] = set()
    for recording, side, camera in evidence.cameras():
        for severity, what in _problems(camera):
            found = Finding(severity, f"{what} of camera {side}", recording.name, _FIX)
            if found._replace(where="") not in told:
                told.add(found._replace(where=""))
                yield found
    if not told:
        views = sorted({round(field_of_view(camera)) for _, _, camera in evidence.cameras()})
        wide = " to ".join(str(view) for view in dict.fromkeys((views[0], views[-1]))) if views else "no"
        guess = ", the first guess where no file tells" if evidence.camera_is_learned else ""
        yield Finding("fact", f"cameras see {wide} degrees from left to right{guess}")


def field_of_view(camera: Camera) -> float:
    """Horizontal, degrees, from edge to edge."""
    fx, cx, width = camera.K[0, 0], camera.K[0, 2], camera.size[1]
    return math.degrees(math.atan((cx + 0.5) / fx) + math.atan((width - 0.5 - cx) / fx))


def _problems(camera: Camera) -> Iterator[tuple[Severity, str]]:
    (height, width), K = camera.size, camera.K
    view = field_of_view(camera)
    if not USUAL_FOV[0] <= view <= USUAL_FOV[1]:
        severity: Severity = "warning" if POSSIBLE_FOV[0] <= view <= POSSIBLE_FOV[1] else "error"
        yield severity, f"focal length {K[0, 0]:g} px sees {view:.1f} degrees of {width}x{height} images"
    off = abs(K[0, 2] / (width - 1) - 0.5), abs(K[1, 2] / (height - 1) - 0.5)
    if max(off) > MAX_OFF_CENTRE:
        what = f"principal point ({K[0, 2]:.1f}, {K[1, 2]:.1f}) is far from the middle of"
        yield "warning", f"{what} {width}x{height} images"
    aspect = K[0, 0] / K[1, 1] * camera.pixel_aspect
    if not 1 / MAX_ASPECT <= aspect <= MAX_ASPECT:
        what = f"focal lengths {K[0, 0]:g} and {K[1, 1]:g} px say that pixels are not square"
        yield "warning", f"{what} in {width}x{height} images"
