"""Depth that was measured at some pixels (lidar, structure from motion), learned from directly."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from selfsup_depth.errors import ConfigError
from selfsup_depth.geometry.inverse_depth import depth_from_inverse_depth
from selfsup_depth.geometry.precision import at_least_float32
from selfsup_depth.losses.base import LossTerm, masked_mean, refuse_negative
from selfsup_depth.losses.needs import Need
from selfsup_depth.structures import Batch, DepthEstimate


class SparseDepth(LossTerm):
    """Difference from depth measured at some pixels (semi-supervised), which makes any run metric.

    Source: Turkulainen et al., "DN-Splatter: Depth and normal priors for Gaussian splatting and
    meshing", WACV 2025.

    Every level is brought to the size of the measured map. Pixels without a measurement (0) are
    left out; where a batch has none, the term is zero.

    Args:
        weight: factor in the weighted sum.
        kind: "log_l1": ln(1 + |difference|) in metres, times exp(-edge_sharpness * image gradient),
            along x plus along y. "inverse_l1": |difference| of the inverse depths in 1/m, which
            judges near points most (Guizilini et al., PackNet-SfM's semi-supervision).
        edge_sharpness: of "log_l1": how much less a measurement counts at an edge of the image, where
            it may be of what lies behind; 0 = all alike.
    """

    def __init__(
        self,
        weight: float = 0.2,
        kind: Literal["log_l1", "inverse_l1"] = "log_l1",
        edge_sharpness: float = 1.0,
    ) -> None:
        super().__init__(weight)
        refuse_negative(edge_sharpness=edge_sharpness)
        self.kind = kind
        self.edge_sharpness = edge_sharpness

    def needs(self) -> set[Need]:
        return {Need.MEASURED}

    def forward(self, batch: Batch, estimates: list[DepthEstimate]) -> Tensor:
        """Mean over measured pixels and levels; see LossTerm.

        Raises:
            ConfigError: the batch holds no measured depth.
        """
        if not batch.measured:
            raise ConfigError(f"SparseDepth needs {Need.MEASURED.what}, in data; {Need.MEASURED.fix}")
        measured = at_least_float32(batch.measured[0])
        values = []
        for estimate in estimates:
            inverse_depth = at_least_float32(estimate.inverse_depth)
            if inverse_depth.shape[-2:] != measured.shape[-2:]:
                inverse_depth = F.interpolate(inverse_depth, measured.shape[-2:], mode="bilinear")
            values.append(self._one_level(inverse_depth, measured, batch.target.image))
        return torch.stack(values).mean()

    def _one_level(self, inverse_depth: Tensor, measured: Tensor, image: Tensor) -> Tensor:
        there = measured > 0
        if self.kind == "inverse_l1":
            expected = 1 / torch.where(there, measured, 1)
            return masked_mean((inverse_depth - expected).abs(), there)
        error = torch.log1p((depth_from_inverse_depth(inverse_depth) - measured).abs())
        return edge_aware_mean(error, there, image, self.edge_sharpness)


def edge_aware_mean(error: Tensor, there: Tensor, image: Tensor, edge_sharpness: float = 1.0) -> Tensor:
    """Mean of errors, each released at the image's edges: along x plus along y.

    Args:
        error: (B, 1, H, W).
        there: (B, 1, H, W) bool, which errors count.
        image: (B, 3, H, W) in [0, 1].
        edge_sharpness: the weight is exp(-edge_sharpness * image gradient).
    """
    parts = []
    for axis in (-1, -2):
        # Forward differences: the last column and row have none.
        size = error.shape[axis] - 1
        release = torch.exp(-edge_sharpness * image.diff(dim=axis).abs().mean(1, keepdim=True))
        parts.append(masked_mean(error.narrow(axis, 0, size) * release, there.narrow(axis, 0, size)))
    return torch.stack(parts).sum()
