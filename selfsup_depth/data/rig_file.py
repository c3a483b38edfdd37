"""The two cameras of a rig of one's own, as a camera.yaml states them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from selfsup_depth.data.calibration import (
    MAX_METRES,
    check_intrinsics,
    check_principal_point,
    check_rotation,
    image_size,
    read_calibration,
)
from selfsup_depth.data.recording import Matrix
from selfsup_depth.errors import DataError
from selfsup_depth.geometry.camera import resize_intrinsics

_CAMERA = ("focal", "fx", "fy", "cx", "cy")
DISTORTION = ("distortion", "right_distortion")
KEYS = (
    *_CAMERA,
    "doffs",
    *(f"right_{key}" for key in _CAMERA),
    "baseline",
    "R",
    "T",
    "width",
    "height",
    *DISTORTION,
)
# What is no single number: how many there must be; OpenCV's models of distortion have 4, 5, 8, 12 or 14.
_LENGTHS = {"R": (9,), "T": (3,), **dict.fromkeys(DISTORTION, (4, 5, 8, 12, 14))}
_SAME_SHAPE = 0.01


class StatedRig(NamedTuple):
    """What is said of a rig.

    numbers: by their keys.
    where: the file, or the options.
    """

    numbers: Mapping[str, list[float]]
    where: str

    def K(self, side: str, size: tuple[int, int]) -> Matrix:
        """Intrinsics (3, 3) of the camera "l" or "r", in pixels of images of this height and width.

        Raises:
            DataError: they can be none, or are for images of another shape.
        """
        of = size
        if "width" in self.numbers or "height" in self.numbers:
            both = [self.numbers.get(key, [0.0])[0] for key in ("width", "height")]
            of = image_size(both[0], both[1], self.where)
        if abs(of[0] * size[1] / (of[1] * size[0]) - 1) > _SAME_SHAPE:
            what = f"images are {size[1]}x{size[0]}, the cameras are for {of[1]}x{of[0]}"
            raise DataError(f"{what}, in {self.where}; give the cameras of the images as they are stored")
        K = self._stated(side, of)
        check_intrinsics(K, self.where)
        check_principal_point(K, of, self.where)
        return K if of == size else resize_intrinsics(torch.from_numpy(K), of, size).numpy()

    def _stated(self, side: str, size: tuple[int, int]) -> Matrix:
        left = self._one("", size, {})
        if side == "l":
            return left
        given = {"fx": left[0, 0], "fy": left[1, 1], "cx": left[0, 2], "cy": left[1, 2]}
        if "doffs" in self.numbers:
            given["cx"] += self.numbers["doffs"][0]
        return self._one("right_", size, given)

    def _one(self, prefix: str, size: tuple[int, int], given: Mapping[str, float]) -> Matrix:
        """Intrinsics of one camera; what is not said of it is as `given`, or in the image's middle."""
        said = {key: self.numbers[prefix + key][0] for key in _CAMERA if prefix + key in self.numbers}
        fx = said.get("fx", said.get("focal", given.get("fx", 0.0)))
        fy = said.get("fy", said.get("focal", fx if "fx" in said else given.get("fy", 0.0)))
        cx = said.get("cx", given.get("cx", (size[1] - 1) / 2))
        cy = said.get("cy", given.get("cy", (size[0] - 1) / 2))
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])

    @property
    def T_left_to_right(self) -> Matrix:
        """(4, 4) metres: by R and T as OpenCV's stereoCalibrate says them, or along x by the baseline.

        Raises:
            DataError: R is no rotation, or the places are none.
        """
        T = np.eye(4)
        if "R" in self.numbers:
            T[:3, :3] = np.reshape(self.numbers["R"], (3, 3))
            check_rotation(T[:3, :3], self.where)
        T[:3, 3] = self.numbers["T"] if "T" in self.numbers else (-self.numbers["baseline"][0], 0, 0)
        if not (np.abs(T[:3, 3]) < MAX_METRES).all():
            raise DataError(f"the right camera stands nowhere near the left one, in {self.where}; use metres")
        return T


def read_rig(path: Path | None, options: Mapping[str, float]) -> StatedRig:
    """A rig from lines "KEY: numbers", overruled by options.

    Args:
        path: the file; None: the options say all.
        options: single numbers by their keys.

    Raises:
        DataError: a key is unknown, has another number of values, or contradicts another.
    """
    numbers: dict[str, list[float]] = {}
    where = "the options of the layout"
    if path is not None:
        file = read_calibration(path)
        where = str(path)
        if unknown := sorted(file.values.keys() - set(KEYS)):
            raise DataError(f"unknown {', '.join(unknown)}, in {path}; known are {', '.join(KEYS)}")
        for key, values in file.values.items():
            if len(values) not in _LENGTHS.get(key, (1,)):
                raise DataError(f"{key} has {len(values)} numbers, in {file.where(key)}; restore the file")
            numbers[key] = values
    numbers |= {key: [value] for key, value in options.items()}
    for one, other in (
        ("baseline", "T"),
        ("doffs", "right_cx"),
        ("focal", "fx"),
        ("right_focal", "right_fx"),
    ):
        if one in numbers and other in numbers:
            raise DataError(f"{one} and {other} say the same thing, in {where}; keep one of the two")
    return StatedRig(numbers, where)
