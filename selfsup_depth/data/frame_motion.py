"""How much the camera has moved from one image to another, seen in the images alone."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch

from selfsup_depth.data.grey_images import Grey
from selfsup_depth.data.recording import Camera
from selfsup_depth.data.two_view_geometry import MotionSettings, follow_corners, rotation_residual
from selfsup_depth.geometry.camera import resize_intrinsics

# For small images: fewer corners, nearer to each other.
_SETTINGS = MotionSettings(corners=400, corner_spacing=5.0)
_FEWEST_POINTS = 12


class FrameMotion(NamedTuple):
    """What the corners of one image do in another, in pixels of these images.

    followed: share of them that are found again.
    flow: median length of their way, NaN = too few are found again.
    parallax: median length that the best rotation leaves unexplained, NaN as before.
    """

    followed: float
    flow: float
    parallax: float


def frame_motion(first: Grey, second: Grey, camera: Camera) -> FrameMotion:
    """Follow the corners of one small image (H, W) into another of the same camera."""
    # Optical flow takes another exposure for motion.
    gain = float((first.mean() + 1) / (second.mean() + 1))
    second = np.asarray(cv2.convertScaleAbs(second, alpha=gain), np.uint8)
    corners = cv2.goodFeaturesToTrack(
        first, _SETTINGS.corners, _SETTINGS.corner_quality, _SETTINGS.corner_spacing
    )
    num_corners = 0 if corners is None else len(corners)
    points, moved = follow_corners(first, second, _SETTINGS)
    followed = len(points) / max(num_corners, 1)
    if len(points) < _FEWEST_POINTS:
        return FrameMotion(followed, float("nan"), float("nan"))
    flow = float(np.median(np.linalg.norm(moved - points, axis=1)))
    K = resize_intrinsics(torch.from_numpy(camera.K), camera.size, first.shape).numpy()
    return FrameMotion(followed, flow, rotation_residual(points, moved, np.ascontiguousarray(K)))
