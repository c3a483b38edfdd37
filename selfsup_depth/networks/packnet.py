"""PackNet: detail is folded into channels and compressed, never thrown away (Guizilini et al., "3D
packing for self-supervised monocular depth estimation", CVPR 2020).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selfsup_depth.errors import ConfigError
from selfsup_depth.networks.base import DepthHead, DepthNetwork, check_size, start_as_glorot
from selfsup_depth.networks.encoder import image_coordinates, scaled_channels

# Channels before each of the five packings, at 1/1 ... 1/16 of the image, at width 1.
CHANNELS = (64, 64, 128, 256, 512)

# Side of the convolution that compresses each packing.
PACKING_KERNELS = (5, 3, 3, 3, 3)

# Residual convolutions before the packings at 1/2 ... 1/16.
RESIDUALS = (2, 2, 3, 3)

NUM_LEVELS = 4


class NormalisedConv(nn.Sequential):
    """Convolution, group normalisation, ELU: (B, in_channels, h, w) to (B, out_channels, h, w)."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2),
            group_norm(out_channels),
            nn.ELU(inplace=True),
        )


class ResidualConv(nn.Module):
    """Two 3x3 convolutions beside a 1x1: (B, in_channels, h, w) to (B, out_channels, h, w)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            NormalisedConv(in_channels, out_channels, 3), NormalisedConv(out_channels, out_channels, 3)
        )
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1)
        self.norm = group_norm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, h, w) to (B, out_channels, h, w)."""
        return F.elu(self.norm(self.residual(x) + self.shortcut(x)))


class Packing(nn.Module):
    """Half the size, as many channels: every 2x2 pixels become channels, which are compressed.

    Args:
        channels: in and out.
        kernel_size: side of the compressing convolution.
        num_features: that the 3-D convolution over channels, rows and columns finds.
    """

    def __init__(self, channels: int, kernel_size: int, num_features: int) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(1, num_features, 3, padding=1)
        self.compress = NormalisedConv(4 * channels * num_features, channels, kernel_size)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, h, w) to (B, channels, h / 2, w / 2)."""
        folded = F.pixel_unshuffle(x, 2)
        return self.compress(self.conv3d(folded[:, None]).flatten(1, 2))  # type: ignore[no-any-return]


class Unpacking(nn.Module):
    """Twice the size: the inverse of Packing, channels become 2x2 pixels.

    Args:
        in_channels: at half the size.
        out_channels: at the size.
        num_features: that the 3-D convolution finds.
    """

    def __init__(self, in_channels: int, out_channels: int, num_features: int) -> None:
        super().__init__()
        self.expand = NormalisedConv(in_channels, 4 * out_channels // num_features, 3)
        self.conv3d = nn.Conv3d(1, num_features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, h, w) to (B, out_channels, 2 h, 2 w)."""
        return F.pixel_shuffle(self.conv3d(self.expand(x)[:, None]).flatten(1, 2), 2)


class PackNet(DepthNetwork):
    """3-D packing and unpacking in place of strides and interpolation; four levels.

    The published network is number "1A", which concatenates what is skipped; group normalisation
    makes it indifferent to the size of a batch. It has 128 million parameters: narrow it on a CPU.

    Args:
        width: factor on the number of channels.
        num_3d_features: that each 3-D convolution finds: 1, 2, 4 or 8; cost and memory go with it.
        min_depth: nearest depth that can be said, metres.
        max_depth: farthest depth that can be said, metres.
        first_depth: what the untrained network says everywhere, metres; None = about 2 * min_depth.
        num_outputs: 1; or 2 for the target's map and the other camera's (Monodepth).
        coordinates: show the network each pixel's place in the image; small networks need it.

    Raises:
        ConfigError: impossible depths or number of features.
    """

    def __init__(
        self,
        width: float = 1.0,
        num_3d_features: int = 8,
        min_depth: float = 0.5,
        max_depth: float = 1000.0,
        first_depth: float | None = None,
        num_outputs: int = 1,
        coordinates: bool = False,
    ) -> None:
        super().__init__(min_depth, max_depth, first_depth, num_outputs)
        if num_3d_features not in (1, 2, 4, 8):
            raise ConfigError(f"{num_3d_features} features, in num_3d_features; use 1, 2, 4 or 8")
        channels = [scaled_channels(c, width) for c in CHANNELS]
        self.coordinates = coordinates
        self.stem = NormalisedConv(3 + 2 * coordinates, channels[0], 5)
        self.encode = nn.ModuleList([NormalisedConv(channels[0], channels[0], 7)])
        for finer, coarser, count in zip(channels, channels[1:], RESIDUALS, strict=False):
            self.encode.append(residuals(finer, coarser, count))
        self.pack = nn.ModuleList(
            Packing(c, kernel, num_3d_features) for c, kernel in zip(channels, PACKING_KERNELS, strict=True)
        )
        self.unpack = nn.ModuleList(
            Unpacking(below, c, num_3d_features)
            for below, c in zip([*channels[1:], channels[-1]], channels, strict=True)
        )
        # Unpacked, skipped from the encoder, and the coarser level's inverse depth where there is one.
        skipped = [channels[0], *channels[:-1]]
        coarser_outputs = [num_outputs] * (NUM_LEVELS - 1) + [0] * (len(channels) - NUM_LEVELS + 1)
        self.merge = nn.ModuleList(
            NormalisedConv(c + skip + above, c, 3)
            for c, skip, above in zip(channels, skipped, coarser_outputs, strict=True)
        )
        self.heads = nn.ModuleList(DepthHead(c, num_outputs) for c in channels[:NUM_LEVELS])
        start_as_glorot(self)
        if first_depth is not None:
            self.say_first_depth(self.heads)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Inverse depth in 1/m at 1/1, 1/2, 1/4 and 1/8 of the size; see DepthNetwork."""
        check_size(image)
        x = torch.cat([image, image_coordinates(image)], dim=1) if self.coordinates else image
        skips = [self.stem(x)]
        for encode, pack in zip(self.encode, self.pack, strict=True):
            skips.append(pack(encode(skips[-1])))
        x = skips.pop()
        activations: list[Tensor] = []
        for level in reversed(range(len(skips))):
            parts = [self.unpack[level](x), skips[level]]
            if activations:
                parts.append(F.interpolate(torch.sigmoid(activations[0]), scale_factor=2, mode="nearest"))
            x = self.merge[level](torch.cat(parts, dim=1))
            if level < NUM_LEVELS:
                activations.insert(0, self.heads[level](x))
        return self.inverse_depths(activations)


def residuals(in_channels: int, out_channels: int, count: int) -> nn.Sequential:
    """Several residual convolutions, the first of which changes the number of channels."""
    inputs = [in_channels] + [out_channels] * (count - 1)
    return nn.Sequential(*(ResidualConv(channels, out_channels) for channels in inputs))


def group_norm(channels: int) -> nn.GroupNorm:
    """16 groups as published, fewer where they would hold a single channel."""
    return nn.GroupNorm(math.gcd(16, channels // 2), channels)
