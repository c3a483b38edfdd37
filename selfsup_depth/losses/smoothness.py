"""Edge-aware smoothness of the inverse depth."""

from __future__ import annotations

import torch
from torch import Tensor

from selfsup_depth.geometry.precision import at_least_float32
from selfsup_depth.losses.base import LossTerm
from selfsup_depth.losses.photometric import resize_by_area
from selfsup_depth.structures import Batch, DepthEstimate

# Keeps the division by the mean finite; far below the inverse depth of anything, 1/m.
TINY = 1e-7


class Smoothness(LossTerm):
    """Mean absolute slope of the inverse depth, less where the image has an edge, averaged over levels.

    Source: Godard et al., "Unsupervised monocular depth estimation with left-right consistency", CVPR 2017.

    Divided by its mean: Wang et al., "Learning depth from monocular videos using direct methods", CVPR 2018.

    Args:
        weight: factor in the weighted sum.
        mean_normalised: divide the inverse depth by its mean over the image first; the mean carries
            gradient. Otherwise everything far away would be the smoothest.
        edge_sharpness: the slope's weight is exp(-edge_sharpness * image gradient).
        level_factor: a level counts level_factor ** level.
    """

    def __init__(
        self,
        weight: float = 1e-3,
        mean_normalised: bool = True,
        edge_sharpness: float = 1.0,
        level_factor: float = 0.5,
    ) -> None:
        super().__init__(weight)
        self.mean_normalised = mean_normalised
        self.edge_sharpness = edge_sharpness
        self.level_factor = level_factor

    def forward(self, batch: Batch, estimates: list[DepthEstimate]) -> Tensor:
        """Mean over pixels and levels; see LossTerm."""
        values = []
        for estimate in estimates:
            inverse_depth = at_least_float32(estimate.inverse_depth)
            if self.mean_normalised:
                inverse_depth = inverse_depth / (inverse_depth.mean((-2, -1), keepdim=True) + TINY)
            image = resize_by_area(batch.target.image, inverse_depth.shape[-2:])
            slope = edge_aware_slope(inverse_depth, image, self.edge_sharpness)
            values.append(self.level_factor**estimate.level * slope)
        return torch.stack(values).mean()


def edge_aware_slope(values: Tensor, image: Tensor, edge_sharpness: float = 1.0) -> Tensor:
    """Mean absolute forward difference of a map, along x plus along y, released at image edges.

    Args:
        values: (B, 1, H, W).
        image: (B, 3, H, W) in [0, 1].
        edge_sharpness: exponent's factor, per unit of image difference.
    """
    total = values.new_zeros(())
    for axis in (-1, -2):
        release = torch.exp(-edge_sharpness * image.diff(dim=axis).abs().mean(1, keepdim=True))
        total = total + (values.diff(dim=axis).abs() * release).mean()
    return total
