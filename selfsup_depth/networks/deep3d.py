"""Deep3D's network: for each pixel of the right view, how probable each shift of the left view is (Xie,
Girshick, Farhadi, "Deep3D: fully automatic 2D-to-3D video conversion with deep convolutional neural
networks", ECCV 2016).
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selfsup_depth.errors import ConfigError
from selfsup_depth.geometry.precision import full_precision
from selfsup_depth.geometry.projection import pixel_grid
from selfsup_depth.geometry.view_synthesis import sample
from selfsup_depth.networks.base import HEAD_SPREAD, DepthHead, DepthNetwork, check_size
from selfsup_depth.networks.encoder import Norm, ResNetEncoder

# Width, in levels, of the first distribution where a first depth is asked for.
FIRST_SPREAD = 2.0


class Deep3DNet(DepthNetwork):
    """Probabilities of equally spaced inverse depths, for Deep3D; one level.

    As published, side predictions at five sizes are summed, here on a ResNet in the place of VGG-16.
    The published levels are whole pixels of one rig; these are inverse depths, so that cameras may
    differ: a level shifts by its inverse depth times focal length times baseline.

    `forward` says the inverse depth of the left image's own pixels: the expectation under the
    probabilities, each level moved back from the right view by its shift. The rig that the network
    was trained with is kept for that, with the weights; before training it moves nothing.

    Args:
        num_layers: of the ResNet encoder: 18, 34 or 50.
        width: factor on the encoder's number of channels; below 1 for a small network.
        norm: "batch", or "group" for small batches.
        num_levels: inverse depths that are told apart, at least 2.
        spacing: from one level to the next, 1/m; about one pixel divided by focal length and baseline.
        max_depth: farthest depth, the first level, metres. The last is the nearest.
        first_depth: what the untrained network says everywhere, metres; None = all levels alike.
        coordinates: show the network each pixel's place in the image; small networks need it.
        weights: ImageNet weights for the encoder in torchvision's format, or None.

    Raises:
        ConfigError: impossible levels, depths or number of layers.
        CheckpointError: the weights cannot be read or do not fit.
    """

    levels: Tensor
    rig: Tensor

    def __init__(
        self,
        num_layers: int = 18,
        width: float = 1.0,
        norm: Norm = "batch",
        num_levels: int = 33,
        spacing: float = 0.0083,
        max_depth: float = 1000.0,
        first_depth: float | None = None,
        coordinates: bool = False,
        weights: Path | None = None,
    ) -> None:
        if num_levels < 2:
            raise ConfigError(f"{num_levels} levels, in num_levels; use 2 or more")
        if spacing <= 0:
            raise ConfigError(f"spacing of {spacing} 1/m, in spacing; use one above 0")
        super().__init__(1 / (1 / max_depth + spacing * (num_levels - 1)), max_depth, first_depth)
        self.encoder = ResNetEncoder(num_layers, width, norm, coordinates=coordinates, weights=weights)
        self.sides = nn.ModuleList(
            nn.Conv2d(channels, num_levels, 3, padding=1) for channels in self.encoder.num_channels
        )
        self.head = DepthHead(num_levels, num_levels)
        levels = 1 / max_depth + spacing * torch.arange(num_levels, dtype=torch.float32)
        self.register_buffer("levels", levels, persistent=False)
        # Focal length times baseline, and how far the principal points lie apart, in image widths.
        self.register_buffer("rig", torch.zeros(2))
        if first_depth is not None:
            distance = (levels - 1 / first_depth) / (FIRST_SPREAD * spacing)
            assert self.head.bias is not None
            nn.init.normal_(self.head.weight, std=HEAD_SPREAD)
            self.head.bias.data.copy_(-distance.square() / 2)

    def probabilities(self, image: Tensor) -> Tensor:
        """(B, num_levels, H, W) for the right view's pixels; the sum over levels is one.

        Args:
            image: (B, 3, H, W) the left view, RGB in [0, 1], H and W multiples of 32.

        Raises:
            ValueError: the size is no multiple of 32.
        """
        check_size(image)
        features = self.encoder(image)
        size = features[0].shape[-2:]
        sides = [
            F.interpolate(side(feature), size, mode="bilinear", align_corners=False)
            for side, feature in zip(self.sides, features, strict=True)
        ]
        summed = F.relu(torch.stack(sides).sum(0))
        logits = self.head(F.interpolate(summed, scale_factor=2, mode="bilinear", align_corners=False))
        with full_precision(logits):
            return torch.softmax(logits, dim=1)

    def expected(self, probabilities: Tensor) -> Tensor:
        """Expectation of the inverse depth, 1/m: (B, num_levels, H, W) to (B, 1, H, W)."""
        return (probabilities * self.levels[:, None, None].to(probabilities)).sum(1, keepdim=True)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Inverse depth in 1/m of the left image's own pixels, one level; see DepthNetwork."""
        return [self.expected(self._left_probabilities(image))]

    def uncertainty(self, image: Tensor) -> list[Tensor]:
        """Standard deviation of the inverse depth under the left pixels' probabilities, 1/m."""
        probabilities = self._left_probabilities(image)
        distance = self.levels[:, None, None].to(probabilities) - self.expected(probabilities)
        return [(probabilities * distance.square()).sum(1, keepdim=True).sqrt()]

    def _left_probabilities(self, image: Tensor) -> Tensor:
        """(B, num_levels, H, W) for the left view's own pixels; the sum over levels is one."""
        probabilities = self.probabilities(image)
        with full_precision(probabilities):
            moved = self._on_the_left(probabilities)
            # Where a pixel is claimed more than once, the nearest levels have it: they hide the others.
            nearer = moved.flip(1).cumsum(1).flip(1) - moved
            moved = torch.minimum(moved, (1 - nearer).clamp(min=0))
            # Where the right view sees no level of a pixel, all are as improbable.
            moved = moved + torch.finfo(moved.dtype).tiny ** 0.5
            left: Tensor = moved / moved.sum(1, keepdim=True)
            return left

    def _on_the_left(self, probabilities: Tensor) -> Tensor:
        """What the right view says of each left pixel at each level: looked up where that level shows it."""
        batch, num_levels, _, width = probabilities.shape
        shift = width * (self.rig[0] * self.levels - self.rig[1])
        pixels = pixel_grid(probabilities)[:2].permute(1, 2, 0).expand(num_levels, -1, -1, -1).clone()
        pixels[..., 0] -= shift[:, None, None].to(pixels)
        planes = probabilities.flatten(0, 1)[:, None]
        return sample(planes, pixels.repeat(batch, 1, 1, 1)).view_as(probabilities)
