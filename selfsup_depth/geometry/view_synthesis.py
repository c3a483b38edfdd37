"""Rebuild a target view from a source view through depth and camera motion.

The differentiable bilinear warper: unproject the target's pixels, move them into the source
camera, project, and look the colours up (Jaderberg et al. 2015; Garg et al. 2016; Zhou et al.
2017). With inverse depth d, a target pixel u on the ray r = K^-1 u projects to the same source
pixel as R r + t d: no division by depth is needed, and a point at infinity (d = 0) is as good
as any other.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from selfsup_depth.geometry.camera import inverse_intrinsics
from selfsup_depth.geometry.precision import at_least_float32, full_precision
from selfsup_depth.structures import PosedView, Synthesis, View

Gradient = Literal["bilinear", "linearised"]

# A point nearer to the source's image plane than this share of its depth in the target (or
# behind it) has no image there.
MIN_RELATIVE_DEPTH = 1e-3

# A pixel's area reaches half a pixel beyond its centre; without this slack rounding would turn
# the border of an unmoved view invalid.
BORDER_SLACK = 0.5


class Projection(NamedTuple):
    """Where the target's pixels lie in a source.

    pixels: (B, h, w, 2) column and row in the source, pixels.
    relative_depth: (B, 1, h, w) depth in the source divided by depth in the target.
    valid: (B, 1, h, w) bool, in front of the source camera and inside its image.
    """

    pixels: Tensor
    relative_depth: Tensor
    valid: Tensor


def pixel_grid(plane: Tensor) -> Tensor:
    """Homogeneous pixel coordinates (3, h, w) of a map (..., h, w): column, row, one."""
    height, width = plane.shape[-2:]
    rows = torch.arange(height, dtype=plane.dtype, device=plane.device)
    columns = torch.arange(width, dtype=plane.dtype, device=plane.device)
    v, u = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([u, v, torch.ones_like(u)])


def project_to_source(target_K: Tensor, source: PosedView, inverse_depth: Tensor) -> Projection:
    """Project every target pixel into a source view.

    Args:
        target_K: (B, 3, 3) intrinsics of the target at the size of `inverse_depth`, pixels.
        source: the source, its own intrinsics (they may differ) and its place, metres.
        inverse_depth: (B, 1, h, w) of the target's pixels, 1/m.
    """
    with full_precision(inverse_depth):
        inverse_depth = at_least_float32(inverse_depth)
        T = source.T_target_to_source.to(inverse_depth.dtype)
        K_source = source.view.K.to(inverse_depth.dtype)
        batch, _, h, w = inverse_depth.shape

        rays = inverse_intrinsics(target_K.to(inverse_depth.dtype)) @ pixel_grid(inverse_depth).flatten(1)
        points = T[:, :3, :3] @ rays + T[:, :3, 3:] * inverse_depth.flatten(2)
        relative_depth = points[:, 2:]
        in_front = relative_depth > MIN_RELATIVE_DEPTH
        # Where the point is behind the camera the division is made harmless, not skipped:
        # a where() after a bad division still has a NaN gradient.
        on_plane = points[:, :2] / torch.where(in_front, relative_depth, torch.ones_like(relative_depth))
        focal = torch.stack([K_source[:, 0, 0], K_source[:, 1, 1]], dim=1)[:, :, None]
        pixels = on_plane * focal + K_source[:, :2, 2:]

        valid = in_front & _inside(pixels, source.view.image)
        return Projection(
            pixels.reshape(batch, 2, h, w).permute(0, 2, 3, 1),
            relative_depth.reshape(batch, 1, h, w),
            valid.reshape(batch, 1, h, w),
        )


def _inside(pixels: Tensor, image: Tensor) -> Tensor:
    """Whether coordinates (B, 2, N) lie within an image (B, C, H, W); (B, 1, N) bool."""
    height, width = image.shape[-2:]
    u, v = pixels[:, :1], pixels[:, 1:]
    inside_columns = (u > -BORDER_SLACK) & (u < width - 1 + BORDER_SLACK)
    return inside_columns & (v > -BORDER_SLACK) & (v < height - 1 + BORDER_SLACK)


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
        height, width = image.shape[-2:]
        # A single row or column has no extent to normalise by: any divisor will do.
        extent = pixels.new_tensor([max(width - 1, 1), max(height - 1, 1)])
        # The gradient at coordinates that are no number would write outside the image's memory.
        grid = (2 * pixels / extent - 1).nan_to_num(nan=0.0, posinf=2.0, neginf=-2.0)
        return F.grid_sample(image.to(grid.dtype), grid, padding_mode="border", align_corners=True)


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
    target: View, source: PosedView, inverse_depth: Tensor, gradient: Gradient = "bilinear"
) -> Synthesis:
    """Synthesize the target image from a source image and the target's inverse depth.

    Args:
        target: the view to synthesize; only its intrinsics are read.
        source: the view to take colours from, and its place.
        inverse_depth: (B, 1, H, W) of the target's pixels, 1/m.
        gradient: how the colours change with the place they are looked up at.

    Returns:
        The synthesized image, where it can be trusted, and the source as it is.
    """
    projection = project_to_source(target.K, source, inverse_depth)
    look_up = sample_linearised if gradient == "linearised" else sample
    return Synthesis(look_up(source.view.image, projection.pixels), projection.valid, source.view.image)
