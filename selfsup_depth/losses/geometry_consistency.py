"""Geometry consistency: what two views say of the depth of one point."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from selfsup_depth.errors import ConfigError
from selfsup_depth.geometry.agreement import relative_depth_difference
from selfsup_depth.geometry.pose import inverse_pose
from selfsup_depth.losses.base import LossTerm, masked_mean
from selfsup_depth.losses.needs import Need
from selfsup_depth.structures import Batch, DepthEstimate, PosedView, View


class GeometryConsistency(LossTerm):
    """Relative difference of the depths that two views give one point: one scale for all frames.

    Source: Bian et al., "Unsupervised scale-consistent depth and ego-motion learning from monocular
    video", NeurIPS 2019.

    |c - s| / (c + s), where c is a point's depth in the other view and s the depth predicted there.
    Both directions between the target and each source; where the other view does not show the
    point, by coordinates, it leaves the mean. Depths, motions and the place of the look-up learn.
    One minus it is the weight that Photometric's `geometry_weighted` gives a pixel.

    Args:
        weight: factor in the weighted sum.
    """

    def __init__(self, weight: float = 0.5) -> None:
        super().__init__(weight)

    def needs(self) -> set[Need]:
        return {Need.SOURCES, Need.SOURCE_DEPTH}

    def forward(self, batch: Batch, estimates: list[DepthEstimate]) -> Tensor:
        """Mean over pixels, directions, sources and levels; see LossTerm.

        Raises:
            ConfigError: the depth of the sources was not predicted.
        """
        values = []
        for estimate in estimates:
            check_source_depth(estimate)
            for source, rho in zip(estimate.sources, estimate.source_inverse_depths, strict=True):
                values += both_directions(batch.target, source, estimate.inverse_depth, rho)
        return torch.stack(values).mean()


def both_directions(
    target: View, source: PosedView, inverse_depth: Tensor, source_inverse_depth: Tensor
) -> list[Tensor]:
    """Mean relative difference at the target's points and at the source's, two scalars."""
    back = PosedView(target, inverse_pose(source.T_target_to_source))
    there_and_back = [
        relative_depth_difference(target, source, inverse_depth, source_inverse_depth),
        relative_depth_difference(source.view, back, source_inverse_depth, inverse_depth),
    ]
    return [masked_mean(agreement.difference, agreement.valid) for agreement in there_and_back]


@torch.no_grad()
def geometry_weights(batch: Batch, estimate: DepthEstimate) -> Tensor:
    """How well each source's depth agrees with the target's, at the size of the syntheses.

    Returns:
        (B, S, h, w) in (0, 1], one minus the relative difference.

    Raises:
        ConfigError: the depth of the sources was not predicted.
    """
    check_source_depth(estimate)
    pairs = zip(estimate.sources, estimate.source_inverse_depths, strict=True)
    differences = [
        relative_depth_difference(batch.target, source, estimate.inverse_depth, rho).difference
        for source, rho in pairs
    ]
    weights = 1 - torch.cat(differences, dim=1)
    size = estimate.syntheses[0].image.shape[-2:]
    return weights if weights.shape[-2:] == size else F.interpolate(weights, size, mode="bilinear")


def check_source_depth(estimate: DepthEstimate) -> None:
    """Refuse an estimate without the depth of the sources."""
    if not estimate.source_inverse_depths:
        need = Need.SOURCE_DEPTH
        raise ConfigError(f"geometry consistency needs {need.what}, in model; {need.fix}")
