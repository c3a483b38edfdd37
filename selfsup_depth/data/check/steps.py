"""What changes from one frame of a video to the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from selfsup_depth.data.frame_motion import frame_motion
from selfsup_depth.data.grey_images import SmallImages
from selfsup_depth.data.photograph import Photograph
from selfsup_depth.data.recording import Frame
from selfsup_depth.data.selection import Example

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
    followed, flow, parallax = frame_motion(first, second, start.camera)
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


def _distance(first: Frame, second: Frame) -> float:
    start, end = first.T_world_from_camera, second.T_world_from_camera
    return float("nan") if start is None or end is None else float(np.linalg.norm(end[:3, 3] - start[:3, 3]))
