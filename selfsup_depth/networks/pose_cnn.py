"""Plain pose network with explainability masks (Zhou et al., "Unsupervised learning of depth and
ego-motion from video", 2017).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from selfsup_depth.geometry.precision import at_least_float32, full_precision
from selfsup_depth.networks.encoder import normalisation, scaled_channels
from selfsup_depth.networks.motion import IntrinsicsHead, MotionHead, PoseNetwork
from selfsup_depth.structures import Motion

# Of the convolutions that the motion and the masks share, each halving the image.
CHANNELS = (16, 32, 64, 128, 256)
KERNELS = (7, 5, 3, 3, 3)

# Of the two that lead on to the motion.
MOTION_CHANNELS = 256

# Kernels of the masks' heads at 1/1, 1/2, 1/4 and 1/8 of the image.
MASK_KERNELS = (7, 5, 3, 3)

PlainNorm = Literal["none", "batch", "group"]


class MaskDecoder(nn.Module):
    """Explainability at four levels from the last shared features, doubling the size at each step.

    Args:
        channels: of the maps at 1/1, 1/2, 1/4, 1/8 and 1/16 of the image.
        norm: see PoseCNN.
    """

    def __init__(self, channels: list[int], norm: PlainNorm) -> None:
        super().__init__()
        inputs = [*channels[1:], channels[-1]]
        self.enlarge = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(i, c, 4, 2, padding=1), *norm_and_relu(c, norm))
            for i, c in zip(inputs, channels, strict=True)
        )
        self.heads = nn.ModuleList(
            nn.Conv2d(c, 2, kernel, padding=kernel // 2)
            for c, kernel in zip(channels, MASK_KERNELS, strict=False)
        )

    def forward(self, features: Tensor) -> list[Tensor]:
        """Logits (B, 2, h, w), finest first, at least float32."""
        x = features
        logits: list[Tensor] = []
        for level in reversed(range(len(self.enlarge))):
            x = self.enlarge[level](x)
            if level < len(self.heads):
                with full_precision(x):
                    logits.insert(0, self.heads[level](at_least_float32(x)))
        return logits


class PoseCNN(PoseNetwork):
    """Seven convolutions that see both images at once, and masks that say what they explain.

    As published but for the pairs: there the network sees the target and all its sources; here it
    sees two exposures in the order of time, and has a mask for each of the two.

    Args:
        width: factor on the number of channels; below 1 for a small network.
        norm: "none", as published; "batch", or "group" for small batches.
        first_motion: how far the camera moves from the first exposure to the second, in metres to
            the right, down and forward, according to the untrained network; see PoseNet.
        output_scale: factor on what the last layer says, which makes first motions small.
        explainability: predict masks of what depth and motion explain; the photometric error
            is weighted with them, and the term Explainability keeps them from vanishing.
        learned_intrinsics: predict focal lengths and principal point, too, and use them in place of
            the data's. Without turns of the camera they are undetermined.
    """

    def __init__(
        self,
        width: float = 1.0,
        norm: PlainNorm = "none",
        first_motion: tuple[float, float, float] = (0.0, 0.0, 0.0),
        output_scale: float = 0.01,
        explainability: bool = False,
        learned_intrinsics: bool = False,
    ) -> None:
        super().__init__()
        self.explainability = explainability
        self.learned_intrinsics = learned_intrinsics
        channels = [scaled_channels(c, width) for c in CHANNELS]
        last = scaled_channels(MOTION_CHANNELS, width)
        self.encoder = nn.Sequential(*halvings([6, *channels], KERNELS, norm))
        self.decoder = nn.Sequential(*halvings([channels[-1], last, last], (3, 3), norm))
        self.head = MotionHead(last, first_motion, output_scale)
        self.masks = MaskDecoder(channels, norm) if explainability else None
        self.intrinsics = IntrinsicsHead(last) if learned_intrinsics else None

    def forward(self, first: Tensor, second: Tensor) -> Motion:
        """The motion between two images (B, 3, H, W), the earlier first; see PoseNetwork."""
        shared = self._shared(first, second)
        features = self.decoder(shared)
        masks = self.masks(shared) if self.masks is not None else []
        K = []
        if self.intrinsics is not None:
            mirrored = self.decoder(self._shared(first.flip(-1), second.flip(-1)))
            K = [self.intrinsics(features, mirrored, (first.shape[-2], first.shape[-1]))]
        return Motion(self.head(features), masks, K)

    def _shared(self, first: Tensor, second: Tensor) -> Tensor:
        # Images in [-1, 1], as published.
        features: Tensor = self.encoder(2 * torch.cat([first, second], dim=1) - 1)
        return features


def halvings(channels: list[int], kernels: tuple[int, ...], norm: PlainNorm) -> list[nn.Module]:
    """Convolutions from each number of channels to the next, each halving the size."""
    return [
        nn.Sequential(nn.Conv2d(i, c, kernel, 2, padding=kernel // 2), *norm_and_relu(c, norm))
        for i, c, kernel in zip(channels, channels[1:], kernels, strict=False)
    ]


def norm_and_relu(channels: int, norm: PlainNorm) -> list[nn.Module]:
    """What follows a convolution."""
    return [*([] if norm == "none" else [normalisation(channels, norm)]), nn.ReLU(inplace=True)]
