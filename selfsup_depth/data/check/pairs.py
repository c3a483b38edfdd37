"""Points that both images of a stereo pair show."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from selfsup_depth.data.grey_images import Grey, read_grey
from selfsup_depth.data.photograph import Photograph
from selfsup_depth.data.recording import Matrix
from selfsup_depth.data.selection import Example

Values = NDArray[np.float64]

# Lowe's ratio: a match must be this much better than the second best.
_RATIO = 0.75
_FEATURES = 2000
# Distance from the epipolar line, pixels of the stored image.
_EPIPOLAR_PIXELS = 1.5
FEWEST_MATCHES = 30


@dataclass(frozen=True, eq=False)
class StereoPair:
    """A left and a right image, compared.

    Attributes:
        start: the left frame.
        left: its image.
        right: the other camera's.
        across: (N,) pixels by which points of the right image miss the line on which the stated
            cameras put them; of a rectified pair the row in the right image minus that in the left.
        disparity: (N,) pixels by which they are displaced along it from where points at infinity
            are, positive in front of the camera.
        depth: (N,) metres that follow, in the left camera; infinite or negative where disparity is.
        identical: whether the two images are one.
        levels: mean grey level of each.
    """

    start: Example
    left: Photograph
    right: Photograph
    across: Values
    disparity: Values
    depth: Values
    identical: bool
    levels: tuple[float, float]


def measure_pair(start: Example) -> StereoPair | None:
    """Match the left frame with the right one; none if one of them cannot be read."""
    cameras = start.recording.cameras
    images = [cameras[side].frames[start.frame_index].image for side in ("l", "r")]
    left, right = (read_grey(image) for image in images)
    if left is None or right is None:
        return None
    K_left, K_right = cameras["l"].K, cameras["r"].K
    measured = along_epipolar_lines(*match(left, right), K_left, K_right, start.recording.T_between("l", "r"))
    identical = left.shape == right.shape and bool((left == right).all())
    levels = float(left.mean()), float(right.mean())
    return StereoPair(start, images[0], images[1], *measured, identical, levels)


def match(left: Grey, right: Grey) -> tuple[Values, Values]:
    """Points (N, 2) that look alike (SIFT, Lowe 2004) and agree on one epipolar geometry.

    The geometry is not assumed to be the stated one: rows may differ in any way.
    """
    detector = cv2.SIFT.create(_FEATURES)
    (points_left, about_left), (points_right, about_right) = (
        detector.detectAndCompute(image, None) for image in (left, right)
    )
    if min(len(points_left), len(points_right)) < FEWEST_MATCHES:
        return np.empty((0, 2)), np.empty((0, 2))
    nearest = cv2.BFMatcher(cv2.NORM_L2).knnMatch(about_left, about_right, 2)
    good = [best for best, second in nearest if best.distance < _RATIO * second.distance]
    found = (
        np.array([points_left[m.queryIdx].pt for m in good], np.float64).reshape(-1, 2),
        np.array([points_right[m.trainIdx].pt for m in good], np.float64).reshape(-1, 2),
    )
    if len(good) < FEWEST_MATCHES:
        return found
    _, inliers = cv2.findFundamentalMat(*found, cv2.USAC_MAGSAC, _EPIPOLAR_PIXELS, 0.999, 2000)
    kept = np.zeros(len(good), bool) if inliers is None else inliers[:, 0] > 0
    return found[0][kept], found[1][kept]


def along_epipolar_lines(
    left: Values, right: Values, K_left: Matrix, K_right: Matrix, T_left_to_right: Matrix
) -> tuple[Values, Values, Values]:
    """How matches lie with regard to the stated cameras.

    A point at inverse depth r of the left camera is seen by the right one at a + r e (Hartley
    and Zisserman 2004, 9.2.1), with a its image at infinity and e the epipole, homogeneous.

    Args:
        left: (N, 2) points of the left image.
        right: (N, 2) the same points in the right one.
        K_left: (3, 3) intrinsics.
        K_right: (3, 3) intrinsics.
        T_left_to_right: (4, 4) metres.

    Returns:
        (N,) distance from the line and displacement along it, pixels, and (N,) depth, metres.
    """
    homogeneous = np.column_stack([left, np.ones(len(left))])
    a = homogeneous @ (K_right @ T_left_to_right[:3, :3] @ np.linalg.inv(K_left)).T
    e = K_right @ T_left_to_right[:3, 3]
    infinity = a[:, :2] / a[:, 2:]
    slope = e[:2] - infinity * e[2]  # of the image by inverse depth, but for a factor
    length = np.maximum(np.linalg.norm(slope, axis=1), 1e-12)
    unit = slope / length[:, None]
    moved = right - infinity
    disparity = (moved * unit).sum(1)
    across = unit[:, 1] * moved[:, 0] - unit[:, 0] * moved[:, 1]
    with np.errstate(divide="ignore"):
        depth = (length - disparity * e[2]) / (disparity * a[:, 2])
    return across, disparity, depth
