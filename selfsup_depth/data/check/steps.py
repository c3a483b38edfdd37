"""What changes from one frame of a video to the next."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from selfsup_depth.data.check.reading import Grey, SmallImages
from selfsup_depth.data.recording import Frame, Photograph
from selfsup_depth.data.selection import Example
from selfsup_depth.data.two_view_geometry import MotionSettings, follow_corners, rotation_residual
from selfsup_depth.geometry.camera import resize_intrinsics

# For small images: fewer corners, nearer to each other.
_SETTINGS = MotionSettings(corners=400, corner_spacing=5.0)
_FEWEST_POINTS = 12
# Standard deviation of the grey levels.
MIN_CONTRAST = 5.0


@dataclass(frozen=True, eq=False)
class Step:
    """A frame and the next one, lengths in pixels of the training images.

    Attributes:
        start: the frame.
        first: its image.
        second: the next one's.
        seconds: between the two.
        travelled: metres between the two, NaN = unknown.
        between_poses: metres between their poses, NaN = unknown.
        difference: mean absolute difference of the grey levels.
        levels: mean grey level of each.
        contrast: least standard deviation of the grey levels of the two.
        followed: share of the first's corners that are found again.
        flow: median length of the optical flow, NaN = too few corners are found again.
        parallax: median length that the best rotation leaves unexplained, NaN as before.
    """

    start: Example
    first: Photograph
    second: Photograph
    seconds: float
    travelled: float
    between_poses: float
    difference: float
    levels: tuple[float, float]
    contrast: float
    followed: float
    flow: float
    parallax: float

    @property
    def shows_something(self) -> bool:
        """Whether both images have contrast: fog has 15, a covered lens 3."""
        return self.contrast >= MIN_CONTRAST


def measure_step(start: Example, stride: int, images: SmallImages, train_width: int) -> Step | None:
    """Compare a frame with the one `stride` later; none if one of them cannot be compared."""
    frames = start.camera.frames
    frame, later = frames[start.frame_index], frames[start.frame_index + stride]
    first, second = images.read(frame.image), images.read(later.image)
    if first is None or second is None or first.shape != second.shape:
        return None
    followed, flow, parallax = _motion(first, second, start)
    scale = train_width / first.shape[1]
    index = start.frame_index
    return Step(
        start,
        frame.image,
        later.image,
        later.seconds - frame.seconds,
        start.recording.travelled(start.side, index, index + stride),
        _distance(frame, later),
        float(np.abs(first.astype(np.int16) - second).mean()),
        (float(np.mean(first)), float(np.mean(second))),
        float(min(first.std(), second.std())),
        followed,
        flow * scale,
        parallax * scale,
    )


def _motion(first: Grey, second: Grey, start: Example) -> tuple[float, float, float]:
    """Share of corners that are found again, median flow and parallax in pixels of these images."""
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
        return followed, float("nan"), float("nan")
    flow = float(np.median(np.linalg.norm(moved - points, axis=1)))
    K = resize_intrinsics(torch.from_numpy(start.camera.K), start.camera.size, first.shape).numpy()
    return followed, flow, rotation_residual(points, moved, np.ascontiguousarray(K))


def _distance(first: Frame, second: Frame) -> float:
    start, end = first.T_world_from_camera, second.T_world_from_camera
    return float("nan") if start is None or end is None else float(np.linalg.norm(end[:3, 3] - start[:3, 3]))
