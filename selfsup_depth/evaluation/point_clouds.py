"""Whether the predicted points lie where the measured ones do, whichever pixel they belong to.

Seitz et al., "A comparison and evaluation of multi-view stereo reconstruction algorithms", CVPR 2006;
for one image Spencer et al., "Deconstructing self-supervised monocular reconstruction", TMLR 2022.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from selfsup_depth.evaluation.exhibits import Exhibit
from selfsup_depth.evaluation.image_metric import ImageMetric
from selfsup_depth.evaluation.measured_points import points_of

# Distances within which a point is found, metres.
THRESHOLDS = (0.1, 0.5)

# Of more pixels than this every second, third, ... is taken: distances cost the square.
MAX_POINTS = 8192

# Points whose distances to all others are held at once.
CHUNK = 1024


class PointClouds(ImageMetric):
    """Chamfer distance, F-score and IoU between the points that are predicted and those measured.

    `chamfer_m` is half the sum of the two mean distances to the nearest point of the other cloud.
    Precision P is the share of predicted points with a measured one nearer than the threshold,
    recall R the share of measured ones with a predicted one: the F-score is 2 P R / (P + R), the
    IoU P R / (P + R - P R). Needs the camera.

    Args:
        across_processes: see ImageMetric.
    """

    def __init__(self, across_processes: bool = True) -> None:
        scores = [f"{score}_{near:g}" for near in THRESHOLDS for score in ("f_score", "iou")]
        super().__init__("points", ["chamfer_m", *scores], across_processes)

    def measure(self, image: Exhibit) -> list[Tensor]:
        """Chamfer, and both scores of each threshold."""
        for K in image.context.K:
            every = math.ceil(len(image.errors.rows) / MAX_POINTS)
            predicted, measured = (points[::every] for points in points_of(image.errors, K))
            return cloud_scores(nearest(predicted, measured), nearest(measured, predicted))
        return [torch.tensor(math.nan)] * len(self.names)


def cloud_scores(to_measured: Tensor, to_predicted: Tensor) -> list[Tensor]:
    """Chamfer, and F-score and IoU of each threshold, from each point's distance to the other cloud."""
    scores: list[Tensor] = [(to_measured.mean() + to_predicted.mean()) / 2]
    for near in THRESHOLDS:
        precision, recall = ((distances < near).double().mean() for distances in (to_measured, to_predicted))
        product, total = precision * recall, precision + recall
        # Where nothing is found both are 0, not 0 / 0.
        scores += [2 * product / total.clamp(min=1e-12), product / (total - product).clamp(min=1e-12)]
    return scores


def nearest(points: Tensor, others: Tensor) -> Tensor:
    """(n,) distance of each point (n, 3) to the nearest of the others (m, 3), metres."""
    # The way round by a matrix product loses the digits of near points.
    exact = "donot_use_mm_for_euclid_dist"
    chunks: Sequence[Tensor] = torch.split(points.float(), CHUNK)
    return torch.cat([torch.cdist(part, others.float(), compute_mode=exact).amin(1) for part in chunks])
