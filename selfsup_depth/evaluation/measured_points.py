"""The measured pixels of an image as points in space, or as maps with holes."""

from __future__ import annotations

import torch
from torch import Tensor

from selfsup_depth.evaluation.depth_errors import ImageErrors
from selfsup_depth.geometry.camera import inverse_intrinsics


def points_of(image: ImageErrors, K: Tensor) -> tuple[Tensor, Tensor]:
    """Where the pixels that count lie as predicted and as measured.

    Args:
        image: with n pixels.
        K: (3, 3) in pixels of the measured map.

    Returns:
        Both (n, 3): x right, y down, z forward, metres.
    """
    pixels = torch.stack([image.columns, image.rows, torch.ones_like(image.rows)]).double()
    rays = (inverse_intrinsics(K.double().to(pixels.device)) @ pixels).T
    return rays * image.predicted[:, None], rays * image.measured[:, None]


def map_of(values: Tensor, image: ImageErrors, size: tuple[int, int]) -> Tensor:
    """Values (n,) or (n, C) of the pixels that count as a map (H, W) or (C, H, W), elsewhere NaN."""
    filled = values.new_full((*values.shape[1:], *size), torch.nan)
    filled[..., image.rows, image.columns] = values.movedim(0, -1)
    return filled
