"""Whether two depth maps, of two views, say the same of one point."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from selfsup_depth.geometry.inverse_depth import depth_from_inverse_depth
from selfsup_depth.geometry.precision import at_least_float32
from selfsup_depth.geometry.projection import project_to_source
from selfsup_depth.geometry.resize import resized_K
from selfsup_depth.geometry.view_synthesis import sample
from selfsup_depth.structures import PosedView, View


class Agreement(NamedTuple):
    """How far two depth maps are apart, at the first one's pixels.

    difference: (B, 1, h, w), 0 where they agree.
    valid: (B, 1, h, w) bool, true where the second view shows the point at all, by coordinates.
    """

    difference: Tensor
    valid: Tensor


def relative_depth_difference(
    target: View, source: PosedView, inverse_depth: Tensor, source_inverse_depth: Tensor
) -> Agreement:
    """|c - s| / (c + s), of a point's depth c in the source and the depth s predicted there.

    Bian et al. 2019. In [0, 1), without a unit, and zero where the source is occluded by nothing
    and both maps are right; all of depths, motion and the place of the look-up have gradient.

    Args:
        target: whose intrinsics are read.
        source: the other view, its intrinsics and its place.
        inverse_depth: (B, 1, h, w) of the target's pixels, 1/m.
        source_inverse_depth: (B, 1, h', w') of the source's pixels, 1/m.
    """
    inverse_depth = at_least_float32(inverse_depth)
    view = View(depth_from_inverse_depth(source_inverse_depth), resized_K(source.view, source_inverse_depth))
    at_its_size = PosedView(view, source.T_target_to_source)
    projection = project_to_source(resized_K(target, inverse_depth), at_its_size, inverse_depth)
    predicted = sample(view.image, projection.pixels)
    computed = projection.relative_depth * depth_from_inverse_depth(inverse_depth)
    # Behind the camera there is no such depth, and a sum near zero would spoil the gradient.
    computed = torch.where(projection.valid, computed, predicted)
    return Agreement((computed - predicted).abs() / (computed + predicted), projection.valid)


def left_right_difference(
    target: View,
    source: PosedView,
    inverse_depth: Tensor,
    source_inverse_depth: Tensor,
    look_up: Callable[[Tensor, Tensor], Tensor] = sample,
) -> Agreement:
    """Difference of the two disparities of one point of a rectified pair, pixels of the target's map.

    Args:
        target: whose intrinsics are read.
        source: the rig's other camera.
        inverse_depth: (B, 1, h, w) of the target's pixels, 1/m.
        source_inverse_depth: (B, 1, h, w) of the source's pixels, 1/m.
        look_up: reads a map (B, 1, h, w) at places (B, h, w, 2) in pixels.
    """
    inverse_depth = at_least_float32(inverse_depth)
    K = resized_K(target, inverse_depth)
    # The map to be looked up takes the place of the source's image.
    view = View(at_least_float32(source_inverse_depth), resized_K(source.view, source_inverse_depth))
    projection = project_to_source(K, PosedView(view, source.T_target_to_source), inverse_depth)
    difference = (inverse_depth - look_up(view.image, projection.pixels)).abs()
    return Agreement(difference * pixels_per_inverse_depth(K, source).to(difference), projection.valid)


def left_right_check(
    target: View,
    source: PosedView,
    inverse_depth: Tensor,
    source_inverse_depth: Tensor,
    max_difference: float = 1.0,
) -> Tensor:
    """Where the two maps of a rectified pair confirm each other, as a mask for evaluation.

    Godard et al. 2017.

    Args:
        target: whose intrinsics are read.
        source: the rig's other camera.
        inverse_depth: (B, 1, h, w) of the target's pixels, 1/m.
        source_inverse_depth: (B, 1, h, w) of the source's pixels, 1/m.
        max_difference: of the two disparities, pixels of the target's map.

    Returns:
        (B, 1, h, w) bool, false where the other camera does not show the point, where something
        hides it there, and where either map is wrong.
    """
    agreement = left_right_difference(target, source, inverse_depth, source_inverse_depth)
    return agreement.valid & (agreement.difference < max_difference)


def pixels_per_inverse_depth(K: Tensor, source: PosedView) -> Tensor:
    """Disparity in pixels of an inverse depth of 1/m, (B, 1, 1, 1)."""
    baseline = torch.linalg.vector_norm(source.T_target_to_source[:, :3, 3], dim=-1)
    pixels: Tensor = (K[:, 0, 0] * baseline)[:, None, None, None]
    return pixels
