"""Pose network on the depth network's encoder (the shared variant of Godard et al., "Digging into
self-supervised monocular depth estimation", 2019).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from selfsup_depth.errors import ConfigError
from selfsup_depth.networks.base import SIZE_MULTIPLE, DepthNetwork
from selfsup_depth.networks.encoder import Encoder, scaled_channels
from selfsup_depth.networks.motion import IntrinsicsHead, MotionHead, PoseNetwork
from selfsup_depth.networks.pose import DECODER_CHANNELS, two_convolutions
from selfsup_depth.structures import Motion


class SharedPoseNet(PoseNetwork):
    """The depth network's encoder looks at each image; a small decoder compares what it saw.

    Fewer weights than an encoder of its own, and both tasks teach the one encoder.

    Args:
        width: factor on the decoder's number of channels; below 1 for a small network.
        first_motion: how far the camera moves from the first exposure to the second, in metres to
            the right, down and forward, according to the untrained network; see PoseNet.
        output_scale: factor on what the last layer says, which makes first motions small.
        learned_intrinsics: predict focal lengths and principal point, too, and use them in place of
            the data's. Without turns of the camera they are undetermined.
    """

    def __init__(
        self,
        width: float = 1.0,
        first_motion: tuple[float, float, float] = (0.0, 0.0, 0.0),
        output_scale: float = 0.01,
        learned_intrinsics: bool = False,
    ) -> None:
        super().__init__()
        self.learned_intrinsics = learned_intrinsics
        # In a tuple, because its weights are the depth network's: they are saved and trained once.
        self._encoder: tuple[Encoder, ...] = ()
        self._channels = scaled_channels(DECODER_CHANNELS, width)
        self.decoder = nn.Sequential(*two_convolutions(2 * self._channels, self._channels))
        self.head = MotionHead(self._channels, first_motion, output_scale)
        self.intrinsics = IntrinsicsHead(self._channels) if learned_intrinsics else None

    def share(self, depth_net: DepthNetwork) -> None:
        """Take the depth network's encoder.

        Raises:
            ConfigError: it has none.
        """
        encoder = getattr(depth_net, "encoder", None)
        if not isinstance(encoder, Encoder):
            raise ConfigError(
                f"SharedPoseNet finds no encoder in {type(depth_net).__name__}, in model.pose_net; "
                "use model.depth_net.class_path: DepthNet or model.pose_net.class_path: PoseNet"
            )
        self._encoder = (encoder,)
        self.squeeze = nn.Conv2d(encoder.num_channels[-1], self._channels, 1)

    def look(self, image: Tensor) -> Tensor:
        """Features (B, C, H / 32, W / 32); with learned intrinsics those of the mirrored image below."""
        images = [image, image.flip(-1)] if self.learned_intrinsics else [image]
        (encoder,) = self._encoder
        return torch.cat([self.squeeze(encoder(image)[-1]).relu() for image in images], dim=1)

    def forward(self, first: Tensor, second: Tensor) -> Motion:
        """The motion between two exposures, the earlier first; see PoseNetwork."""
        num_looks = 1 + self.learned_intrinsics
        by_side = zip(first.chunk(num_looks, dim=1), second.chunk(num_looks, dim=1), strict=True)
        features = [self.decoder(torch.cat(pair, dim=1)) for pair in by_side]
        T = self.head(features[0])
        if self.intrinsics is None:
            return Motion(T)
        size = (SIZE_MULTIPLE * first.shape[-2], SIZE_MULTIPLE * first.shape[-1])
        return Motion(T, K=[self.intrinsics(*features, size)])
