"""Lenses that distort, and the cameras without distortion that their images are made over to.

The model is OpenCV's (Brown 1971, with rational and thin-prism terms from eight numbers on).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from selfsup_depth.data.recording import Matrix
from selfsup_depth.data.rig_file import StatedRig
from selfsup_depth.errors import DataError

# Cosine of the angle between the line of the cameras and the direction in which they look.
_MAX_FORWARD = float(np.cos(np.radians(10)))


class Lens(NamedTuple):
    """One camera as it is, and as its images are to be.

    K: (3, 3) of the images as they are.
    distortion: OpenCV's numbers.
    R: (3, 3) from the camera's axes to those of the new one.
    new_K: (3, 3) of the new images.
    """

    K: Matrix
    distortion: Matrix
    R: Matrix
    new_K: Matrix

    def maps(self, size: tuple[int, int]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Column and row, (H, W) each, at which each pixel of the new image is to be looked up."""
        return cv2.initUndistortRectifyMap(
            self.K, self.distortion, self.R, self.new_K, size[::-1], cv2.CV_32FC1
        )


class RectifiedRig(NamedTuple):
    """Two cameras that look the same way.

    left, right: how each image is made.
    T_left_to_right: (3,) metres; the second and third are 0, or the first and third of a
        vertical rig.
    """

    left: Lens
    right: Lens
    T_left_to_right: Matrix


def rectification(rig: StatedRig, size: tuple[int, int]) -> RectifiedRig:
    """How to make pairs whose points stand in the same row (the same column in a vertical rig).

    Every pixel of the new images is one that the lens shows (alpha 0).

    Args:
        rig: the two cameras as they are.
        size: height and width of their images.

    Raises:
        DataError: the cameras stand behind each other, or the right one on the left.
    """
    T = rig.T_left_to_right
    place = T[:3, 3] / max(float(np.linalg.norm(T[:3, 3])), 1e-12)
    if not np.linalg.norm(place) or abs(place[2]) > _MAX_FORWARD:
        what = "one camera stands in front of the other, or in its place"
        raise DataError(f"{what}, in {rig.where}; such a pair cannot be rectified, correct T")
    (K_left, D_left), (K_right, D_right) = ((rig.K(side, size), _distortion(rig, side)) for side in "lr")
    # Slices of matrices are read wrongly by some of OpenCV's functions.
    R, t = np.ascontiguousarray(T[:3, :3]), np.ascontiguousarray(T[:3, 3:])
    found = cv2.stereoRectify(K_left, D_left, K_right, D_right, size[::-1], R, t, flags=0, alpha=0)
    R_left, R_right, P_left, P_right = (np.asarray(matrix, np.float64) for matrix in found[:4])
    apart = P_right[:3, 3] / np.array([P_right[0, 0], P_right[1, 1], 1.0])
    if apart[0] > 0:
        raise DataError(f"the right camera stands left of the left one, in {rig.where}; exchange the folders")
    left, right = (np.ascontiguousarray(P[:, :3]) for P in (P_left, P_right))
    return RectifiedRig(Lens(K_left, D_left, R_left, left), Lens(K_right, D_right, R_right, right), apart)


def undistortion(camera: StatedRig, size: tuple[int, int]) -> Lens:
    """How to take the distortion out of one camera's images; no pixel is without colour (alpha 0).

    Raises:
        DataError: the camera can be none.
    """
    K, distortion = camera.K("l", size), _distortion(camera, "l")
    new_K, _ = cv2.getOptimalNewCameraMatrix(K, distortion, size[::-1], 0)
    return Lens(K, distortion, np.eye(3), np.asarray(new_K, np.float64))


def _distortion(rig: StatedRig, side: str) -> Matrix:
    """OpenCV's numbers; none are a lens that does not distort."""
    return np.array(rig.numbers.get("distortion" if side == "l" else "right_distortion", [0.0] * 5))
