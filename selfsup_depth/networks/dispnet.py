"""DispNet, the plain U-Net of the early methods (Mayer et al., "A large dataset to train convolutional
networks for disparity, optical flow, and scene flow estimation", CVPR 2016; in this form Zhou et al.,
"Unsupervised learning of depth and ego-motion from video", CVPR 2017).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selfsup_depth.networks.base import DepthHead, DepthNetwork, check_size, start_as_glorot
from selfsup_depth.networks.encoder import image_coordinates, scaled_channels

# Channels and kernels at 1/2, 1/4 ... 1/128 of the image, at width 1.
ENCODER_CHANNELS = (32, 64, 128, 256, 512, 512, 512)
ENCODER_KERNELS = (7, 5, 3, 3, 3, 3, 3)

# Channels at 1/1, 1/2 ... 1/64.
DECODER_CHANNELS = (16, 32, 64, 128, 256, 512, 512)

NUM_LEVELS = 4


class DispNet(DepthNetwork):
    """Plain U-Net without normalisation, of 32 million parameters; four levels.

    Args:
        width: factor on the number of channels.
        min_depth: nearest depth that can be said, metres.
        max_depth: farthest depth that can be said, metres.
        first_depth: what the untrained network says everywhere, metres; None = about 2 * min_depth.
        num_outputs: 1; or 2 for the target's map and the other camera's (Monodepth).
        coordinates: show the network each pixel's place in the image; small networks need it.

    Raises:
        ConfigError: impossible depths.
    """

    def __init__(
        self,
        width: float = 1.0,
        min_depth: float = 0.1,
        max_depth: float = 100.0,
        first_depth: float | None = None,
        num_outputs: int = 1,
        coordinates: bool = False,
    ) -> None:
        super().__init__(min_depth, max_depth, first_depth, num_outputs)
        encoder = [scaled_channels(c, width) for c in ENCODER_CHANNELS]
        decoder = [scaled_channels(c, width) for c in DECODER_CHANNELS]
        self.coordinates = coordinates
        inputs = [3 + 2 * coordinates, *encoder[:-1]]
        self.down = nn.ModuleList(
            halving(*sizes) for sizes in zip(inputs, encoder, ENCODER_KERNELS, strict=True)
        )
        below = [*decoder[1:], encoder[-1]]
        self.up = nn.ModuleList(doubling(*sizes) for sizes in zip(below, decoder, strict=True))
        # Doubled, skipped from the encoder, and the coarser level's inverse depth where there is one.
        skipped = [0, *encoder[:-1]]
        coarser_outputs = [num_outputs] * (NUM_LEVELS - 1) + [0] * (len(decoder) - NUM_LEVELS + 1)
        self.merge = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c + skip + above, c, 3, padding=1), nn.ReLU(inplace=True))
            for c, skip, above in zip(decoder, skipped, coarser_outputs, strict=True)
        )
        self.heads = nn.ModuleList(DepthHead(c, num_outputs) for c in decoder[:NUM_LEVELS])
        start_as_glorot(self)
        if first_depth is not None:
            self.say_first_depth(self.heads)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Inverse depth in 1/m at 1/1, 1/2, 1/4 and 1/8 of the size; see DepthNetwork."""
        check_size(image)
        x = torch.cat([image, image_coordinates(image)], dim=1) if self.coordinates else image
        features = [x]
        for down in self.down:
            features.append(down(features[-1]))
        x = features.pop()
        activations: list[Tensor] = []
        for level in reversed(range(len(features))):
            # Beyond 1/32 a halving may have rounded a side up; the doubling is cut to fit.
            height, width = features[level].shape[-2:]
            parts = [self.up[level](x)[..., :height, :width]]
            if level > 0:
                parts.append(features[level])
            if activations:
                coarser = torch.sigmoid(activations[0])
                parts.append(F.interpolate(coarser, scale_factor=2, mode="bilinear", align_corners=False))
            x = self.merge[level](torch.cat(parts, dim=1))
            if level < NUM_LEVELS:
                activations.insert(0, self.heads[level](x))
        return self.inverse_depths(activations)


def halving(in_channels: int, out_channels: int, kernel_size: int) -> nn.Sequential:
    """Two convolutions, the first with stride 2: (B, in, h, w) to (B, out, ceil(h/2), ceil(w/2))."""
    padding = kernel_size // 2
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, stride=2, padding=padding),
        nn.ReLU(inplace=True),
        nn.Conv2d(out_channels, out_channels, kernel_size, padding=padding),
        nn.ReLU(inplace=True),
    )


def doubling(in_channels: int, out_channels: int) -> nn.Sequential:
    """Transposed convolution with stride 2: (B, in, h, w) to (B, out, 2 h, 2 w)."""
    return nn.Sequential(
        nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2, padding=1, output_padding=1),
        nn.ReLU(inplace=True),
    )
