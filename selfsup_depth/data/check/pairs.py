"""Points that both images of a stereo pair show."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from selfsup_depth.data.check.reading import Grey, read_grey
from selfsup_depth.data.recording import Photograph
from selfsup_depth.data.selection import Example

Points = NDArray[np.float64]

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
        matches_left: (N, 2) columns and rows of points in the left image.
        matches_right: (N, 2) of the same points in the right one.
        identical: whether the two images are one.
        levels: mean grey level of each.
        doffs: column of the left principal point minus the right one's, pixels.
        focal_baseline: focal length times baseline, pixels times metres.
    """

    start: Example
    left: Photograph
    right: Photograph
    matches_left: Points
    matches_right: Points
    identical: bool
    levels: tuple[float, float]
    doffs: float
    focal_baseline: float

    @property
    def rows(self) -> Points:
        """(N,) row in the left image minus row in the right one: 0 in a rectified pair."""
        offset = self.matches_left[:, 1] - self.matches_right[:, 1]
        cy = [self.start.recording.cameras[side].K[1, 2] for side in ("l", "r")]
        return np.asarray(offset - (cy[0] - cy[1]))

    @property
    def disparity(self) -> Points:
        """(N,) x_left - x_right that is due to depth: without the principal points' difference."""
        return np.asarray(self.matches_left[:, 0] - self.matches_right[:, 0] - self.doffs)


def measure_pair(start: Example) -> StereoPair | None:
    """Match the left frame with the right one; none if one of them cannot be read."""
    cameras = start.recording.cameras
    images = [cameras[side].frames[start.frame_index].image for side in ("l", "r")]
    left, right = (read_grey(image) for image in images)
    if left is None or right is None:
        return None
    matches_left, matches_right = match(left, right)
    return StereoPair(
        start,
        images[0],
        images[1],
        matches_left,
        matches_right,
        left.shape == right.shape and bool((left == right).all()),
        (float(left.mean()), float(right.mean())),
        float(cameras["l"].K[0, 2] - cameras["r"].K[0, 2]),
        float(-cameras["l"].K[0, 0] * start.recording.T_between("l", "r")[0, 3]),
    )


def match(left: Grey, right: Grey) -> tuple[Points, Points]:
    """Points (N, 2) that look alike (SIFT, Lowe 2004) and agree on one epipolar geometry.

    The geometry is not assumed to be a rectified one: rows may differ in any way.
    """
    detector = cv2.SIFT_create(_FEATURES)
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
