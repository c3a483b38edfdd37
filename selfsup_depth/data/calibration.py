"""Calibration files of lines "KEY: numbers", as KITTI writes them, and cameras from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selfsup_depth.data.recording import Matrix
from selfsup_depth.data.text_files import parse_numbers, read_lines
from selfsup_depth.errors import DataError

# The values that are words: the day and hour of the calibration.
_WORDS = {"calib_time"}

# Far beyond any camera, and far from what would overflow.
MIN_FOCAL, MAX_FOCAL = 1e-2, 1e6
MAX_METRES = 1e6
MAX_SIDE = 100_000


@dataclass(frozen=True)
class CalibrationFile:
    """The numbers of a calibration file.

    Attributes:
        path: where it was read.
        values: the numbers by key.
        lines: the line of each key, for messages.
    """

    path: Path
    values: dict[str, list[float]]
    lines: dict[str, int]

    def where(self, key: str) -> str:
        """FILE:LINE of a key."""
        return f"{self.path}:{self.lines[key]}"

    def array(self, key: str, *shape: int) -> Matrix:
        """The numbers of a key in a given shape.

        Raises:
            DataError: the key is missing or has another number of values.
        """
        if key not in self.values:
            found = ", ".join(self.values) or "nothing"
            raise DataError(f"no {key} among {found[:100]}, in {self.path}; restore the calibration file")
        values = np.array(self.values[key])
        if values.size != np.prod(shape):
            count = int(np.prod(shape))
            raise DataError(
                f"{key} has {values.size} numbers, not {count}, in {self.where(key)}; restore the file"
            )
        return values.reshape(shape)

    def projection(self, key: str) -> tuple[Matrix, Matrix]:
        """Camera of a 3x4 projection matrix P = K [I | t].

        KITTI's P take points of rectified camera 0; the baselines are in their last column.

        Returns:
            K (3, 3) in pixels and T_rig_to_camera (4, 4) in metres.
        """
        P = self.array(key, 3, 4)
        check_intrinsics(P[:, :3], self.where(key))
        T_rig_to_camera = np.eye(4)
        T_rig_to_camera[:3, 3] = np.linalg.solve(P[:, :3], P[:, 3])
        if not (np.abs(T_rig_to_camera[:3, 3]) < MAX_METRES).all():
            raise DataError(f"the camera stands nowhere near its rig, in {self.where(key)}; restore the file")
        return P[:, :3], T_rig_to_camera

    def rotation(self, key: str) -> Matrix:
        """A 3x3 rotation.

        Raises:
            DataError: the key is missing, or its nine numbers are none.
        """
        R = self.array(key, 3, 3)
        check_rotation(R, self.where(key))
        return R

    def size(self, key: str) -> tuple[int, int]:
        """Height and width of images, stored as width and height.

        Raises:
            DataError: the key is missing, or its two numbers are no size.
        """
        width, height = self.array(key, 2).tolist()
        return image_size(width, height, self.where(key))


def read_calibration(path: Path) -> CalibrationFile:
    """Read a calibration file.

    Raises:
        DataError: the file is missing, or a line is not "KEY: numbers", or a key comes twice.
    """
    values: dict[str, list[float]] = {}
    lines: dict[str, int] = {}
    for number, line in read_lines(path, "calibration"):
        where = f"{path}:{number}"
        key, colon, text = line.partition(":")
        if not colon or not key.strip():
            raise DataError(f'expected "KEY: numbers", found {line[:40]!r}, in {where}; restore the file')
        if (key := key.strip()) in lines:
            raise DataError(f"{key} comes a second time, in {where}; keep one of the two lines")
        lines[key] = number
        if key not in _WORDS:
            values[key] = parse_numbers(text, where)
    return CalibrationFile(path, values, lines)


def image_size(width: float, height: float, where: str) -> tuple[int, int]:
    """Height and width of images as whole numbers.

    Raises:
        DataError: they are none, or no camera has such.
    """
    if not all(float(side).is_integer() and 0 < side <= MAX_SIDE for side in (width, height)):
        raise DataError(f"{width:g} x {height:g} is no image size, in {where}; restore the file")
    return int(height), int(width)


def check_intrinsics(K: Matrix, where: str) -> None:
    """Refuse what cannot be a camera of rectified images.

    Raises:
        DataError: a focal length is not positive, or the matrix is not upper triangular.
    """
    if not (K[0, 0] > 0 and K[1, 1] > 0):
        raise DataError(
            f"focal lengths {K[0, 0]:g} and {K[1, 1]:g} are not positive, in {where}; correct the calibration"
        )
    if not all(MIN_FOCAL < focal < MAX_FOCAL for focal in (K[0, 0], K[1, 1])):
        raise DataError(
            f"focal lengths {K[0, 0]:g} and {K[1, 1]:g} are not pixels, in {where}; correct the calibration"
        )
    expected = np.array([[K[0, 0], 0, K[0, 2]], [0, K[1, 1], K[1, 2]], [0, 0, 1]])
    if not np.allclose(K, expected, atol=1e-6):
        raise DataError(f"not the intrinsics of a rectified camera, in {where}; expected no skew and [0 0 1]")


def check_rotation(R: Matrix, where: str) -> None:
    """Refuse a matrix that stretches or mirrors.

    Raises:
        DataError: it is no rotation.
    """
    # Compared first, so that what would overflow is never multiplied.
    if (np.abs(R) > 2).any() or not np.allclose(R @ R.T, np.eye(3), atol=1e-3) or np.linalg.det(R) < 0:
        raise DataError(f"the nine numbers are no rotation, in {where}; restore the file")


def check_principal_point(K: Matrix, size: tuple[int, int], where: str) -> None:
    """Refuse a principal point outside the image: K then belongs to another image size.

    Args:
        K: (3, 3) pixels.
        size: height and width of the image.
        where: the calibration, for messages.
    """
    height, width = size
    if not (0 < K[0, 2] < width - 1 and 0 < K[1, 2] < height - 1):
        raise DataError(
            f"principal point ({K[0, 2]:g}, {K[1, 2]:g}) lies outside {width}x{height} images, in {where}; "
            "give the calibration of the images as they are stored"
        )
