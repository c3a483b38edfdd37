"""The photometric error in compiled kernels: what `photometric_gradient.py` does in pieces.

A kernel passes once over memory and reads what it needs around each pixel, so it must find something
there: images are padded widely enough that no window and no gradient of one reaches beyond. What lies
outside of the reflected border is grey and has no influence, its gradient being zero.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from selfsup_depth.geometry.kernels import Kernel
from selfsup_depth.losses.photometric_gradient import Recipe, centre, fold_reflection, size_of
from selfsup_depth.losses.ssim import (
    C1,
    C2,
    MID_GREY,
    WindowStatistics,
    about_mid_grey,
    box_mean,
    similarity_of,
    statistics_of,
)


def wide_padded(image: Tensor, window: int) -> Tensor:
    """(B, C, H, W) to (B, C, H + 6r, W + 6r) about mid-grey: reflected over r, grey over 2r more."""
    return F.pad(about_mid_grey(image, window), [window - 1] * 4)


def wide_statistics(image: Tensor, window: int) -> WindowStatistics:
    """What the compiled error needs of y: `padded` as above, mean and variance (B, C, H + 4r, W + 4r)."""
    return WindowStatistics(*_statistics(wide_padded(image, window), window))


class CompiledPhotometricError(torch.autograd.Function):
    """`plain_photometric_error` of an image x (B, C, H, W) with the wide statistics of y, which is data."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, padded_y: Tensor, mean_y: Tensor, variance_y: Tensor, recipe: Recipe
    ) -> Tensor:
        padded = wide_padded(x, recipe.window)
        ctx.recipe = recipe
        if ctx.needs_input_grad[0]:
            error, slopes = _error_and_slopes(padded, padded_y, mean_y, variance_y, recipe)
            ctx.save_for_backward(padded, padded_y, slopes)
        else:
            error = _error(padded, padded_y, mean_y, variance_y, recipe)
        return centre(error, 2 * recipe.window - 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        padded, padded_y, slopes = ctx.saved_tensors
        window = ctx.recipe.window
        total = _gradient(padded, padded_y, slopes, F.pad(gradient, [window - 1] * 4), ctx.recipe)
        return centre(fold_reflection(total, window), window), None, None, None, None


@Kernel
def _statistics(padded: Tensor, window: int) -> tuple[Tensor, Tensor, Tensor]:
    return tuple(statistics_of(padded, window))  # type: ignore[return-value]


@Kernel
def _error(x: Tensor, y: Tensor, mean_y: Tensor, variance_y: Tensor, recipe: Recipe) -> Tensor:
    """(B, 1, h, w) of (B, C, h + 2r, w + 2r)."""
    similarity = similarity_of(x, WindowStatistics(y, mean_y, variance_y), recipe.window)
    return _of_similarity(similarity, x, y, recipe)


@Kernel
def _error_and_slopes(
    x: Tensor, y: Tensor, mean_y: Tensor, variance_y: Tensor, recipe: Recipe
) -> tuple[Tensor, Tensor]:
    """The same and (3, B, C, h, w), the derivatives of SSIM; see `similarity_and_slopes`."""
    mean, variance = statistics_of(x, recipe.window)[1:]
    grey_x, grey_y = mean + MID_GREY, mean_y + MID_GREY
    luminance, luminance_limit = 2 * grey_x * grey_y + C1, grey_x**2 + grey_y**2 + C1
    structure = 2 * (box_mean(x * y, recipe.window) - mean * mean_y) + C2
    structure_limit = variance + variance_y + C2
    per_limits = 1 / (luminance_limit * structure_limit)
    similarity = luminance * structure * per_limits
    by_square = -similarity / structure_limit
    by_product = 2 * luminance * per_limits
    by_mean = 2 * (grey_y * structure * per_limits - grey_x * similarity / luminance_limit)
    by_mean = by_mean - 2 * mean * by_square - mean_y * by_product
    return _of_similarity(similarity, x, y, recipe), torch.stack([by_mean, by_square, by_product])


@Kernel
def _gradient(x: Tensor, y: Tensor, slopes: Tensor, gradient: Tensor, recipe: Recipe) -> Tensor:
    """By x (B, C, H + 2r, W + 2r), reflected pixels still for themselves.

    Args:
        x: (B, C, H + 6r, W + 6r).
        y: the same.
        slopes: (3, B, C, H + 4r, W + 4r).
        gradient: (B, 1, H + 4r, W + 4r) by the error, zero outside of the image.
        recipe: of the error.
    """
    window = recipe.window
    x, y = centre(x, 2 * window - 1), centre(y, 2 * window - 1)
    by_mean, by_square, by_product = (box_mean(slope * gradient, window) for slope in slopes.unbind())
    by_similarity = -recipe.ssim_weight / 2 / x.shape[1]
    by_size = (1 - recipe.ssim_weight) / x.shape[1] * centre(gradient, window)
    sign = (x - y) / size_of(x - y, True) if recipe.robust else (x - y).sign()
    return by_similarity * (by_mean + 2 * x * by_square + y * by_product) + by_size * sign


def _of_similarity(similarity: Tensor, x: Tensor, y: Tensor, recipe: Recipe) -> Tensor:
    structure = ((1 - similarity) / 2).clamp(0, 1).mean(1, keepdim=True)
    size = size_of(centre(x - y, recipe.window), recipe.robust).mean(1, keepdim=True)
    return recipe.ssim_weight * structure + (1 - recipe.ssim_weight) * size
