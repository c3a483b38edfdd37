"""How far the surfaces that are predicted are turned from those that were measured."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from selfsup_depth.evaluation.exhibits import Exhibit
from selfsup_depth.evaluation.image_metric import ImageMetric
from selfsup_depth.evaluation.measured_points import map_of, points_of

# Angles that others report shares for, degrees (Eigen and Fergus, ICCV 2015).
WITHIN = (11.25, 22.5, 30.0)

# On a plane inverse depth is linear in the image. Where it bends by more than this share of itself
# from one neighbour to the other, there is an edge, which has no normal.
MAX_BEND = 0.02


class SurfaceNormals(ImageMetric):
    """Angle between predicted and measured normals: mean, median, and shares within three angles.

    A pixel's normal is that of its four neighbours' points. Pixels count whose neighbours were
    measured and lie on one surface; a laser's scan has next to none. Needs the camera.

    Args:
        across_processes: see ImageMetric.
    """

    def __init__(self, across_processes: bool = True) -> None:
        shares = [f"normal_within_{angle:g}" for angle in WITHIN]
        super().__init__("normals", ["normal_mean_deg", "normal_median_deg", *shares], across_processes)

    def measure(self, image: Exhibit) -> list[Tensor]:
        """Mean, median and shares."""
        for K in image.context.K:
            both = (map_of(points, image.errors, image.size) for points in points_of(image.errors, K))
            angles = angle_between(*both)
            if len(angles):
                shares = [(angles < limit).double().mean() for limit in WITHIN]
                return [angles.mean(), angles.quantile(0.5), *shares]
        return [torch.tensor(math.nan)] * len(self.names)


def angle_between(predicted: Tensor, measured: Tensor) -> Tensor:
    """(n,) degrees between the normals of points (3, H, W), at the pixels that have both."""
    cosine = torch.cosine_similarity(normals(predicted), normals(measured), dim=0)
    counts = cosine.isfinite() & on_one_surface(1 / measured[2])
    return cosine[counts].clamp(-1, 1).acos().rad2deg()


def normals(points: Tensor) -> Tensor:
    """(3, H - 2, W - 2) from the differences of the points (3, H, W) to both sides; of any length."""
    along_row = points[:, 1:-1, 2:] - points[:, 1:-1, :-2]
    along_column = points[:, 2:, 1:-1] - points[:, :-2, 1:-1]
    return torch.cross(along_row, along_column, dim=0)


def on_one_surface(inverse_depth: Tensor) -> Tensor:
    """(H - 2, W - 2) bool: whether inverse depth (H, W) goes on straight through a pixel."""
    middle = inverse_depth[1:-1, 1:-1]
    bend_row = inverse_depth[1:-1, 2:] + inverse_depth[1:-1, :-2] - 2 * middle
    bend_column = inverse_depth[2:, 1:-1] + inverse_depth[:-2, 1:-1] - 2 * middle
    return torch.maximum(bend_row.abs(), bend_column.abs()) < MAX_BEND * middle
