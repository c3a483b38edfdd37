"""Where the pixels of a target lie in a source, by depth and camera motion, and the slope of that.

With inverse depth d, a target pixel u on the ray r = K^-1 u lies in the source where
K_source (R r + t d) does: no division by depth is needed, and a point at infinity (d = 0) is as
good as any other. Along a row and along a column K_source R r is linear, so no map of rays is made.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from selfsup_depth.geometry.camera import inverse_intrinsics
from selfsup_depth.geometry.precision import at_least_float32, full_precision
from selfsup_depth.structures import PosedView

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
        A, b = pixel_motion(target_K, source, inverse_depth.dtype)
        found = _Projected.apply(A, b, inverse_depth[:, 0])  # type: ignore[no-untyped-call]
        pixels, relative_depth, in_front = found
        u, v = pixels.detach().unbind(-1)
        valid = in_front & inside(u, v, source.view.image)
        return Projection(pixels, relative_depth[:, None], valid[:, None])


def pixel_motion(target_K: Tensor, source: PosedView, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """A (B, 3, 3) and b (B, 3) of a source: a pixel (u, v) at inverse depth d lies at A (u, v, 1) + b d.

    The three coordinates are homogeneous pixels of the source; the last is the relative depth.
    """
    # Nine numbers an image: in float64 they cost nothing, and lose no hundredth of a pixel.
    T, K_source = source.T_target_to_source.double(), source.view.K.double()
    of_pixel = K_source @ T[:, :3, :3] @ inverse_intrinsics(target_K.double())
    of_inverse_depth = (K_source @ T[:, :3, 3:])[..., 0]
    return of_pixel.to(dtype), of_inverse_depth.to(dtype)


class _Projected(torch.autograd.Function):
    """The pinhole model with its gradient in closed form.

    The point (x, y, z) = A (u, v, 1) + b d lies at the pixel (x / z, y / z).
    """

    @staticmethod
    def forward(ctx: Any, A: Tensor, b: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z = pixel_component(A, b, d, 2)
        in_front = z > MIN_RELATIVE_DEPTH
        # Where the point is behind the camera the division is made harmless.
        per_z = z.masked_fill(~in_front, 1).reciprocal_()
        pixels = d.new_empty(*d.shape, 2)
        for axis in range(2):
            torch.mul(pixel_component(A, b, d, axis), per_z, out=pixels[..., axis])
        ctx.save_for_backward(b, d, per_z, pixels, in_front)
        ctx.mark_non_differentiable(in_front)
        ctx.set_materialize_grads(False)
        return pixels, z, in_front

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_pixels: Tensor | None, by_z: Tensor | None, _: None) -> tuple[Tensor, ...]:
        b, d, per_z, pixels, in_front = ctx.saved_tensors
        by_pixels = torch.zeros_like(pixels) if by_pixels is None else by_pixels
        by_x, by_y = by_pixels[..., 0] * per_z, by_pixels[..., 1] * per_z
        by_depth = (by_x * pixels[..., 0]).addcmul_(by_y, pixels[..., 1]).neg_().mul_(in_front)
        if by_z is not None:
            by_depth.add_(by_z)
        by_point = [by_x, by_y, by_depth]
        by_d = torch.zeros_like(d)
        for axis, gradient in enumerate(by_point):
            by_d.addcmul_(gradient, b[:, axis, None, None])
        by_A = torch.stack([moments(gradient) for gradient in by_point], dim=1)
        by_b = torch.stack([torch.linalg.vecdot(g.flatten(1), d.flatten(1)) for g in by_point], dim=1)
        return by_A, by_b, by_d


def pixel_component(A: Tensor, b: Tensor, d: Tensor, axis: int) -> Tensor:
    """One coordinate (B, h, w) of the points: along a row and along a column it is linear."""
    height, width = d.shape[-2:]
    u = torch.arange(width, dtype=d.dtype, device=d.device)
    v = torch.arange(height, dtype=d.dtype, device=d.device)[:, None]
    along_u, along_v, constant, slope = (
        number[:, None, None] for number in (*A[:, axis].unbind(1), b[:, axis])
    )
    return (along_u * u + (along_v * v + constant)).addcmul_(slope, d)


def moments(values: Tensor) -> Tensor:
    """Sums (B, 3) of values (B, h, w) times column, row, one."""
    of_columns, of_rows = values.sum(1), values.sum(2)
    u = torch.arange(of_columns.shape[1], dtype=values.dtype, device=values.device)
    v = torch.arange(of_rows.shape[1], dtype=values.dtype, device=values.device)
    return torch.stack([of_columns @ u, of_rows @ v, of_rows.sum(1)], dim=1)


def inside(u: Tensor, v: Tensor, image: Tensor) -> Tensor:
    """Whether columns and rows (B, h, w) lie within an image (B, C, H, W); (B, h, w) bool."""
    height, width = image.shape[-2:]
    inside_columns = (u > -BORDER_SLACK) & (u < width - 1 + BORDER_SLACK)
    return inside_columns & (v > -BORDER_SLACK) & (v < height - 1 + BORDER_SLACK)
