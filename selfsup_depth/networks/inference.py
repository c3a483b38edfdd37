"""A depth network as it is fastest to ask: batch normalisation folded, the finest level alone."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from selfsup_depth.geometry.inverse_depth import depth_from_inverse_depth
from selfsup_depth.networks.base import DepthNetwork
from selfsup_depth.networks.depth import DepthDecoder
from selfsup_depth.networks.encoder import BasicBlock, Bottleneck, ResNetEncoder
from selfsup_depth.networks.memory_layout import lay_out
from selfsup_depth.networks.phased_merge import phase_merges

# In these each bnN is asked of what convN says and of nothing else; elsewhere a name promises nothing.
PAIRED = (ResNetEncoder, BasicBlock, Bottleneck)


class InferenceNetwork(nn.Module):
    """Depth and inverse depth of images: one graph, whatever the training network was.

    It says what the training network says, to rounding. It is a copy: training goes on undisturbed.

    Args:
        depth_net: trained; its running statistics of batch normalisation become part of the weights.
        eager: to be asked as it is, not translated into a graph: weights and maps are laid out as
            convolutions like them (channels last), and the decoder's are split (PhasedMerge).
    """

    def __init__(self, depth_net: DepthNetwork, eager: bool = False) -> None:
        super().__init__()
        self.depth_net = copy.deepcopy(depth_net).eval().requires_grad_(False)
        self.depth_net.keep_finest()
        fold_batch_norms(self.depth_net)
        self.memory_format = suit_eager_mode(self) if eager else torch.contiguous_format

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Depth and inverse depth of the images' own pixels.

        Args:
            image: (B, 3, H, W) RGB in [0, 1].

        Returns:
            Depth (B, 1, H, W) in metres, or up to one factor, and inverse depth (B, 1, H, W).
        """
        finest: Tensor = self.depth_net(image.contiguous(memory_format=self.memory_format))[0]
        inverse_depth = finest[:, :1]
        return depth_from_inverse_depth(inverse_depth), inverse_depth

    def predict_inverse_depth(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to inverse depth (B, 1, H, W) in 1/m, like a training module."""
        inverse_depth: Tensor = self(image)[1]
        return inverse_depth


def suit_eager_mode(network: nn.Module) -> torch.memory_format:
    """Lay out and split convolutions as they are fastest when each is computed by itself, in place.

    Returns:
        The order in memory that images are to have.
    """
    for module in list(network.modules()):
        if type(module) is DepthDecoder:
            phase_merges(module)
    return lay_out(network)


def fold_batch_norms(network: nn.Module) -> None:
    """Make every batch normalisation behind a convolution part of it, in place.

    Networks that are not known stay as they are, but for what stands in line in an nn.Sequential.
    """
    for parent in list(network.modules()):
        for conv_name, norm_name in pairs_in(parent):
            conv, norm = parent.get_submodule(conv_name), parent.get_submodule(norm_name)
            if type(conv) is nn.Conv2d and type(norm) is nn.BatchNorm2d:
                parent.set_submodule(conv_name, fuse_conv_bn_eval(conv, norm))
                parent.set_submodule(norm_name, nn.Identity())


def pairs_in(parent: nn.Module) -> Iterator[tuple[str, str]]:
    """Names of children of which the second is asked of what the first says, and of nothing else."""
    names = [name for name, _ in parent.named_children()]
    if type(parent) is nn.Sequential:
        yield from pairwise(names)
    elif type(parent) in PAIRED:
        yield from ((name, f"bn{name[4:]}") for name in names if name.startswith("conv"))
