"""Feature-metric error: the syntheses are compared by learned features, not by colours alone."""

from __future__ import annotations

import torch
from torch import Tensor

from selfsup_depth.errors import ConfigError
from selfsup_depth.geometry.camera import resize_intrinsics
from selfsup_depth.geometry.precision import at_least_float32
from selfsup_depth.geometry.resize import resize_by_area
from selfsup_depth.geometry.view_synthesis import synthesize
from selfsup_depth.losses.base import LossTerm, refuse_negative
from selfsup_depth.losses.feature_autoencoder import (
    FeatureAutoencoder,
    reconstruction_error,
    slopes_up_curvatures_down,
)
from selfsup_depth.losses.needs import Need
from selfsup_depth.structures import Batch, DepthEstimate, View

# Rounds off the absolute difference of two features at zero.
SOFTNESS = 1e-3


class FeatureMetric(LossTerm):
    """Distance of learned features between the target and its syntheses, least over the sources.

    Source: Shu et al., "Feature-metric loss for self-supervised learning of depth and egomotion", ECCV 2020.

    Where an image is nearly uniform its colours say little about depth; features that are learned to
    slope there say more. The term owns the auto-encoder that learns them, from the target images,
    while depth and motion are trained. Neither disturbs the other: for depth and motion the features
    are constants, and the auto-encoder learns from reconstruction and its regularisers alone. The
    finest level is judged, at half its size.

    Args:
        weight: factor in the weighted sum.
        channels: of the features.
        autoencoder_weight: of the auto-encoder's own objective beside the feature-metric error; with
            `weight` it makes 1, as published.
        discriminative_weight: of the features' slopes, which are maximised, beside reconstruction.
        convergent_weight: of the features' curvatures, which are minimised.
    """

    def __init__(
        self,
        weight: float = 1e-3,
        channels: int = 64,
        autoencoder_weight: float = 1e3,
        discriminative_weight: float = 1e-3,
        convergent_weight: float = 1e-3,
    ) -> None:
        super().__init__(weight)
        if channels < 1:
            raise ConfigError(f"{channels} channels, in channels; give 1 or more")
        refuse_negative(autoencoder_weight=autoencoder_weight)
        refuse_negative(discriminative_weight=discriminative_weight, convergent_weight=convergent_weight)
        self.autoencoder = FeatureAutoencoder(channels)
        self.autoencoder_weight = autoencoder_weight
        self.discriminative_weight = discriminative_weight
        self.convergent_weight = convergent_weight

    def needs(self) -> set[Need]:
        return {Need.SOURCES}

    def forward(self, batch: Batch, estimates: list[DepthEstimate]) -> Tensor:
        """Mean over pixels, and the auto-encoder's objective; see LossTerm."""
        image = batch.target.image
        features = self.autoencoder.features(image)
        learning = self.autoencoder_objective(image, features)
        error = self.per_pixel(batch, estimates[0], features.detach()).mean()
        return error + self.autoencoder_weight * learning

    def autoencoder_objective(self, image: Tensor, features: Tensor) -> Tensor:
        """What the auto-encoder learns from: reconstruction and the shape of its features."""
        reconstruction = reconstruction_error(self.autoencoder.reconstructions(features), image)
        return reconstruction + slopes_up_curvatures_down(
            features,
            resize_by_area(image, features.shape[-2:]),
            self.discriminative_weight,
            self.convergent_weight,
        )

    def per_pixel(self, batch: Batch, estimate: DepthEstimate, features: Tensor) -> Tensor:
        """Error (B, 1, H / 2, W / 2), least over the sources that show the point.

        Args:
            batch: its target.
            estimate: the finest level.
            features: of the target, (B, channels, H / 2, W / 2), constants.
        """
        size = (features.shape[-2], features.shape[-1])
        inverse_depth = resize_by_area(at_least_float32(estimate.inverse_depth), size)
        K = estimate.K[0] if estimate.K else batch.target.K
        target = View(features, halved_K(batch.target._replace(K=K), size))
        errors, valid = [], []
        for source in estimate.sources:
            with torch.no_grad():
                looked_up = self.autoencoder.features(source.view.image)
            view = View(looked_up, halved_K(source.view, size))
            synthesis = synthesize(target, source._replace(view=view), inverse_depth)
            errors.append(soft_distance(synthesis.image, at_least_float32(features)))
            valid.append(synthesis.valid)
        every, shown = torch.cat(errors, dim=1), torch.cat(valid, dim=1)
        some = shown.any(dim=1, keepdim=True)
        least = every.masked_fill(~shown & some, torch.inf).amin(dim=1, keepdim=True)
        # Where no source shows the point its border stands in, and nothing is learned.
        return torch.where(some, least, least.detach())


def halved_K(view: View, size: tuple[int, int]) -> Tensor:
    """Intrinsics (B, 3, 3) of a view at the size of its features."""
    return resize_intrinsics(view.K, (view.image.shape[-2], view.image.shape[-1]), size)


def soft_distance(x: Tensor, y: Tensor) -> Tensor:
    """Mean over channels of the absolute difference, rounded off at zero: (B, C, h, w) to (B, 1, h, w)."""
    return ((x - y).square() + SOFTNESS**2).sqrt().mean(1, keepdim=True)
