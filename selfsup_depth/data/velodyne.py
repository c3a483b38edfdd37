"""Depth maps from laser scans."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from selfsup_depth.data.recording import DepthSource, Matrix
from selfsup_depth.errors import DataError

BYTES_PER_POINT = 16  # x, y, z, reflectance, each float32

DepthOfPoint = Literal["camera_z", "velodyne_forward_x"]


@dataclass(frozen=True, eq=False)
class VelodyneDepth(DepthSource):
    """A laser scan, projected into a camera when it is read.

    Attributes:
        scan: file of float32 quadruples x (forward), y (left), z (up), reflectance; metres.
        P_velodyne_to_image: (3, 4) projection to pixels.
        size: height and width of the image.
        depth_of_point: see `project_velodyne`.
    """

    scan: Path
    P_velodyne_to_image: Matrix
    size: tuple[int, int]
    depth_of_point: DepthOfPoint = "camera_z"

    @property
    def file(self) -> Path:
        """The scan."""
        return self.scan

    def check(self) -> None:
        """Refuse a scan that is missing or has another length than points have."""
        try:
            _check_length(self.scan.stat().st_size, self.scan)
        except OSError as error:
            raise _unreadable(error, self.scan) from error

    def read(self) -> NDArray[np.float32]:
        """The depth map, (H0, W0) metres, 0 where no point fell."""
        points = read_scan(self.scan)[:, :3]
        return project_velodyne(points, self.P_velodyne_to_image, self.size, self.depth_of_point)


def read_scan(path: Path) -> NDArray[np.float32]:
    """Points of a scan, (N, 4): x, y, z in metres and reflectance.

    Raises:
        DataError: the file is missing, empty, or not a whole number of points.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(error, path) from error
    _check_length(len(data), path)
    return np.frombuffer(data, dtype="<f4").reshape(-1, 4)


def _unreadable(error: OSError, path: Path) -> DataError:
    return DataError(f"scan cannot be read ({error.strerror}), in {path}; restore the file")


def _check_length(num_bytes: int, path: Path) -> None:
    if not num_bytes or num_bytes % BYTES_PER_POINT:
        what = f"scan has {num_bytes} bytes, not a multiple of {BYTES_PER_POINT}"
        raise DataError(f"{what}, in {path}; restore the file")


def project_velodyne(
    points: NDArray[np.float32],
    P_velodyne_to_image: Matrix,
    size: tuple[int, int],
    depth_of_point: DepthOfPoint,
) -> NDArray[np.float32]:
    """Depth map of laser points, the nearest where several fall into one pixel.

    Points behind the laser (x < 0) are dropped. A point at (u, v) belongs to the pixel
    round(u) - 1, round(v) - 1: KITTI's calibration counts pixels from 1, and published
    figures rest on this rule.

    Args:
        points: (N, 3) metres, x forward, y left, z up.
        P_velodyne_to_image: (3, 4) projection to pixels.
        size: height and width of the image.
        depth_of_point: "camera_z" is z in the camera, "velodyne_forward_x" is the laser's
            x, about 0.27 m more in KITTI's car.

    Returns:
        (height, width) metres, 0 where no point fell.
    """
    height, width = size
    ahead = points[(points[:, 0] >= 0) & np.isfinite(points).all(axis=1)].astype(np.float64)
    projected = ahead @ P_velodyne_to_image[:, :3].T + P_velodyne_to_image[:, 3]
    z = projected[:, 2]
    in_front = z > 0
    ahead, projected, z = ahead[in_front], projected[in_front], z[in_front]

    column, row = np.round(projected[:, :2] / z[:, None]).T - 1
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    depth = z if depth_of_point == "camera_z" else ahead[:, 0]

    nearest = np.full(size, np.inf)
    np.minimum.at(nearest, (row[inside].astype(int), column[inside].astype(int)), depth[inside])
    return np.where(np.isfinite(nearest), nearest, 0).astype(np.float32)
