"""In which order weights and images lie in memory."""

from __future__ import annotations

import torch
from torch import nn

# oneDNN (of torch 2.13) writes beyond its buffers in the backward pass of a 1x1 convolution with a
# stride and fewer channels than a vector register has room for, where channels lie last.
FEWEST_CHANNELS = 16


def lay_out(networks: nn.Module) -> torch.memory_format:
    """Put the weights of 2-D convolutions in the order that CPUs and tensor cores like, channels last.

    Networks that would meet a fault of the library in that order keep the other one.

    Returns:
        The order; images are to follow it.
    """
    convolutions = [module for module in networks.modules() if isinstance(module, nn.Conv2d)]
    order = torch.contiguous_format if any(map(is_faulty, convolutions)) else torch.channels_last
    # One by one: a 3-D convolution has no such order.
    for convolution in convolutions:
        convolution.to(memory_format=order)  # type: ignore[call-overload]
    return order


def is_faulty(convolution: nn.Conv2d) -> bool:
    """Whether channels last are not safe with this convolution."""
    strided_1x1 = convolution.kernel_size == (1, 1) and convolution.stride != (1, 1)
    return strided_1x1 and min(convolution.in_channels, convolution.out_channels) < FEWEST_CHANNELS
