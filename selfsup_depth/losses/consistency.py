"""Left-right consistency of the two disparity maps of a rectified pair."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from selfsup_depth.errors import ConfigError
from selfsup_depth.geometry.agreement import left_right_difference
from selfsup_depth.geometry.view_synthesis import sample
from selfsup_depth.losses.base import LossTerm, masked_mean
from selfsup_depth.losses.needs import Need
from selfsup_depth.structures import Batch, DepthEstimate, PosedView, View


class LeftRightConsistency(LossTerm):
    """Mean difference between a view's disparity and the other view's at the same point.

    Source: Godard et al., "Unsupervised monocular depth estimation with left-right consistency", CVPR 2017.

    In fractions of the image's width, averaged over levels and sources. Both maps learn, and so does
    the place at which the other one is looked up. One direction only: a module that predicts for both
    views evaluates the term once with each as the target.

    Args:
        weight: factor in the weighted sum.
        padding: what a point outside the source is compared with. "border": the disparity of its
            nearest border pixel. "zeros": disparity zero beyond a border of one pixel, as published
            (where this is called "border"). "masked": nothing, it leaves the mean.
    """

    def __init__(self, weight: float = 1.0, padding: Literal["border", "zeros", "masked"] = "border") -> None:
        super().__init__(weight)
        self.padding = padding

    def needs(self) -> set[Need]:
        return {Need.OTHER_CAMERA, Need.BOTH_MAPS}

    def forward(self, batch: Batch, estimates: list[DepthEstimate]) -> Tensor:
        """Mean over pixels, sources and levels; see LossTerm.

        Raises:
            ConfigError: the network predicts no depth for the sources.
        """
        values = []
        for estimate in estimates:
            if not estimate.source_inverse_depths:
                raise ConfigError("left-right consistency needs both views' depth, in model; use LeftRight")
            pairs = zip(estimate.sources, estimate.source_inverse_depths, strict=True)
            values += [self._one_source(batch.target, estimate, *pair) for pair in pairs]
        return torch.stack(values).mean()

    def _one_source(
        self, target: View, estimate: DepthEstimate, source: PosedView, source_inverse_depth: Tensor
    ) -> Tensor:
        look_up = sample_before_zeros if self.padding == "zeros" else sample
        agreement = left_right_difference(
            target, source, estimate.inverse_depth, source_inverse_depth, look_up
        )
        difference = agreement.difference / estimate.inverse_depth.shape[-1]
        return masked_mean(difference, agreement.valid) if self.padding == "masked" else difference.mean()


def sample_before_zeros(values: Tensor, pixels: Tensor) -> Tensor:
    """Look a map up as `sample` does, with zeros left and right of it."""
    return sample(F.pad(values, (1, 1, 0, 0)), pixels + pixels.new_tensor([1, 0]))
