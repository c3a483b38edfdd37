"""How different two photographs are, per pixel, and what may be done to it before the mean."""

from __future__ import annotations

import torch
from torch import Tensor

from selfsup_depth.geometry.precision import at_least_float32
from selfsup_depth.losses.ssim import WindowStatistics, ssim_dissimilarity

# Where the robust difference turns from a parabola to a slope, for images in [0, 1] (FeatDepth).
CHARBONNIER = 1e-3


def photometric_error(
    x: Tensor,
    y: Tensor | WindowStatistics,
    ssim_weight: float = 0.85,
    window: int = 3,
    robust: bool = False,
) -> Tensor:
    """Weighted mean of structural dissimilarity and absolute difference, per pixel.

    Args:
        x: (B, 3, H, W) in [0, 1].
        y: (B, 3, H, W) in [0, 1], or its statistics for the same window.
        ssim_weight: share of structural dissimilarity, in [0, 1].
        window: side of the SSIM window in pixels, odd, at least 3.
        robust: sqrt(e^2 + 0.001^2) instead of |e|, smooth at zero (Charbonnier; FeatDepth).

    Returns:
        (B, 1, H, W), 0 where the images are equal (robust: 0.001 times its share).
    """
    image = y.image if isinstance(y, WindowStatistics) else y
    difference = at_least_float32(x) - at_least_float32(image)
    size = (difference.square() + CHARBONNIER**2).sqrt() if robust else difference.abs()
    size = size.mean(1, keepdim=True)
    if ssim_weight == 0:
        return size
    structure = ssim_dissimilarity(x, y, window).mean(1, keepdim=True)
    return ssim_weight * structure + (1 - ssim_weight) * size


def clipped(error: Tensor, deviations: float) -> Tensor:
    """Errors (B, 1, H, W) cut to each image's mean plus so many standard deviations.

    What is cut has no gradient: it is too wrong to learn from (an occlusion, a reflection).
    """
    found = error.detach()
    limit = found.mean((-2, -1), keepdim=True) + deviations * found.std((-2, -1), keepdim=True)
    return torch.where(error > limit, limit, error)
