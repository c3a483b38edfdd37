"""Image encoders: what one is, and the ResNet (He et al., "Deep residual learning for image
recognition", 2016). Its tensors have torchvision's names and shapes: ImageNet weights fit.
"""

from __future__ import annotations

import abc
import math
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from selfsup_depth.errors import ConfigError
from selfsup_depth.networks.pretrained import load_imagenet_weights

Norm = Literal["batch", "group"]

BLOCKS_PER_STAGE = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}

# ImageNet's mean and spread, one number for all three colours as in Monodepth2.
COLOUR_MEAN = 0.45
COLOUR_SPREAD = 0.225


class Encoder(nn.Module, abc.ABC):
    """Five feature maps of an image at 1/2, 1/4, 1/8, 1/16 and 1/32 of its size.

    A subclass in a file of the user's takes a ResNet's place by its class path; it sets `num_channels`.
    """

    num_channels: list[int]  # of the five maps, finest first

    @abc.abstractmethod
    def forward(self, images: Tensor) -> list[Tensor]:
        """Feature maps, finest first.

        Args:
            images: (B, 3, H, W) RGB in [0, 1], multiples of 32; a pose network stacks two, (B, 6, H, W).
        """


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around which the input is carried; ResNet-18 and -34."""

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.bn1 = normalisation(channels, norm)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = normalisation(channels, norm)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut(in_channels, channels, stride, norm)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, h, w) to (B, channels, h / stride, w / stride)."""
        residual = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(residual + self.downsample(x))  # type: ignore[no-any-return]


class Bottleneck(nn.Module):
    """A 3x3 convolution between two 1x1, around which the input is carried; ResNet-50."""

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int, norm: Norm) -> None:
        super().__init__()
        wide = channels * self.expansion
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = normalisation(channels, norm)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)
        self.bn2 = normalisation(channels, norm)
        self.conv3 = nn.Conv2d(channels, wide, 1, bias=False)
        self.bn3 = normalisation(wide, norm)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut(in_channels, wide, stride, norm)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, h, w) to (B, 4 * channels, h / stride, w / stride)."""
        residual = self.relu(self.bn1(self.conv1(x)))
        residual = self.relu(self.bn2(self.conv2(residual)))
        residual = self.bn3(self.conv3(residual))
        return self.relu(residual + self.downsample(x))  # type: ignore[no-any-return]


class ResNetEncoder(Encoder):
    """Feature maps of one image, or of several stacked.

    Args:
        num_layers: 18, 34 or 50.
        width: factor on the number of channels; below 1 for a small network.
        norm: "batch", as published; "group" for small batches, where batch statistics are noise.
        num_images: how many images are stacked in the input.
        coordinates: append each pixel's place in the image as two channels in [-1, 1].
        weights: ImageNet weights in torchvision's format, or None to start from random ones.

    Raises:
        ConfigError: no such number of layers.
        CheckpointError: the weights cannot be read or do not fit.
    """

    def __init__(
        self,
        num_layers: int = 18,
        width: float = 1.0,
        norm: Norm = "batch",
        num_images: int = 1,
        coordinates: bool = False,
        weights: Path | None = None,
    ) -> None:
        super().__init__()
        if num_layers not in BLOCKS_PER_STAGE:
            raise ConfigError(f"no ResNet with {num_layers} layers, in num_layers; use 18, 34 or 50")
        block = BasicBlock if num_layers < 50 else Bottleneck
        channels = [scaled_channels(64 * 2**stage, width) for stage in range(4)]
        self.coordinates = coordinates
        self.num_channels = [channels[0], *(c * block.expansion for c in channels)]

        in_channels = 3 * num_images + 2 * coordinates
        self.conv1 = nn.Conv2d(in_channels, channels[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = normalisation(channels[0], norm)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        stages = [
            self._stage(block, stage, num_blocks, channels[stage], norm)
            for stage, num_blocks in enumerate(BLOCKS_PER_STAGE[num_layers])
        ]
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self._start_at_random()
        if weights is not None:
            load_imagenet_weights(self, weights, num_images)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Feature maps, finest first; see Encoder.

        Args:
            images: (B, 3 * num_images, H, W) RGB in [0, 1], H and W multiples of 32.
        """
        x = (images - COLOUR_MEAN) / COLOUR_SPREAD
        if self.coordinates:
            x = torch.cat([x, image_coordinates(x)], dim=1)
        features = [self.relu(self.bn1(self.conv1(x)))]
        x = self.maxpool(features[0])
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            features.append(x)
        return features

    def _stage(
        self, block: type[BasicBlock | Bottleneck], stage: int, num_blocks: int, channels: int, norm: Norm
    ) -> nn.Sequential:
        inputs = [self.num_channels[stage]] + [channels * block.expansion] * (num_blocks - 1)
        strides = [1 if stage == 0 else 2] + [1] * (num_blocks - 1)
        return nn.Sequential(*(block(i, channels, s, norm) for i, s in zip(inputs, strides, strict=True)))

    def _start_at_random(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def check_encoder(encoder: Encoder | None, weights: Path | None) -> None:
    """Refuse an encoder that does not say its channels, and weights that nothing would read."""
    if encoder is not None and len(getattr(encoder, "num_channels", [])) != 5:
        raise ConfigError("the encoder has no five num_channels, in encoder; set them in its constructor")
    if encoder is not None and weights is not None:
        raise ConfigError("weights beside an encoder are not read, in weights; give them to the encoder")


def scaled_channels(channels: int, width: float) -> int:
    """A number of channels times the width factor, rounded to a multiple of 4, at least 4.

    Raises:
        ConfigError: the factor is not above 0, or beyond what any memory holds.
    """
    if not 0 < width <= 16:
        raise ConfigError(f"width of {width}, in a network; give a factor above 0, at most 16")
    return max(4, 4 * round(channels * width / 4))


def normalisation(channels: int, norm: Norm) -> nn.Module:
    """Batch normalisation, or group normalisation with 4 channels a group and 16 groups at most."""
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return nn.GroupNorm(math.gcd(16, channels) if channels >= 64 else channels // 4, channels)


def shortcut(in_channels: int, channels: int, stride: int, norm: Norm) -> nn.Module:
    """What carries a block's input around it; a projection where the shape changes."""
    if stride == 1 and in_channels == channels:
        return nn.Identity()
    projection = nn.Conv2d(in_channels, channels, 1, stride, bias=False)
    return nn.Sequential(projection, normalisation(channels, norm))


def image_coordinates(images: Tensor) -> Tensor:
    """Column and row of each pixel of (B, C, H, W), from -1 to 1 over the image: (B, 2, H, W)."""
    batch, _, height, width = images.shape
    rows = torch.linspace(-1, 1, height, dtype=images.dtype, device=images.device)
    columns = torch.linspace(-1, 1, width, dtype=images.dtype, device=images.device)
    v, u = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([u, v]).expand(batch, 2, height, width)
