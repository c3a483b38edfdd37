"""How a camera moved between two of its photographs, from the photographs alone.

Corners (Shi and Tomasi 1994) are followed by pyramidal optical flow (Lucas and Kanade 1981,
Bouguet 2000) forward and back; the essential matrix comes from five points (Nister 2004)
under MAGSAC++ (Barath et al. 2020), and the points in front of both cameras tell which of
its four motions is meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Grey = NDArray[np.uint8]

# Solves for five points; a few more are needed before a consensus means anything.
_FEWEST_POINTS = 8


@dataclass(frozen=True)
class MotionSettings:
    """When and how a motion is computed; lengths are pixels of the stored image.

    corners: at most so many corners are followed.
    corner_quality: weakest corner, as a share of the strongest one's eigenvalue.
    corner_spacing: least distance between two corners.
    window: side of the window that optical flow compares.
    pyramid_levels: halvings of the image; the largest motion is about window / 2 * 2**levels.
    round_trip: a corner followed forward and back must land this close to where it was.
    ransac: largest distance from the epipolar line for a point to count as an inlier.
    min_inliers: fewer points that agree on one motion are no evidence.
    min_inlier_share: nor are they if they are a smaller share of the points followed. Patches
        that each went their own way by some pixels agreed to 0.2 to 0.3, streets do to 0.9.
    min_parallax: median distance that the best pure rotation leaves unexplained. With 0.1
        pixels of noise, the direction was wrong by 0.3 degrees at 1 pixel and by up to 35
        at half a pixel.
    """

    corners: int = 2000
    corner_quality: float = 0.005
    corner_spacing: float = 8.0
    window: int = 15
    pyramid_levels: int = 4
    round_trip: float = 0.5
    ransac: float = 0.5
    min_inliers: int = 50
    min_inlier_share: float = 0.4
    min_parallax: float = 1.0


class Outcome(IntEnum):
    """What became of a pair; the numbers are those of the cache file."""

    MOTION = 0
    LITTLE_PARALLAX = 1
    FEW_INLIERS = 2
    FEW_MATCHES = 3


class TwoViewMotion(NamedTuple):
    """The motion between two photographs, or why there is none.

    T: (4, 4) first camera's coordinates to the second's; its translation is in units of the
        median depth of the points seen. NaN where there is no motion.
    outcome: MOTION, or the reason.
    """

    T: Array
    outcome: Outcome


def two_view_motion(first: Grey, second: Grey, K: Array, settings: MotionSettings) -> TwoViewMotion:
    """Find how the camera moved from one photograph to the other.

    Args:
        first: (H, W) the earlier photograph.
        second: (H, W) the later one.
        K: (3, 3) intrinsics of both, in their pixels.
        settings: thresholds.
    """
    # OpenCV's USAC reads wrong numbers from a slice such as P[:, :3].
    K = np.ascontiguousarray(K, np.float64)
    points_first, points_second = follow_corners(first, second, settings)
    if len(points_first) < max(settings.min_inliers, _FEWEST_POINTS):
        return _no_motion(Outcome.FEW_MATCHES)
    # Before the essential matrix: under a pure rotation it would fit any translation.
    if rotation_residual(points_first, points_second, K) < settings.min_parallax:
        return _no_motion(Outcome.LITTLE_PARALLAX)
    return _motion_from_points(points_first, points_second, K, settings)


def follow_corners(first: Grey, second: Grey, settings: MotionSettings) -> tuple[Array, Array]:
    """Corners of the first image and where the second one shows them, both (N, 2) pixels (x, y)."""
    corners = cv2.goodFeaturesToTrack(
        first, settings.corners, settings.corner_quality, settings.corner_spacing
    )
    if corners is None:  # not one, in an image without texture
        return np.empty((0, 2)), np.empty((0, 2))
    forward, seen = _follow(first, second, corners, settings)
    back, found = _follow(second, first, forward, settings)
    miss = np.linalg.norm(back - corners, axis=-1)[:, 0]
    kept = seen & found & (miss < settings.round_trip)
    return corners[kept, 0].astype(np.float64), forward[kept, 0].astype(np.float64)


def _follow(
    first: Grey, second: Grey, points: NDArray[Any], settings: MotionSettings
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Optical flow of (N, 1, 2) points: where they went, and (N,) whether they were found."""
    moved, status, _ = cv2.calcOpticalFlowPyrLK(
        first,
        second,
        points,
        np.empty_like(points),
        winSize=(settings.window, settings.window),
        maxLevel=settings.pyramid_levels,
    )
    return moved, status[:, 0] > 0


def rotation_residual(points_first: Array, points_second: Array, K: Array, rounds: int = 10) -> float:
    """Median distance in pixels that the best pure rotation leaves between (N, 2) matches.

    The rotation minimises the sum of distances (not of squares, so that things that move do
    not pull it), by reweighting the closed form of Kabsch 1976.
    """
    rays_first, rays_second = _rays(points_first, K), _rays(points_second, K)
    weight = np.ones(len(rays_first))
    for _ in range(rounds):
        U, _, Vt = np.linalg.svd((rays_second * weight[:, None]).T @ rays_first)
        R = U @ np.diag([1.0, 1.0, np.linalg.det(U @ Vt)]) @ Vt
        rotated = rays_first @ (K @ R).T
        distance = np.linalg.norm(rotated[:, :2] / rotated[:, 2:] - points_second, axis=1)
        weight = 1 / np.maximum(distance, 1e-2)
    return float(np.median(distance))


def _rays(points: Array, K: Array) -> Array:
    """Unit vectors (N, 3) towards (N, 2) pixels."""
    rays = np.column_stack([points, np.ones(len(points))]) @ np.linalg.inv(K).T
    unit: Array = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    return unit


def _motion_from_points(
    points_first: Array, points_second: Array, K: Array, settings: MotionSettings
) -> TwoViewMotion:
    """Essential matrix, its motion by cheirality, and the length by triangulation."""
    # OpenCV's USAC methods draw from a generator of their own, seeded alike in every call:
    # results repeat, in any thread. On KITTI the direction is twice as good as with RANSAC.
    E, inliers = cv2.findEssentialMat(points_first, points_second, K, cv2.USAC_MAGSAC, 0.999, settings.ransac)
    if E is None or E.shape != (3, 3):
        return _no_motion(Outcome.FEW_INLIERS)
    # No limit to the distance: by default, points beyond 50 |t| would be thrown away, and a
    # street's median is at 35.
    num_in_front, R, t, _, points = cv2.recoverPose(
        E, points_first, points_second, K, distanceThresh=1e9, mask=inliers.copy()
    )
    if num_in_front < max(settings.min_inliers, settings.min_inlier_share * len(points_first)):
        return _no_motion(Outcome.FEW_INLIERS)
    # Inverse depth is what triangulation measures evenly: a far point that noise puts behind
    # the camera is still a far point, and its sign must not take it out of the median.
    inverse_depth = np.median((points[3] / points[2])[inliers[:, 0] > 0])
    if not inverse_depth > 0:
        return _no_motion(Outcome.LITTLE_PARALLAX)
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, t[:, 0] * inverse_depth
    return TwoViewMotion(T, Outcome.MOTION)


def _no_motion(outcome: Outcome) -> TwoViewMotion:
    return TwoViewMotion(np.full((4, 4), np.nan), outcome)
