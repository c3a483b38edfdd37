"""Pose network: camera motion between two images (Zhou et al., "Unsupervised learning of depth and
ego-motion from video", 2017; with its own ResNet encoder: Godard et al., 2019).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from selfsup_depth.geometry.pose import T_from_axis_angle
from selfsup_depth.geometry.precision import at_least_float32, full_precision
from selfsup_depth.networks.encoder import Encoder, Norm, ResNetEncoder, check_encoder, scaled_channels

DECODER_CHANNELS = 256

# Spread of the last layer's first weights where a first motion is asked for.
HEAD_SPREAD = 1e-3


class PoseNet(nn.Module):
    """Motion of the camera from a first to a second exposure.

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

    Raises:
        ConfigError: no such number of layers, or an encoder that does not fit.
        CheckpointError: the weights cannot be read or do not fit.
    """

    first_translation: Tensor

    def __init__(
        self,
        num_layers: int = 18,
        width: float = 1.0,
        norm: Norm = "batch",
        first_motion: tuple[float, float, float] = (0.0, 0.0, 0.0),
        output_scale: float = 0.01,
        weights: Path | None = None,
        encoder: Encoder | None = None,
    ) -> None:
        super().__init__()
        self.first_motion = first_motion
        self.output_scale = output_scale
        check_encoder(encoder, weights)
        self.encoder = encoder or ResNetEncoder(num_layers, width, norm, num_images=2, weights=weights)
        channels = scaled_channels(DECODER_CHANNELS, width)
        self.decoder = nn.Sequential(
            nn.Conv2d(self.encoder.num_channels[-1], channels, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(inplace=True),
        )
        self.head = nn.Conv2d(channels, 6, 1)
        # Added in float32 rather than as the last layer's bias: half precision would round a metre
        # divided by output_scale to centimetres. Points move against the camera, hence the sign.
        self.register_buffer("first_translation", -torch.tensor(first_motion))
        if any(first_motion):
            # The features must not speak louder than what is asked for.
            nn.init.normal_(self.head.weight, std=HEAD_SPREAD)
            assert self.head.bias is not None
            nn.init.zeros_(self.head.bias)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """T_first_to_second (B, 4, 4), metres.

        Args:
            first: (B, 3, H, W) RGB in [0, 1], the earlier exposure.
            second: (B, 3, H, W), the later one.
        """
        features = self.encoder(torch.cat([first, second], dim=1))[-1]
        features = self.decoder(features)
        with full_precision(first):
            motion = self.output_scale * self.head(at_least_float32(features)).mean(dim=(2, 3))
            return T_from_axis_angle(motion[:, :3], motion[:, 3:] + self.first_translation)
