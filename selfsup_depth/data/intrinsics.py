"""Intrinsics of cameras whose layout brings none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from selfsup_depth.data.recording import Camera, Matrix, Recording
from selfsup_depth.errors import ConfigError, DataError
from selfsup_depth.geometry.camera import FIRST_FOCAL

# Degrees; "unknown" leaves the camera to a pose network that learns it; None: nothing was said.
FieldOfView = float | Literal["unknown"] | None

UNKNOWN_INTRINSICS: Matrix = np.full((3, 3), np.nan)

_FIX = (
    "write a camera.yaml, calib.txt or cameras.txt beside it, give --data.fov DEGREES (horizontal), "
    "or have it learned: --data.fov unknown (docs/pose_networks.md)"
)

# Stands in where images are resized and mirrored, until the pose network says better.
FIRST_FOV = 2 * math.degrees(math.atan(1 / (2 * FIRST_FOCAL)))

# A field of view that disagrees by more than this with a calibration is one slip or the other.
_SAME_FOCAL_LENGTH = 0.02


def with_intrinsics(recordings: Sequence[Recording], fov: FieldOfView, root: Path) -> list[Recording]:
    """The recordings, with the intrinsics of each camera.

    Args:
        recordings: as the layout found them.
        fov: horizontal field of view in degrees of the cameras whose intrinsics the layout
            did not find.
        root: the data root, for messages.

    Raises:
        DataError: the intrinsics of a camera are not known.
        ConfigError: the field of view contradicts what the layout found.
    """
    return [
        replace(
            recording,
            cameras={
                side: _with_intrinsics(camera, fov, f"{recording.name}, in {root}")
                for side, camera in recording.cameras.items()
            },
        )
        for recording in recordings
    ]


def _with_intrinsics(camera: Camera, fov: FieldOfView, where: str) -> Camera:
    known = bool(np.isfinite(camera.K).all())
    if fov == "unknown":
        fov = None if known else FIRST_FOV
    if fov is None:
        if not known:
            raise DataError(f"the intrinsics are not known, of {where}; {_FIX}")
        return camera
    K = intrinsics_from_fov(fov, camera.size, camera.pixel_aspect)
    if not known:
        return replace(camera, K=K)
    if abs(K[0, 0] / camera.K[0, 0] - 1) > _SAME_FOCAL_LENGTH:
        found = 2 * math.degrees(math.atan(camera.size[1] / 2 / camera.K[0, 0]))
        what = f"--data.fov is {fov:g}, but its calibration says {found:.1f} degrees"
        raise ConfigError(f"{what}, of {where}; leave out one of the two")
    return camera


def intrinsics_from_fov(fov: float, size: tuple[int, int], pixel_aspect: float = 1.0) -> Matrix:
    """Intrinsics of a camera that looks through the centre of its image.

    Args:
        fov: horizontal field of view, degrees, from edge to edge.
        size: height and width of the image.
        pixel_aspect: width of a pixel over its height.
    """
    height, width = size
    fx = width / 2 / math.tan(math.radians(fov) / 2)
    return np.array([[fx, 0, (width - 1) / 2], [0, fx * pixel_aspect, (height - 1) / 2], [0, 0, 1]])
