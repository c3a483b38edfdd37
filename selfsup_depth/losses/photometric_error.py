"""How different two photographs are, per pixel, and what may be done to it before the mean."""

from __future__ import annotations

import torch
from torch import Tensor

from selfsup_depth.geometry.precision import at_least_float32, full_precision
from selfsup_depth.losses.photometric_gradient import PhotometricError, Recipe, centre, size_of
from selfsup_depth.losses.photometric_kernels import CompiledPhotometricError, wide_statistics
from selfsup_depth.losses.ssim import MID_GREY, WindowStatistics, about_mid_grey, statistics_of


def window_statistics(image: Tensor, window: int = 3, compiled: bool = False) -> WindowStatistics:
    """What is needed of an image that many are compared with.

    Args:
        image: (B, C, H, W) in [0, 1]; half precision is raised to float32.
        window: side of the window in pixels, odd, at least 3.
        compiled: for the compiled error, which reads beyond the reflected border.
    """
    if compiled:
        return wide_statistics(image, window)
    return statistics_of(about_mid_grey(image, window), window)


def photometric_error(
    x: Tensor,
    y: Tensor | WindowStatistics,
    ssim_weight: float = 0.85,
    window: int = 3,
    robust: bool = False,
    compiled: bool = False,
) -> Tensor:
    """Weighted mean of structural dissimilarity and absolute difference, per pixel.

    Args:
        x: (B, C, H, W) in [0, 1].
        y: (B, C, H, W) in [0, 1], or its statistics for the same window; data, without gradient.
        ssim_weight: share of structural dissimilarity, in [0, 1].
        window: side of the SSIM window in pixels, odd, at least 3.
        robust: sqrt(e^2 + 0.001^2) instead of |e|, smooth at zero (Charbonnier; FeatDepth).
        compiled: in compiled kernels; statistics must be made for them.

    Returns:
        (B, 1, H, W), float32 under autocast; 0 where the images are equal (robust: 0.001 times its share).

    Raises:
        ValueError: the second image should learn.
    """
    with full_precision(x):
        of_y = y if isinstance(y, WindowStatistics) else window_statistics(y, window, compiled)
        if of_y.padded.requires_grad:
            raise ValueError("the error has no gradient for its second image; exchange the two")
        if ssim_weight == 0:
            difference = at_least_float32(x) - MID_GREY - centre(of_y.padded, window)
            return size_of(difference, robust).mean(1, keepdim=True)
        recipe = Recipe(ssim_weight, window, robust)
        way = CompiledPhotometricError if compiled else PhotometricError
        return way.apply(at_least_float32(x), *of_y, recipe)  # type: ignore


def clipped(error: Tensor, deviations: float) -> Tensor:
    """Errors (B, 1, H, W) cut to each image's mean plus so many standard deviations.

    What is cut has no gradient: it is too wrong to learn from (an occlusion, a reflection).
    """
    found = error.detach()
    limit = found.mean((-2, -1), keepdim=True) + deviations * found.std((-2, -1), keepdim=True)
    return torch.where(error > limit, limit, error)
