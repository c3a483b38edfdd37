"""Measured depth from 16-bit PNG files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from selfsup_depth.data.images import open_picture
from selfsup_depth.data.recording import DepthSource
from selfsup_depth.errors import DataError

STEPS_PER_UNIT = 256


@dataclass(frozen=True)
class DepthPng(DepthSource):
    """A depth map as KITTI stores it: metres times 256 in 16 bits, 0 = none."""

    path: Path

    @property
    def file(self) -> Path:
        """The PNG."""
        return self.path

    def check(self) -> None:
        """Refuse another kind of file."""
        check_uint16(self.path)

    def read(self) -> NDArray[np.float32]:
        """The depth map, (H0, W0) metres."""
        return (read_uint16(self.path) / STEPS_PER_UNIT).astype(np.float32)


@dataclass(frozen=True)
class DisparityPng(DepthSource):
    """A disparity map as KITTI stores it: x_left - x_right in pixels times 256, 0 = none.

    Attributes:
        path: the file.
        focal: horizontal focal length in pixels of this map.
        baseline: distance of the two cameras, metres.
        pixels: whether those are measured that only one camera sees, too.
    """

    path: Path
    focal: float
    baseline: float
    pixels: Literal["non_occluded", "occluded"] = "non_occluded"

    @property
    def file(self) -> Path:
        """The PNG."""
        return self.path

    def check(self) -> None:
        """Refuse another kind of file."""
        check_uint16(self.path)

    def read(self) -> NDArray[np.float32]:
        """The depth map, (H0, W0) metres: focal * baseline / disparity."""
        disparity = read_uint16(self.path) / STEPS_PER_UNIT
        depth = self.focal * self.baseline / np.where(disparity > 0, disparity, np.inf)
        return depth.astype(np.float32)


def annotated_folders(drive: Path, camera_number: str, benchmarks: Iterable[Path]) -> list[Path]:
    """Where the maps of KITTI's depth benchmark may be for one camera of a drive.

    Args:
        drive: the drive's own folder.
        camera_number: "02" or "03".
        benchmarks: folders that may hold the benchmark's train/ and val/.
    """
    drives = [drive, *(folder / part / drive.name for folder in benchmarks for part in ("train", "val"))]
    return [folder / "proj_depth" / "groundtruth" / f"image_{camera_number}" for folder in drives]


def read_uint16(path: Path) -> NDArray[np.uint16]:
    """The values of a 16-bit grey PNG.

    Raises:
        DataError: missing, unreadable, or of another depth: eight bits hold no metres, they
            are a picture of a depth map.
    """
    with _open_uint16(path) as picture:
        return np.asarray(picture, dtype=np.uint16)


def check_uint16(path: Path) -> None:
    """Refuse what its header shows to be no 16-bit grey PNG; see `read_uint16`."""
    with _open_uint16(path):
        pass


@contextmanager
def _open_uint16(path: Path) -> Iterator[Image.Image]:
    with open_picture(path, ("PNG",)) as picture:
        if not picture.mode.startswith("I;16"):
            raise DataError(f"depth map is not a 16-bit PNG ({picture.mode}), in {path}; give the original")
        yield picture
