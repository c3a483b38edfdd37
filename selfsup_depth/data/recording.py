"""What a data set is made of, whatever its layout on disk: recordings, cameras, frames."""

from __future__ import annotations

import abc
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from selfsup_depth.data.photograph import Photograph
from selfsup_depth.data.speed_log import NO_SPEED, SpeedLog

if TYPE_CHECKING:
    from selfsup_depth.data.moving_masks import MovingMask

Matrix = NDArray[np.float64]


class DepthSource(abc.ABC):
    """Where the measured depth of a frame comes from; read only when it is needed.

    Instances travel to the loader's worker processes, so they hold paths and numbers only.
    """

    @property
    @abc.abstractmethod
    def file(self) -> Path:
        """Where it is."""

    @abc.abstractmethod
    def check(self) -> None:
        """Refuse what can be seen to be wrong without reading the whole file.

        Raises:
            DataError: the file is missing or not what it should be.
        """

    @abc.abstractmethod
    def read(self) -> NDArray[np.float32]:
        """The depth map, (H0, W0) metres, 0 = none.

        Raises:
            DataError: the file is missing or not what it should be.
        """


@dataclass(frozen=True, eq=False)
class Frame:
    """One exposure of one camera.

    Attributes:
        index: number in the recording; neighbours in time differ by one.
        image: what was taken.
        seconds: time of the exposure since some moment common to the recording.
        speed: metres per second, NaN = unknown.
        T_world_from_camera: (4, 4) pose of the camera, metres, None = unknown.
        measured: depth from an instrument, None = there is none.
        moving: mask of what moves in the measured map, None = there is none.
    """

    index: int
    image: Photograph
    seconds: float
    speed: float = float("nan")
    T_world_from_camera: Matrix | None = None
    measured: DepthSource | None = None
    moving: MovingMask | None = None


@dataclass(frozen=True, eq=False)
class Camera:
    """One camera of a rig and what it took.

    Attributes:
        K: (3, 3) intrinsics in pixels of the stored images; NaN where the layout finds none.
        size: height and width of the stored images.
        T_rig_to_camera: (4, 4) metres; the rig's frame is common to its cameras.
        frames: by their index.
        pixel_aspect: width of a pixel over its height.
        mask: a picture of which pixels of every frame count; None = all do.
    """

    K: Matrix
    size: tuple[int, int]
    T_rig_to_camera: Matrix
    frames: dict[int, Frame]
    pixel_aspect: float = 1.0
    mask: Path | None = None


@dataclass(frozen=True, eq=False)
class Recording:
    """What a rig took on one drive.

    Attributes:
        name: as it is written in split files.
        cameras: by side, "l" and "r".
        speeds: written down by another instrument, on the clock of the frames.
    """

    name: str
    cameras: dict[str, Camera]
    speeds: SpeedLog = NO_SPEED

    def T_between(self, side: str, other: str) -> Matrix:
        """(4, 4) from the coordinates of camera `side` to those of camera `other`, metres."""
        return self.cameras[other].T_rig_to_camera @ np.linalg.inv(self.cameras[side].T_rig_to_camera)

    def travelled(self, side: str, first: int, second: int) -> float:
        """Metres between the places of two exposures of one camera.

        The speed integrated over time (trapezoids through every frame between) where it is
        known, else the distance of the two poses, else NaN. Speed comes first because a pose
        need not be of the very moment of the exposure: KITTI's are the nearest of a 100 Hz
        stream, and their distances scatter by 5 % about the speed times the camera's interval.
        """
        frames = self.cameras[side].frames
        by_speed = self._by_speed(frames, first, second)
        start, end = frames[first].T_world_from_camera, frames[second].T_world_from_camera
        if np.isfinite(by_speed) or start is None or end is None:
            return float(by_speed)
        return float(np.linalg.norm(end[:3, 3] - start[:3, 3]))

    def _by_speed(self, frames: dict[int, Frame], first: int, second: int) -> float:
        if len(self.speeds.seconds):
            return self.speeds.travelled(frames[first].seconds, frames[second].seconds)
        low, high = sorted((first, second))
        between = [frames[i] for i in range(low, high + 1) if i in frames]
        # Trapezoids by hand: NumPy takes longer to begin than a packed image takes to be read.
        pairs = itertools.pairwise(between)
        return float(sum((b.seconds - a.seconds) * (a.speed + b.speed) / 2 for a, b in pairs))
