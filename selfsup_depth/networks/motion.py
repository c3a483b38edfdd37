"""What a pose network is, and the heads that say motion and intrinsics from its features."""

from __future__ import annotations

import abc
import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selfsup_depth.geometry.camera import FIRST_FOCAL
from selfsup_depth.geometry.pose import T_from_axis_angle
from selfsup_depth.geometry.precision import at_least_float32, full_precision
from selfsup_depth.networks.base import DepthNetwork
from selfsup_depth.structures import Motion

# Spread of the last layer's first weights where it has to start from a stated value.
HEAD_SPREAD = 1e-3


class PoseNetwork(nn.Module, abc.ABC):
    """Motion of the camera from a first to a second exposure.

    A subclass in a file of the user's works like those that come with the package.

    Attributes:
        explainability: whether it says which pixels depth and motion explain.
        learned_intrinsics: whether it says the camera's intrinsics.
    """

    # The kind that a configuration means where it names none.
    usual_class: ClassVar[str] = "PoseNet"

    explainability: bool = False
    learned_intrinsics: bool = False

    def share(self, depth_net: DepthNetwork) -> None:
        """Told once, before training, which depth network it works beside."""

    def look(self, image: Tensor) -> Tensor:
        """What is kept of one image, so that each is looked at once however many pairs it is in.

        Args:
            image: (B, 3, H, W) RGB in [0, 1], H and W multiples of 32.
        """
        return image

    @abc.abstractmethod
    def forward(self, first: Tensor, second: Tensor) -> Motion:
        """The motion between two exposures.

        Args:
            first: what `look` returned of the earlier exposure.
            second: of the later one.
        """


class MotionHead(nn.Conv2d):
    """A motion from features: six numbers for each place, averaged.

    Args:
        channels: of the features.
        first_motion: how far the camera moves from the first exposure to the second, in metres to
            the right, down and forward, according to the untrained network.
        output_scale: factor on what the layer says, which makes first motions small.
    """

    first_translation: Tensor

    def __init__(
        self, channels: int, first_motion: tuple[float, float, float], output_scale: float = 0.01
    ) -> None:
        super().__init__(channels, 6, 1)
        self.output_scale = output_scale
        # Added in float32 rather than as the layer's bias: half precision would round a metre
        # divided by output_scale to centimetres. Points move against the camera, hence the sign.
        self.register_buffer("first_translation", -torch.tensor(first_motion))
        if any(first_motion):
            # The features must not speak louder than what is asked for.
            start_from_nothing(self)

    def forward(self, input: Tensor) -> Tensor:
        """T_first_to_second (B, 4, 4), metres, from features (B, channels, h, w)."""
        with full_precision(input):
            motion = self.output_scale * super().forward(at_least_float32(input)).mean(dim=(2, 3))
            return T_from_axis_angle(motion[:, :3], motion[:, 3:] + self.first_translation)


class IntrinsicsHead(nn.Module):
    """The camera's intrinsics from what its pictures look like.

    Source: Gordon et al., "Depth from videos in the wild: unsupervised monocular depth learning
    from unknown cameras", ICCV 2019.

    The mirrored images are looked at, too, and both answers are joined such that mirroring the
    images mirrors the principal point (cx goes to W - 1 - cx) and leaves the rest: exactly, and
    with any weights.

    Args:
        channels: of the features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.say = nn.Conv2d(channels, 4, 1)
        start_from_nothing(self.say)

    def forward(self, features: Tensor, mirrored: Tensor, size: tuple[int, int]) -> Tensor:
        """K (B, 3, 3) in pixels.

        Args:
            features: (B, channels, h, w) of the images.
            mirrored: of the images mirrored left to right.
            size: height and width of the images.
        """
        height, width = size
        with full_precision(features):
            said, of_mirror = (self.say(at_least_float32(x)).mean(dim=(2, 3)) for x in (features, mirrored))
            same, turned = (said + of_mirror) / 2, (said - of_mirror) / 2
            # Softplus keeps it positive; square pixels and the image's middle are where it starts.
            fx, fy = (width * F.softplus(same[:, :2] + math.log(math.expm1(FIRST_FOCAL)))).unbind(dim=1)
            # An odd function, so that the mirrored point is the mirror's; it stays in the image.
            cx = (width - 1) / 2 + width / 2 * torch.tanh(turned[:, 2])
            cy = (height - 1) / 2 + height / 2 * torch.tanh(same[:, 3])
            zero, one = torch.zeros_like(fx), torch.ones_like(fx)
            return torch.stack([fx, zero, cx, zero, fy, cy, zero, zero, one], dim=1).reshape(-1, 3, 3)


def start_from_nothing(layer: nn.Conv2d) -> None:
    """Make a layer say next to nothing at first."""
    nn.init.normal_(layer.weight, std=HEAD_SPREAD)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
