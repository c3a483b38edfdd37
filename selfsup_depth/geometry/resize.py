"""Maps and views at other sizes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from selfsup_depth.geometry.camera import resize_intrinsics
from selfsup_depth.structures import View


def resize_by_area(image: Tensor, size: torch.Size | tuple[int, int]) -> Tensor:
    """Reduce (B, C, H, W) to (B, C, *size) by the mean of each pixel's area."""
    return image if image.shape[-2:] == size else F.interpolate(image, size=tuple(size), mode="area")


def resized_K(view: View, plane: Tensor) -> Tensor:
    """Intrinsics (B, 3, 3) of a view at the size of a map (..., h, w)."""
    height, width = view.image.shape[-2:]
    return resize_intrinsics(view.K, (height, width), (plane.shape[-2], plane.shape[-1]))
