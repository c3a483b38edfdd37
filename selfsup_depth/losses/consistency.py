"""Left-right consistency of the two disparity maps of a rectified pair."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from selfsup_depth.errors import ConfigError
from selfsup_depth.geometry.camera import resize_intrinsics
from selfsup_depth.geometry.precision import at_least_float32
from selfsup_depth.geometry.view_synthesis import project_to_source, sample
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
        inverse_depth = at_least_float32(estimate.inverse_depth)
        K = resized_K(target, inverse_depth)
        # The map to be looked up takes the place of the source's image.
        view = View(at_least_float32(source_inverse_depth), resized_K(source.view, source_inverse_depth))
        projection = project_to_source(K, PosedView(view, source.T_target_to_source), inverse_depth)
        looked_up = self._look_up(view.image, projection.pixels)

        baseline = source.T_target_to_source[:, :3, 3].norm(dim=-1)
        width_fraction = (K[:, 0, 0] * baseline / inverse_depth.shape[-1])[:, None, None, None]
        difference: Tensor = width_fraction.to(inverse_depth) * (inverse_depth - looked_up).abs()
        return masked_mean(difference, projection.valid) if self.padding == "masked" else difference.mean()

    def _look_up(self, values: Tensor, pixels: Tensor) -> Tensor:
        if self.padding != "zeros":
            return sample(values, pixels)
        return sample(F.pad(values, (1, 1, 0, 0)), pixels + pixels.new_tensor([1, 0]))


def resized_K(view: View, plane: Tensor) -> Tensor:
    """Intrinsics (B, 3, 3) of a view at the size of a map (..., h, w)."""
    height, width = view.image.shape[-2:]
    return resize_intrinsics(view.K, (height, width), (plane.shape[-2], plane.shape[-1]))
