"""Edge-aware smoothness of the inverse depth."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from selfsup_depth.geometry.kernels import Kernel
from selfsup_depth.geometry.precision import at_least_float32
from selfsup_depth.geometry.resize import resize_by_area
from selfsup_depth.losses.base import LossTerm, refuse_negative
from selfsup_depth.structures import Batch, DepthEstimate

# Keeps the division by the mean finite; far below the inverse depth of anything, 1/m.
TINY = 1e-7


class Smoothness(LossTerm):
    """Mean absolute slope or bend of the inverse depth, less where the image has an edge, over all levels.

    Source: Godard et al., "Unsupervised monocular depth estimation with left-right consistency", CVPR 2017.

    Divided by its mean: Wang et al., "Learning depth from monocular videos using direct methods", CVPR 2018.

    Args:
        weight: factor in the weighted sum.
        mean_normalised: divide the inverse depth by its mean over the image first; the mean carries
            gradient. Otherwise everything far away would be the smoothest.
        edge_sharpness: the slope's weight is exp(-edge_sharpness * image gradient); 0 = 1 everywhere.
        level_factor: a level counts level_factor ** level.
        order: 1 = slopes, which are zero where everything is equally far; 2 = bends, weighted by the
            image's (SfM-Learner without weights, FeatDepth), which are zero on every plane.
    """

    def __init__(
        self,
        weight: float = 1e-3,
        mean_normalised: bool = True,
        edge_sharpness: float = 1.0,
        level_factor: float = 0.5,
        order: Literal[1, 2] = 1,
    ) -> None:
        super().__init__(weight)
        refuse_negative(edge_sharpness=edge_sharpness, level_factor=level_factor)
        self.mean_normalised = mean_normalised
        self.edge_sharpness = edge_sharpness
        self.level_factor = level_factor
        self.order = order

    def forward(self, batch: Batch, estimates: list[DepthEstimate]) -> Tensor:
        """Mean over pixels and levels; see LossTerm."""
        values = []
        for estimate in estimates:
            inverse_depth = at_least_float32(estimate.inverse_depth)
            if self.mean_normalised:
                inverse_depth = inverse_depth / (inverse_depth.mean((-2, -1), keepdim=True) + TINY)
            image = resize_by_area(batch.target.image, inverse_depth.shape[-2:])
            slope = compiled_slope if self.compiled else edge_aware_slope
            unevenness = slope if self.order == 1 else edge_aware_bend
            values.append(
                self.level_factor**estimate.level * unevenness(inverse_depth, image, self.edge_sharpness)
            )
        return torch.stack(values).mean()


def edge_aware_slope(values: Tensor, image: Tensor, edge_sharpness: float = 1.0) -> Tensor:
    """Mean absolute forward difference of a map, along x plus along y, released at image edges.

    Args:
        values: (B, 1, H, W).
        image: (B, 3, H, W) in [0, 1].
        edge_sharpness: exponent's factor, per unit of image difference.
    """
    return torch.stack([released(values, image, (axis,), edge_sharpness) for axis in (-1, -2)]).sum()


def compiled_slope(values: Tensor, image: Tensor, edge_sharpness: float = 1.0) -> Tensor:
    """What `edge_aware_slope` returns, in a compiled kernel; the image is data."""
    return _Slope.apply(values, image, edge_sharpness)  # type: ignore


class _Slope(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, image: Tensor, edge_sharpness: float) -> Tensor:
        released_x, released_y, *slopes = _released_slopes(values, image, edge_sharpness)
        ctx.save_for_backward(*slopes)
        return released_x.mean() + released_y.mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        by_x, by_y = (slope * (gradient / slope.numel()) for slope in ctx.saved_tensors)
        return -(F.pad(by_x, (1, 1)).diff(dim=-1) + F.pad(by_y, (0, 0, 1, 1)).diff(dim=-2)), None, None


@Kernel
def _released_slopes(values: Tensor, image: Tensor, edge_sharpness: float) -> tuple[Tensor, ...]:
    """Along x and along y the absolute difference times its weight, then the derivatives of both."""
    released, slopes = [], []
    for axis in (-1, -2):
        difference, step = values.diff(dim=axis), image.diff(dim=axis).abs().mean(1, keepdim=True)
        weight = torch.exp(-edge_sharpness * step)
        released.append(difference.abs() * weight)
        slopes.append(difference.sign() * weight)
    return *released, *slopes


def edge_aware_bend(values: Tensor, image: Tensor, edge_sharpness: float = 1.0) -> Tensor:
    """Mean absolute second difference of a map, along xx, xy, yx and yy, released at the image's.

    Args:
        values: (B, 1, H, W).
        image: (B, 3, H, W) in [0, 1].
        edge_sharpness: exponent's factor, per unit of second difference of the image.
    """
    straight, mixed = [(-1, -1), (-2, -2)], (-1, -2)
    parts = [released(values, image, axes, edge_sharpness) for axes in straight]
    # Forward differences commute: xy and yx are one map, counted twice.
    return torch.stack(parts).sum() + 2 * released(values, image, mixed, edge_sharpness)


def released(values: Tensor, image: Tensor, axes: tuple[int, ...], edge_sharpness: float) -> Tensor:
    """Mean absolute difference of a map along these axes in turn, times exp(-sharpness |image's|)."""
    for axis in axes:
        values, image = values.diff(dim=axis), image.diff(dim=axis)
    if edge_sharpness == 0:
        return values.abs().mean()
    return (values.abs() * torch.exp(-edge_sharpness * image.abs().mean(1, keepdim=True))).mean()
