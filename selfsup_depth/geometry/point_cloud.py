"""Points in space from inverse depth, and which of them hang in the air."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from selfsup_depth.geometry.camera import inverse_intrinsics
from selfsup_depth.geometry.inverse_depth import depth_from_inverse_depth
from selfsup_depth.geometry.projection import pixel_grid


def unproject(inverse_depth: Tensor, K: Tensor) -> Tensor:
    """The point that each pixel shows, in its camera's frame: depth times K^-1 (u, v, 1).

    Args:
        inverse_depth: (B, 1, H, W), 1/m.
        K: (B, 3, 3) pixels of this map.

    Returns:
        (B, 3, H, W) x right, y down, z forward, metres.
    """
    rays = inverse_intrinsics(K) @ pixel_grid(inverse_depth).to(K.dtype).flatten(1)
    depth = depth_from_inverse_depth(inverse_depth)
    return rays.reshape(*rays.shape[:2], *depth.shape[-2:]) * depth


def lies_on_surface(inverse_depth: Tensor, reach: tuple[int, int], tolerance: float = 0.1) -> Tensor:
    """Whether a surface goes on through each pixel; false for those that fly between two.

    A network's map is smooth where depth jumps, and what it says in between are points in the
    air. On a plane inverse depth is linear in the image, however slanted the plane is: so the
    values at one and two steps to the side foretell the pixel's own. A pixel is kept if they do
    so from the left or the right, and from above or below.

    Args:
        inverse_depth: (B, 1, H, W), 1/m.
        reach: how many rows and columns a step is; two steps must be longer than a blurred edge.
        tolerance: how far it may be from what is foretold, as a share of itself.

    Returns:
        (B, 1, H, W) bool.
    """
    kept = torch.ones_like(inverse_depth, dtype=torch.bool)
    for axis, step in ((-2, reach[0]), (-1, reach[1])):
        sides = [_deviation(inverse_depth.flip(axis), axis, step).flip(axis)]
        sides.append(_deviation(inverse_depth, axis, step))
        kept &= torch.minimum(*sides) <= tolerance * inverse_depth
    return kept


def _deviation(values: Tensor, axis: int, step: int) -> Tensor:
    """How far each value is from those one and two steps before it, drawn on; infinite at the border."""
    num = values.shape[axis]
    if num <= 2 * step:  # too small to tell
        return torch.zeros_like(values)
    own, one, two = (values.narrow(axis, start, num - 2 * step) for start in (2 * step, step, 0))
    padding = [0, 0, 2 * step, 0] if axis == -2 else [2 * step, 0]
    return F.pad((own - 2 * one + two).abs(), padding, value=torch.inf)
