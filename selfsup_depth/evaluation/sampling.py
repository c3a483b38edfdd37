"""A resized map at some of its pixels, without the others.

A laser scan covers a twentieth of a KITTI image: sampling the prediction there is several times
faster than resizing it.
"""

from __future__ import annotations

import torch
from torch import Tensor


def sample_at(
    values: Tensor, rows: Tensor, columns: Tensor, size: tuple[int, int], align_corners: bool = False
) -> Tensor:
    """What bilinear resizing to `size` gives at some of its pixels.

    Equals `F.interpolate(mode="bilinear", align_corners=align_corners)` read at (rows, columns).

    Args:
        values: (h, w).
        rows: (n,) pixels of the resized map, integers.
        columns: (n,) likewise.
        size: (height, width) of the resized map.
        align_corners: whether the corner pixels of both maps meet.

    Returns:
        (n,) float64; only what is looked at is converted.
    """
    height, width = values.shape
    top, bottom, down = _neighbours(_place(rows, size[0], height, align_corners), height)
    left, right, along = _neighbours(_place(columns, size[1], width, align_corners), width)
    flat, above, below = values.flatten(), top * width, bottom * width
    places = (above + left, above + right, below + left, below + right)
    corners = [flat.index_select(0, place).double() for place in places]
    upper, lower = torch.lerp(corners[0], corners[1], along), torch.lerp(corners[2], corners[3], along)
    return torch.lerp(upper, lower, down)


def _place(pixels: Tensor, resized: int, length: int, align_corners: bool) -> Tensor:
    """Where pixels of a resized axis lie on the axis itself."""
    if align_corners:
        return pixels.double() * ((length - 1) / max(1, resized - 1))
    return pixels.double().add_(0.5).mul_(length / resized).sub_(0.5).clamp_(min=0)


def _neighbours(place: Tensor, length: int) -> tuple[Tensor, Tensor, Tensor]:
    """The two samples around each place, and the share of the second."""
    first = place.long().clamp_(max=length - 1)
    return first, (first + 1).clamp_(max=length - 1), place - first
