"""Features that are learned so that matching them is well conditioned (Shu et al., "Feature-metric loss
for self-supervised learning of depth and egomotion", ECCV 2020).
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selfsup_depth.geometry.precision import at_least_float32
from selfsup_depth.geometry.resize import resize_by_area
from selfsup_depth.losses.photometric_error import photometric_error

# Sizes at which the image is reconstructed: 1/1, 1/2, 1/4 and 1/8.
NUM_SCALES = 4


class FeatureAutoencoder(nn.Module):
    """Plain convolutional auto-encoder without skips; its first features are what is matched.

    The published encoder is a ResNet-50. The matched features end in a hyperbolic tangent: their size
    is bounded, or the discriminative regulariser would only make them larger.

    Args:
        channels: of the matched features, at half the image's size; twice that many below.
    """

    def __init__(self, channels: int = 64) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, channels, 7, stride=2, padding=3), nn.Tanh())
        sizes = [channels] + [2 * channels] * NUM_SCALES
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(finer, coarser, 3, stride=2, padding=1), nn.ELU())
            for finer, coarser in pairwise(sizes)
        )
        self.up = nn.ModuleList(
            nn.Sequential(nn.Conv2d(2 * channels, 2 * channels, 3, padding=1), nn.ELU())
            for _ in range(NUM_SCALES + 1)
        )
        self.heads = nn.ModuleList(nn.Conv2d(2 * channels, 3, 3, padding=1) for _ in range(NUM_SCALES))

    def features(self, image: Tensor) -> Tensor:
        """What is matched: (B, 3, H, W) in [0, 1] to (B, channels, H / 2, W / 2)."""
        # Centred colours: an unlit surface must not lie where the hyperbolic tangent is flat.
        return self.first(4 * (image - 0.5))  # type: ignore[no-any-return]

    def reconstructions(self, features: Tensor) -> list[Tensor]:
        """The image from its features alone, (B, 3, h, w), finest of the four sizes first."""
        x = features
        for down in self.down:
            x = down(x)
        images: list[Tensor] = []
        for level in reversed(range(NUM_SCALES + 1)):
            x = F.interpolate(self.up[level](x), scale_factor=2, mode="nearest")
            if level < NUM_SCALES:
                images.insert(0, torch.sigmoid(self.heads[level](x)))
        return images


def reconstruction_error(images: list[Tensor], image: Tensor) -> Tensor:
    """Mean photometric error of the reconstructions over pixels and sizes."""
    errors = [photometric_error(x, resize_by_area(image, x.shape[-2:])).mean() for x in images]
    return torch.stack(errors).mean()


def slopes_up_curvatures_down(
    features: Tensor, image: Tensor, discriminative: float, convergent: float
) -> Tensor:
    """The regularisers: features are to differ between neighbours, evenly, where the image does not.

    Args:
        features: (B, C, h, w).
        image: (B, 3, h, w) in [0, 1], at the features' size.
        discriminative: weight of the mean slope, which is maximised.
        convergent: weight of the mean curvature, which is minimised.
    """
    features = at_least_float32(features)
    slope, curvature = features.new_zeros(()), features.new_zeros(())
    for axis in (-1, -2):
        steps, image_steps = features.diff(dim=axis), image.diff(dim=axis)
        slope = slope + flat_mean(steps, image_steps)
        for other in (-1, -2):
            curvature = curvature + flat_mean(steps.diff(dim=other), image_steps.diff(dim=other))
    return convergent * curvature - discriminative * slope


def flat_mean(steps: Tensor, image_steps: Tensor) -> Tensor:
    """Mean size of the features' differences, less where the image has one itself."""
    return (steps.abs() * torch.exp(-image_steps.abs().mean(1, keepdim=True))).mean()
