"""View synthesis in two compiled kernels: projection and look-up together, forward and back.

No map of places is kept: the way back finds them again from inverse depth and motion, which costs less
than to read them from memory.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from selfsup_depth.geometry.kernels import Kernel
from selfsup_depth.geometry.precision import at_least_float32, full_precision
from selfsup_depth.geometry.projection import (
    MIN_RELATIVE_DEPTH,
    inside,
    moments,
    pixel_component,
    pixel_motion,
)
from selfsup_depth.structures import PosedView


def look_up(target_K: Tensor, source: PosedView, inverse_depth: Tensor) -> tuple[Tensor, Tensor]:
    """What `project_to_source` and `sample` return together: colours (B, C, h, w) and validity (B, 1, h, w).

    Args:
        target_K: (B, 3, 3) intrinsics of the target at the size of `inverse_depth`, pixels.
        source: its image is data.
        inverse_depth: (B, 1, h, w) of the target's pixels, 1/m.
    """
    with full_precision(inverse_depth):
        inverse_depth = at_least_float32(inverse_depth)
        A, b = pixel_motion(target_K, source, inverse_depth.dtype)
        image = source.view.image.to(inverse_depth.dtype).contiguous()
        colours, valid = _LookedUp.apply(A, b, inverse_depth[:, 0].contiguous(), image)  # type: ignore[no-untyped-call]
        return colours, valid[:, None]


class _LookedUp(torch.autograd.Function):
    """A source's colours (B, C, h, w) at A (u, v, 1) + b d, and (B, h, w) bool where they are to be trusted.

    The source is data.
    """

    @staticmethod
    def forward(ctx: Any, A: Tensor, b: Tensor, d: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        colours, valid = _look_up(A, b, d, image)
        ctx.save_for_backward(A, b, d, image)
        ctx.mark_non_differentiable(valid)
        return colours, valid

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: None) -> tuple[Tensor | None, ...]:
        A, b, d, image = ctx.saved_tensors
        by_d, *by_point = _look_up_backward(A, b, d, image, gradient)
        by_A = torch.stack([moments(by_axis) for by_axis in by_point], dim=1)
        by_b = torch.stack([torch.linalg.vecdot(by.flatten(1), d.flatten(1)) for by in by_point], dim=1)
        return by_A, by_b, by_d, None


class _Places(NamedTuple):
    """Where the pixels of a target lie, all (B, h, w).

    u, v: column and row in the source.
    per_z: reciprocal of the relative depth; 1 behind the camera.
    in_front: bool.
    """

    u: Tensor
    v: Tensor
    per_z: Tensor
    in_front: Tensor


class _Corners(NamedTuple):
    """The four pixels around each place.

    first: (B, h * w) index of the upper left one among the image's.
    right, down: from there to the next column and row; 0 in an image of one.
    across, along: (B, h, w) how far the place is from it, 0 to 1.
    """

    first: Tensor
    right: int
    down: int
    across: Tensor
    along: Tensor


@Kernel
def _look_up(A: Tensor, b: Tensor, d: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
    places = _places(A, b, d)
    corners = _corners(places, image)
    colours = []
    for channel in image.unbind(1):
        there = _around(channel, corners)
        above = torch.lerp(there.above, there.above_right, corners.across)
        below = torch.lerp(there.below, there.below_right, corners.across)
        colours.append(torch.lerp(above, below, corners.along))
    return torch.stack(colours, dim=1), places.in_front & inside(places.u, places.v, image)


@Kernel
def _look_up_backward(
    A: Tensor, b: Tensor, d: Tensor, image: Tensor, gradient: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """By d, and by the three coordinates of the point."""
    places = _places(A, b, d)
    corners = _corners(places, image)
    by_u, by_v = torch.zeros_like(d), torch.zeros_like(d)
    for channel, by_colour in zip(image.unbind(1), gradient.unbind(1), strict=True):
        there = _around(channel, corners)
        step_above, step_below = there.above_right - there.above, there.below_right - there.below
        step_left, step_right = there.below - there.above, there.below_right - there.above_right
        by_u = by_u + by_colour * (step_above + corners.along * (step_below - step_above))
        by_v = by_v + by_colour * (step_left + corners.across * (step_right - step_left))
    height, width = image.shape[-2:]
    # On the border and beyond the colour does not change with the place.
    by_x = torch.where((places.u > 0) & (places.u < width - 1), by_u, 0) * places.per_z
    by_y = torch.where((places.v > 0) & (places.v < height - 1), by_v, 0) * places.per_z
    by_z = torch.where(places.in_front, -(by_x * places.u + by_y * places.v), 0)
    slopes = b[..., None, None].unbind(1)
    return by_x * slopes[0] + by_y * slopes[1] + by_z * slopes[2], by_x, by_y, by_z


def _places(A: Tensor, b: Tensor, d: Tensor) -> _Places:
    x, y, z = (pixel_component(A, b, d, axis) for axis in range(3))
    in_front = z > MIN_RELATIVE_DEPTH
    # Where the point is behind the camera the division is made harmless.
    per_z = 1 / torch.where(in_front, z, 1)
    return _Places(x * per_z, y * per_z, per_z, in_front)


def _corners(places: _Places, image: Tensor) -> _Corners:
    height, width = image.shape[-2:]
    u, v = places.u.clamp(0, width - 1), places.v.clamp(0, height - 1)
    # Once more as whole numbers: what is no number must not be looked up outside of the image either.
    column = u.to(torch.int32).clamp(0, max(width - 2, 0))
    row = v.to(torch.int32).clamp(0, max(height - 2, 0))
    return _Corners(
        (row * width + column).flatten(1),
        1 if width > 1 else 0,
        width if height > 1 else 0,
        u - column,
        v - row,
    )


class _Colours(NamedTuple):
    """Those of one channel around each place, all (B, h, w)."""

    above: Tensor
    above_right: Tensor
    below: Tensor
    below_right: Tensor


def _around(channel: Tensor, corners: _Corners) -> _Colours:
    steps = 0, corners.right, corners.down, corners.down + corners.right
    flat, like = channel.flatten(1), corners.across
    return _Colours(*(flat.gather(1, (corners.first + step).long()).view_as(like) for step in steps))
