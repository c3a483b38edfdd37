"""Whether depth jumps where it should: Hu et al., "Revisiting single image depth estimation", WACV 2019."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from selfsup_depth.evaluation.exhibits import Exhibit
from selfsup_depth.evaluation.image_metric import ImageMetric
from selfsup_depth.evaluation.measured_points import map_of

# Sobel's response, in metres, beyond which a pixel is an edge; as published, its kernel has the sum 8.
THRESHOLDS = (0.25, 0.5, 1.0)


class DepthEdges(ImageMetric):
    """Precision, recall and F1 of the pixels at which depth has an edge.

    Only pixels all of whose neighbours were measured count, so a laser's scan has none.
    Precision is NaN, and left out, where none is predicted, recall where none is measured.

    Args:
        across_processes: see ImageMetric.
    """

    def __init__(self, across_processes: bool = True) -> None:
        scores = ("precision", "recall", "f1")
        names = [f"edge_{score}_{above:g}" for above in THRESHOLDS for score in scores]
        super().__init__("edges", names, across_processes)

    def measure(self, image: Exhibit) -> list[Tensor]:
        """The three scores of each threshold."""
        maps = (image.errors.predicted, image.errors.measured)
        predicted, measured = (steepness(map_of(depth, image.errors, image.size)) for depth in maps)
        known = predicted.isfinite() & measured.isfinite()
        scores = []
        for above in THRESHOLDS:
            said, is_edge = (predicted[known] > above), (measured[known] > above)
            num_both = (said & is_edge).sum()
            num_said, num_edges = said.sum(), is_edge.sum()
            scores += [num_both / num_said, num_both / num_edges, 2 * num_both / (num_said + num_edges)]
        return scores


def steepness(depth: Tensor) -> Tensor:
    """(H - 2, W - 2) length of Sobel's response to (H, W); NaN beside an unknown pixel."""
    if min(depth.shape) < 3:
        return depth.new_zeros(0, 0)
    across = depth.new_tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    response = F.conv2d(depth[None, None], torch.stack([across, across.T])[:, None])[0]
    return response.square().sum(0).sqrt()
