"""Pose network with an encoder of its own (Zhou et al., "Unsupervised learning of depth and
ego-motion from video", 2017; in this form Godard et al., "Digging into self-supervised monocular
depth estimation", 2019).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from selfsup_depth.networks.encoder import Encoder, Norm, ResNetEncoder, check_encoder, scaled_channels
from selfsup_depth.networks.motion import IntrinsicsHead, MotionHead, PoseNetwork
from selfsup_depth.structures import Motion

DECODER_CHANNELS = 256


class PoseNet(PoseNetwork):
    """A ResNet that sees both images at once.

    Args:
        num_layers: of the ResNet encoder: 18, 34 or 50.
        width: factor on the number of channels; below 1 for a small network.
        norm: "batch", as published, or "group" for small batches.
        first_motion: how far the camera moves from the first exposure to the second, in metres to
            the right, down and forward, according to the untrained network. A stated assumption:
            about [0, 0, speed / frame rate] for a vehicle, zeros where nothing is known.
        output_scale: factor on what the last layer says, which makes first motions small.
        weights: ImageNet weights for the encoder in torchvision's format, or None.
        encoder: takes the ResNet's place, for two images at once; num_layers and norm are then not read.
        learned_intrinsics: predict focal lengths and principal point, too, and use them in place of
            the data's. Without turns of the camera they are undetermined.

    Raises:
        ConfigError: no such number of layers, or an encoder that does not fit.
        CheckpointError: the weights cannot be read or do not fit.
    """

    def __init__(
        self,
        num_layers: int = 18,
        width: float = 1.0,
        norm: Norm = "batch",
        first_motion: tuple[float, float, float] = (0.0, 0.0, 0.0),
        output_scale: float = 0.01,
        weights: Path | None = None,
        encoder: Encoder | None = None,
        learned_intrinsics: bool = False,
    ) -> None:
        super().__init__()
        self.learned_intrinsics = learned_intrinsics
        check_encoder(encoder, weights)
        self.encoder = encoder or ResNetEncoder(num_layers, width, norm, num_images=2, weights=weights)
        channels = scaled_channels(DECODER_CHANNELS, width)
        self.decoder = nn.Sequential(
            nn.Conv2d(self.encoder.num_channels[-1], channels, 1),
            nn.ReLU(inplace=True),
            *two_convolutions(channels, channels),
        )
        self.head = MotionHead(channels, first_motion, output_scale)
        self.intrinsics = IntrinsicsHead(channels) if learned_intrinsics else None

    def forward(self, first: Tensor, second: Tensor) -> Motion:
        """The motion between two images (B, 3, H, W), the earlier first; see PoseNetwork."""
        features = self._features(first, second)
        T = self.head(features)
        if self.intrinsics is None:
            return Motion(T)
        mirrored = self._features(first.flip(-1), second.flip(-1))
        return Motion(T, K=[self.intrinsics(features, mirrored, (first.shape[-2], first.shape[-1]))])

    def _features(self, first: Tensor, second: Tensor) -> Tensor:
        features: Tensor = self.decoder(self.encoder(torch.cat([first, second], dim=1))[-1])
        return features


def two_convolutions(in_channels: int, channels: int) -> list[nn.Module]:
    """What follows the features of both images, before the head."""
    return [
        nn.Conv2d(in_channels, channels, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.ReLU(inplace=True),
    ]
