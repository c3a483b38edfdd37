"""Structural dissimilarity of two images (Wang et al., "Image quality assessment: from error
visibility to structural similarity", 2004), with box windows as in Monodepth (Godard et al., 2017).
"""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from selfsup_depth.geometry.precision import at_least_float32, full_precision

# For images in [0, 1].
C1 = 0.01**2
C2 = 0.03**2

# Second moments are taken about mid-grey: in float32 E[x^2] - E[x]^2 then loses less to cancellation.
MID_GREY = 0.5


class WindowStatistics(NamedTuple):
    """What the dissimilarity needs of one image; made once where many images are compared with it.

    image: (B, C, H, W) the image itself.
    padded: (B, C, H + 2r, W + 2r) about mid-grey, reflected at the border, r = window // 2.
    mean: (B, C, H, W) about mid-grey.
    variance: (B, C, H, W).
    """

    image: Tensor
    padded: Tensor
    mean: Tensor
    variance: Tensor


def window_statistics(image: Tensor, window: int = 3) -> WindowStatistics:
    """Mean and variance in the window around each pixel.

    Args:
        image: (B, C, H, W) in [0, 1]; half precision is raised to float32.
        window: side of the window in pixels, odd.
    """
    image = at_least_float32(image)
    padded = F.pad(image - MID_GREY, [window // 2] * 4, mode="reflect")
    mean = box_mean(padded, window)
    return WindowStatistics(image, padded, mean, box_mean(padded.square(), window) - mean.square())


def ssim_dissimilarity(x: Tensor, y: Tensor | WindowStatistics, window: int = 3) -> Tensor:
    """(1 - SSIM) / 2, clamped to [0, 1]; 0 where the windows are equal.

    Args:
        x: (B, C, H, W) in [0, 1].
        y: (B, C, H, W) in [0, 1], or its statistics for the same window.
        window: side of the window in pixels, odd.

    Returns:
        (B, C, H, W), float32 under autocast.
    """
    with full_precision(x):
        of_x = window_statistics(x, window)
        of_y = y if isinstance(y, WindowStatistics) else window_statistics(y, window)
        covariance = box_mean(of_x.padded * of_y.padded, window) - of_x.mean * of_y.mean
        mean_x, mean_y = of_x.mean + MID_GREY, of_y.mean + MID_GREY
        similarity = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
        largest = (mean_x.square() + mean_y.square() + C1) * (of_x.variance + of_y.variance + C2)
        return ((1 - similarity / largest) / 2).clamp(0, 1)


def box_mean(padded: Tensor, window: int) -> Tensor:
    """Mean over window x window pixels: (B, C, H + 2r, W + 2r) to (B, C, H, W)."""
    if padded.is_cuda:
        return F.avg_pool2d(padded, window, stride=1)
    # On a CPU sums of shifted slices are several times faster than pooling.
    height, width = padded.shape[-2] - window + 1, padded.shape[-1] - window + 1
    rows = padded[..., :height, :]
    for top in range(1, window):
        rows = rows + padded[..., top : top + height, :]
    sums = rows[..., :width]
    for left in range(1, window):
        sums = sums + rows[..., left : left + width]
    return sums / window**2
