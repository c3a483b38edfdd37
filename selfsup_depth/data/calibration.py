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
        return P[:, :3], T_rig_to_camera


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


def check_intrinsics(K: Matrix, where: str) -> None:
    """Refuse what cannot be a camera of rectified images.

    Raises:
        DataError: a focal length is not positive, or the matrix is not upper triangular.
    """
    if not (K[0, 0] > 0 and K[1, 1] > 0):
        raise DataError(
            f"focal lengths {K[0, 0]:g} and {K[1, 1]:g} are not positive, in {where}; correct the calibration"
        )
    expected = np.array([[K[0, 0], 0, K[0, 2]], [0, K[1, 1], K[1, 2]], [0, 0, 1]])
    if not np.allclose(K, expected, atol=1e-6):
        raise DataError(f"not the intrinsics of a rectified camera, in {where}; expected no skew and [0 0 1]")


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
