"""Depth network: a U-Net with four heads (Ronneberger et al., "U-Net", 2015; in this form Godard et
al., "Digging into self-supervised monocular depth estimation", 2019).
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selfsup_depth.geometry.precision import at_least_float32, full_precision
from selfsup_depth.networks.base import DepthNetwork, check_size
from selfsup_depth.networks.encoder import Encoder, Norm, ResNetEncoder, check_encoder, scaled_channels

NUM_LEVELS = 4

# Channels of the decoder at 1/1, 1/2, 1/4, 1/8 and 1/16 of the image, at width 1.
DECODER_CHANNELS = (16, 32, 64, 128, 256)


class ReflectedConv3x3(nn.Conv2d):
    """3x3 convolution that continues the image by reflection; a single row or column by repetition."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3)

    def forward(self, input: Tensor) -> Tensor:
        """(B, in_channels, h, w) to (B, out_channels, h, w)."""
        mode = "reflect" if min(input.shape[-2:]) > 1 else "replicate"
        return super().forward(F.pad(input, [1] * 4, mode=mode))


class ConvBlock(nn.Module):
    """3x3 convolution over reflected borders, then ELU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = ReflectedConv3x3(in_channels, out_channels)
        self.elu = nn.ELU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, h, w) to (B, out_channels, h, w)."""
        return self.elu(self.conv(x))  # type: ignore[no-any-return]


class Merge(ConvBlock):
    """Doubles the size of a map, joins the encoder's features of that size, and convolves both."""

    def forward(self, x: Tensor, skipped: list[Tensor]) -> Tensor:  # type: ignore[override]
        """(B, c, h, w) and none or one (B, s, 2h, 2w) to (B, out_channels, 2h, 2w)."""
        doubled = F.interpolate(x, scale_factor=2, mode="nearest")
        return super().forward(torch.cat([doubled, *skipped], dim=1) if skipped else doubled)


class DepthDecoder(nn.Module):
    """From five feature maps to four maps of activations, doubling the size at each step.

    Args:
        encoder_channels: channels of the features at 1/2, 1/4, 1/8, 1/16 and 1/32.
        width: factor on the number of channels.
        num_outputs: channels of each map.
    """

    def __init__(self, encoder_channels: list[int], width: float, num_outputs: int) -> None:
        super().__init__()
        channels = [scaled_channels(c, width) for c in DECODER_CHANNELS]
        below = [*channels[1:], encoder_channels[-1]]
        skipped = [0, *encoder_channels[:-1]]
        self.reduce = nn.ModuleList(ConvBlock(b, c) for b, c in zip(below, channels, strict=True))
        self.merge = nn.ModuleList(Merge(c + s, c) for c, s in zip(channels, skipped, strict=True))
        self.heads = nn.ModuleList(ReflectedConv3x3(c, num_outputs) for c in channels[:NUM_LEVELS])

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Activations (B, num_outputs, h, w) before the sigmoid, finest first, at least float32."""
        x = features[-1]
        outputs: list[Tensor] = []
        for level in reversed(range(len(self.merge))):
            skipped = features[level - 1 : level] if level > 0 else []
            x = self.merge[level](self.reduce[level](x), skipped)
            if level < len(self.heads):
                # bfloat16 activations would say depth in steps of over one per cent.
                with full_precision(x):
                    outputs.insert(0, self.heads[level](at_least_float32(x)))
        return outputs


class DepthNet(DepthNetwork):
    """U-Net with a ResNet encoder; four levels.

    Args:
        num_layers: of the ResNet encoder: 18, 34 or 50.
        width: factor on the number of channels; below 1 for a small network.
        decoder_width: the same for the decoder alone; None = `width`. A narrow encoder still needs
            a decoder that can draw: at width 0.25 its finest level would have four channels.
        norm: "batch", as published, or "group" for small batches.
        min_depth: nearest depth that can be said, metres.
        max_depth: farthest depth that can be said, metres.
        first_depth: what the untrained network says everywhere, metres; near the data's median,
            learning begins at the first step. None starts as published, at about 2 * min_depth.
        num_outputs: 1; or 2 for the target's map and the other camera's (Monodepth).
        coordinates: show the network each pixel's place in the image; small networks need it.
        weights: ImageNet weights for the encoder in torchvision's format, or None.
        encoder: takes the ResNet's place; num_layers, norm and coordinates are then not read.

    Raises:
        ConfigError: impossible depths or number of layers, or an encoder that does not fit.
        CheckpointError: the weights cannot be read or do not fit.
    """

    def __init__(
        self,
        num_layers: int = 18,
        width: float = 1.0,
        decoder_width: float | None = None,
        norm: Norm = "batch",
        min_depth: float = 0.1,
        max_depth: float = 100.0,
        first_depth: float | None = None,
        num_outputs: int = 1,
        coordinates: bool = False,
        weights: Path | None = None,
        encoder: Encoder | None = None,
    ) -> None:
        super().__init__(min_depth, max_depth, first_depth, num_outputs)
        check_encoder(encoder, weights)
        self.encoder = encoder or ResNetEncoder(
            num_layers, width, norm, coordinates=coordinates, weights=weights
        )
        self.decoder = DepthDecoder(self.encoder.num_channels, decoder_width or width, num_outputs)
        if first_depth is not None:
            self.say_first_depth(self.decoder.heads)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Inverse depth in 1/m at 1/1, 1/2, 1/4 and 1/8 of the size; see DepthNetwork."""
        check_size(image)
        return self.inverse_depths(self.decoder(self.encoder(image)))

    def keep_finest(self) -> None:
        """Drop the heads of the coarser levels; see DepthNetwork."""
        self.decoder.heads = self.decoder.heads[:1]
