"""How high a camera is above the ground that it sees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NUM_GUESSES = 300
# A point belongs to the ground if it is this close to it, as a share of the camera's height.
THICKNESS = 0.1
# The ground's normal is at most this far from the camera's downward axis: 30 degrees.
LEAST_COSINE = 0.866
FEWEST_POINTS = 50


def height_above_ground(points: Array) -> float:
    """Distance of the camera from the plane that most points lie on, in the points' unit.

    Args:
        points: (n, 3) x right, y down, z forward; where ground is to be expected.

    Returns:
        NaN where no level plane has half of the points.
    """
    if len(points) < FEWEST_POINTS:
        return float("nan")
    draw = np.random.default_rng(0)
    best, most = points[:0], 0
    for _ in range(NUM_GUESSES):
        near = _near_plane(points, points[draw.choice(len(points), 3, replace=False)])
        if near.sum() > most:
            best, most = points[near], int(near.sum())
    if most < len(points) / 2:
        return float("nan")
    return _plane_through(best)[1]


def _near_plane(points: Array, three: Array) -> NDArray[np.bool_]:
    """Which points are near the plane through three; none where it is no ground."""
    normal, height = _plane_through(three)
    if not (height > 0 and normal[1] >= LEAST_COSINE):
        return np.zeros(len(points), bool)
    return np.abs(points @ normal - height) < THICKNESS * height


def _plane_through(points: Array) -> tuple[Array, float]:
    """Normal, pointing away from the camera, and distance of the plane of least squares."""
    middle = points.mean(axis=0)
    normal = np.linalg.svd(points - middle, full_matrices=False)[2][-1]
    height = float(normal @ middle)
    return (normal, height) if height >= 0 else (-normal, -height)
