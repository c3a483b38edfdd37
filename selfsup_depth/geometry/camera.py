"""Intrinsics follow their image through resize, crop and flip.

Pixel centres lie at integer coordinates, so an image W pixels wide covers [-0.5, W - 0.5].
Every function takes K as (..., 3, 3) in pixels and returns a new one.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Focal length of a camera of which nothing is known, in widths of its image: a view of 71 degrees.
FIRST_FOCAL = 0.7


def resize_intrinsics(K: Tensor, from_size: tuple[int, int], to_size: tuple[int, int]) -> Tensor:
    """Intrinsics of an image after it was resized.

    A resize maps the covered area, not the pixel centres, onto each other: a coordinate c
    goes to (c + 0.5) s - 0.5.

    Args:
        K: (..., 3, 3) of the image before.
        from_size: (height, width) before.
        to_size: (height, width) after.
    """
    scale_y, scale_x = to_size[0] / from_size[0], to_size[1] / from_size[1]
    scaling = K.new_tensor([[scale_x, 0, 0.5 * scale_x - 0.5], [0, scale_y, 0.5 * scale_y - 0.5], [0, 0, 1]])
    return scaling @ K


def crop_intrinsics(K: Tensor, top: int, left: int) -> Tensor:
    """Intrinsics of a crop whose first row and column were `top` and `left`."""
    return K - K.new_tensor([[0, 0, left], [0, 0, top], [0, 0, 0]])


def flip_intrinsics(K: Tensor, width: int) -> Tensor:
    """Intrinsics of an image mirrored left to right: the principal point moves to W - 1 - cx."""
    K = K.clone()
    K[..., 0, 2] = width - 1 - K[..., 0, 2]
    return K


def inverse_intrinsics(K: Tensor) -> Tensor:
    """Inverse of K in closed form; zero skew is assumed.

    A general inverse loses digits in float32 and cannot run in half precision.
    """
    fx, fy, cx, cy = K[..., 0, 0], K[..., 1, 1], K[..., 0, 2], K[..., 1, 2]
    zero, one = torch.zeros_like(fx), torch.ones_like(fx)
    rows = [1 / fx, zero, -cx / fx, zero, 1 / fy, -cy / fy, zero, zero, one]
    return torch.stack(rows, dim=-1).reshape(*fx.shape, 3, 3)
