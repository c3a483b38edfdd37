"""Rebuild a target view from a source view through depth and camera motion.

The differentiable bilinear warper: unproject the target's pixels, move them into the source
camera, project, and look the colours up (Jaderberg et al. 2015; Garg et al. 2016; Zhou et al.
2017).
"""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from selfsup_depth.geometry.compiled_synthesis import look_up
from selfsup_depth.geometry.precision import full_precision
from selfsup_depth.geometry.projection import project_to_source
from selfsup_depth.structures import PosedView, Synthesis, View

Gradient = Literal["bilinear", "linearised"]


def sample(image: Tensor, pixels: Tensor) -> Tensor:
    """Look an image up at sub-pixel places, bilinearly; outside, the border's value holds.

    What lies at NaN is undefined, and has no gradient.

    Args:
        image: (B, C, H, W).
        pixels: (B, h, w, 2) column and row in pixels; differentiable.

    Returns:
        (B, C, h, w).
    """
    with full_precision(image):
        return _Sampled.apply(image.to(pixels.dtype), pixels)  # type: ignore


class _Sampled(torch.autograd.Function):
    """Bilinear sampling in pixels, with nothing kept but the image and one map of places."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, pixels: Tensor) -> Tensor:
        # Far outside there is no slope: a gradient at what is no number would be written outside
        # of the image's memory.
        grid = (pixels * _per_half_extent(image)).sub_(1).nan_to_num_(nan=-3.0, posinf=3.0, neginf=-3.0)
        ctx.save_for_backward(image, grid)
        return torch.ops.aten.grid_sampler_2d(image, grid, *_BILINEAR)  # type: ignore

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        image, grid = ctx.saved_tensors
        by_image, by_grid = torch.ops.aten.grid_sampler_2d_backward(
            gradient.contiguous(), image, grid, *_BILINEAR, list(ctx.needs_input_grad)
        )
        return by_image, by_grid * _per_half_extent(image) if ctx.needs_input_grad[1] else None


# Of the sampler: bilinear, border's value outside, corners' centres at -1 and 1.
_BILINEAR = (0, 1, True)


def _per_half_extent(image: Tensor) -> Tensor:
    """What brings pixels to the sampler's units: 2 / (width - 1) and 2 / (height - 1)."""
    height, width = image.shape[-2:]
    # A single row or column has no extent to divide by: any divisor will do.
    return image.new_tensor([2 / max(width - 1, 1), 2 / max(height - 1, 1)])


def sample_linearised(image: Tensor, pixels: Tensor) -> Tensor:
    """What `sample` returns, with central differences of the image as its slope (Garg et al. 2016).

    The image is linearised about the places as they are. Its slope there is taken over two
    pixels, where that of bilinear sampling is the difference of two neighbours and jumps at every
    pixel's centre.

    Args:
        image: (B, C, H, W).
        pixels: (B, h, w, 2) column and row in pixels; differentiable.

    Returns:
        (B, C, h, w).
    """
    places = pixels.detach()
    with torch.no_grad():
        padded = F.pad(image, (1, 1, 1, 1), mode="replicate")
        along_x = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
        along_y = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
        slope_x, slope_y = sample(torch.cat([along_x, along_y], dim=1), places).chunk(2, dim=1)
    # Zero, but for its gradient; at coordinates that are no number it has none.
    step = (pixels - places).nan_to_num()
    return sample(image, places) + step[:, None, ..., 0] * slope_x + step[:, None, ..., 1] * slope_y


def synthesize(
    target: View,
    source: PosedView,
    inverse_depth: Tensor,
    gradient: Gradient = "bilinear",
    compiled: bool = False,
) -> Synthesis:
    """Synthesize the target image from a source image and the target's inverse depth.

    Args:
        target: the view to synthesize; only its intrinsics are read.
        source: the view to take colours from, and its place.
        inverse_depth: (B, 1, H, W) of the target's pixels, 1/m.
        gradient: how the colours change with the place they are looked up at.
        compiled: in compiled kernels, where there are some: not for "linearised", nor for sources
            that learn.

    Returns:
        The synthesized image, where it can be trusted, and the source as it is.
    """
    if compiled and gradient == "bilinear" and not source.view.image.requires_grad:
        return Synthesis(*look_up(target.K, source, inverse_depth), source.view.image)
    projection = project_to_source(target.K, source, inverse_depth)
    colours_at = sample_linearised if gradient == "linearised" else sample
    return Synthesis(colours_at(source.view.image, projection.pixels), projection.valid, source.view.image)
