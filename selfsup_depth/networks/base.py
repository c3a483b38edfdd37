"""What a depth network is: all that training, prediction and checkpoints rely on."""

from __future__ import annotations

import abc
import math
from collections.abc import Iterable, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from selfsup_depth.errors import ConfigError
from selfsup_depth.geometry.inverse_depth import inverse_depth_from_sigmoid, sigmoid_from_inverse_depth
from selfsup_depth.geometry.precision import at_least_float32, full_precision

# Sizes that can be halved five times without remainder: what every depth network takes.
SIZE_MULTIPLE = 32

# Spread of a head's first weights where a first depth is asked for: small beside its bias.
HEAD_SPREAD = 1e-3


class DepthNetwork(nn.Module, abc.ABC):
    """Inverse depth of one image.

    A subclass in a file of the user's works like those that come with the package. It says what
    it predicts by `forward`, most easily with a head whose activations `inverse_depths` maps to
    the range of depths; `say_first_depth` starts such heads.

    Args:
        min_depth: nearest depth that can be said, metres.
        max_depth: farthest depth that can be said, metres.
        first_depth: what the untrained network says everywhere, metres. None = the middle of the
            range of inverse depths, about 2 * min_depth. The attribute is always a number.
        num_outputs: maps at each level: 1; or 2 for the target's and the other camera's (Monodepth).

    Raises:
        ConfigError: impossible depths.
    """

    # The kind that a configuration means where it names none.
    usual_class: ClassVar[str] = "DepthNet"

    def __init__(
        self,
        min_depth: float = 0.1,
        max_depth: float = 100.0,
        first_depth: float | None = None,
        num_outputs: int = 1,
    ) -> None:
        super().__init__()
        check_depths(min_depth, max_depth, first_depth)
        self.min_depth = min_depth
        self.max_depth = max_depth
        self.num_outputs = num_outputs
        # A sigmoid of zero says the middle of the range of inverse depths.
        self.first_depth = first_depth if first_depth is not None else 2 / (1 / min_depth + 1 / max_depth)

    @abc.abstractmethod
    def forward(self, image: Tensor) -> list[Tensor]:
        """Inverse depth in 1/m of the image's own pixels, finest level first.

        Args:
            image: (B, 3, H, W) RGB in [0, 1], H and W multiples of 32.

        Returns:
            At least one level (B, num_outputs, h, w), at least float32; the first has the image's
            size, the others are smaller in the same proportions.

        Raises:
            ValueError: the size is no multiple of 32.
        """

    def keep_finest(self) -> None:
        """Drop what only the coarser levels need, for good; where there is nothing of that kind, nothing.

        For inference, which reads the finest level alone; `forward` may then return fewer levels.
        """

    def uncertainty(self, image: Tensor) -> Sequence[Tensor]:
        """How unsure the network says it is, for an evaluation: larger is less sure, of any unit.

        Args:
            image: as for `forward`.

        Returns:
            One (B, 1, H, W), or nothing from a network that does not say.
        """
        return ()

    def inverse_depths(self, activations: list[Tensor]) -> list[Tensor]:
        """Inverse depths in 1/m from a head's activations before the sigmoid."""
        with full_precision(activations[0]):
            return [
                inverse_depth_from_sigmoid(torch.sigmoid(activation), self.min_depth, self.max_depth)
                for activation in activations
            ]

    def say_first_depth(self, heads: Iterable[nn.Module]) -> None:
        """Make heads, the last convolutions before the sigmoid, say the first depth everywhere."""
        share = sigmoid_from_inverse_depth(1 / self.first_depth, self.min_depth, self.max_depth)
        for head in heads:
            assert isinstance(head, nn.Conv2d)
            assert head.bias is not None
            nn.init.normal_(head.weight, std=HEAD_SPREAD)
            nn.init.constant_(head.bias, math.log(share / (1 - share)))


class DepthHead(nn.Conv2d):
    """Last 3x3 convolution before the sigmoid, in full precision under autocast too.

    bfloat16 activations would say depth in steps of over one per cent.
    """

    def __init__(self, in_channels: int, num_outputs: int) -> None:
        super().__init__(in_channels, num_outputs, 3, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        """(B, in_channels, h, w) to (B, num_outputs, h, w), at least float32."""
        with full_precision(input):
            return super().forward(at_least_float32(input))


def start_as_glorot(network: nn.Module) -> None:
    """Xavier's uniform weights and zero biases for every convolution (Glorot, Bengio 2010)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(module.weight)
            assert module.bias is not None
            nn.init.zeros_(module.bias)


def check_depths(min_depth: float, max_depth: float, first_depth: float | None) -> None:
    """Refuse a range of depths that is none, or a first depth outside it."""
    if not 0 < min_depth < max_depth:
        raise ConfigError(f"no depths from {min_depth} to {max_depth} m, in min_depth; use 0 < min < max")
    if first_depth is not None and not min_depth < first_depth < max_depth:
        raise ConfigError(
            f"first depth {first_depth} m, in first_depth; use one between {min_depth} and {max_depth} m"
        )


def nearest_side(side: int) -> int:
    """The nearest height or width that can be halved five times."""
    return max(1, round(side / SIZE_MULTIPLE)) * SIZE_MULTIPLE


def check_size(image: Tensor) -> None:
    """Refuse images whose size cannot be halved five times."""
    height, width = image.shape[-2:]
    if height % SIZE_MULTIPLE or width % SIZE_MULTIPLE:
        raise ValueError(
            f"height {height} and width {width} must be multiples of {SIZE_MULTIPLE}; "
            f"the nearest are {nearest_side(height)} and {nearest_side(width)}"
        )
