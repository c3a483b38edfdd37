"""Maps and views at other sizes."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from selfsup_depth.geometry.camera import resize_intrinsics
from selfsup_depth.structures import View


def resize_by_area(image: Tensor, size: torch.Size | tuple[int, int]) -> Tensor:
    """Reduce (B, C, H, W) to (B, C, *size) by the mean of each pixel's area."""
    return image if image.shape[-2:] == size else F.interpolate(image, size=tuple(size), mode="area")


def upsample(values: Tensor, size: torch.Size | tuple[int, int]) -> Tensor:
    """Enlarge (B, C, h, w) to (B, C, *size) bilinearly, about the pixels' areas."""
    height, width = values.shape[-2:]
    factors = size[0] // height, size[1] // width
    even = factors[0] % 2 == 0 and factors[1] % 2 == 0
    if values.is_cpu and even and (height * factors[0], width * factors[1]) == tuple(size):
        return _Upsampled.apply(values, factors)  # type: ignore
    return F.interpolate(values, tuple(size), mode="bilinear", align_corners=False)


class _Upsampled(torch.autograd.Function):
    """Upsampling by even factors; its way back is a convolution with a stride, several times as fast."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, factors: tuple[int, int]) -> Tensor:
        ctx.factors = factors
        size = values.shape[-2] * factors[0], values.shape[-1] * factors[1]
        return F.interpolate(values, size, mode="bilinear", align_corners=False)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _gathered(_gathered(gradient, ctx.factors[0], -2), ctx.factors[1], -1), None


def _gathered(gradient: Tensor, factor: int, axis: int) -> Tensor:
    """By what was upsampled along an axis of (B, C, H, W), which that makes shorter."""
    steps = torch.arange(2 * factor, dtype=gradient.dtype) + 0.5
    tent = (1 - (steps / factor - 1).abs()).view((1, 1, -1, 1) if axis == -2 else (1, 1, 1, -1))
    stride, padding = [1, 1], [0, 0]
    stride[axis], padding[axis] = factor, 3 * factor // 2
    wide = F.conv2d(gradient.flatten(0, 1)[:, None], tent, stride=stride, padding=padding)
    # The border's values stand for what is beyond it.
    last = wide.shape[axis] - 1
    gathered = wide.narrow(axis, 1, last - 1)
    gathered.select(axis, 0).add_(wide.select(axis, 0))
    gathered.select(axis, -1).add_(wide.select(axis, last))
    return gathered.reshape(*gradient.shape[:2], *gathered.shape[-2:])


def resized_K(view: View, plane: Tensor) -> Tensor:
    """Intrinsics (B, 3, 3) of a view at the size of a map (..., h, w)."""
    height, width = view.image.shape[-2:]
    return resize_intrinsics(view.K, (height, width), (plane.shape[-2], plane.shape[-1]))
