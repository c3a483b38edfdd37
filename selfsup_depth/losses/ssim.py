"""Structural dissimilarity of two images (Wang et al., "Image quality assessment: from error
visibility to structural similarity", 2004), with box windows as in Monodepth (Godard et al., 2017).

The formula is written here twice: `ssim_dissimilarity` to be read, `similarity_and_slopes` with its
derivatives in closed form and in as few passes over memory as it takes, for training.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
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

    padded: (B, C, H + 2r, W + 2r) the image about mid-grey, reflected at the border, r = window // 2.
    mean: (B, C, H, W) about mid-grey.
    variance: (B, C, H, W).
    """

    padded: Tensor
    mean: Tensor
    variance: Tensor


def about_mid_grey(image: Tensor, window: int) -> Tensor:
    """(B, C, H, W) to (B, C, H + 2r, W + 2r), reflected at the border; at least float32."""
    return F.pad(at_least_float32(image) - MID_GREY, [window // 2] * 4, mode="reflect")


def statistics_of(padded: Tensor, window: int) -> WindowStatistics:
    """Mean and variance in the window around each pixel, of what `about_mid_grey` returns."""
    mean = box_mean(padded, window)
    return WindowStatistics(padded, mean, box_mean(padded.square(), window).addcmul(mean, mean, value=-1))


def ssim_dissimilarity(x: Tensor, y: Tensor, window: int = 3) -> Tensor:
    """(1 - SSIM) / 2, clamped to [0, 1]; 0 where the windows are equal.

    Args:
        x: (B, C, H, W) in [0, 1].
        y: (B, C, H, W) in [0, 1].
        window: side of the window in pixels, odd, at least 3.

    Returns:
        (B, C, H, W), float32 under autocast.
    """
    with full_precision(x):
        of_x, of_y = (statistics_of(about_mid_grey(image, window), window) for image in (x, y))
        covariance = box_mean(of_x.padded * of_y.padded, window) - of_x.mean * of_y.mean
        mean_x, mean_y = of_x.mean + MID_GREY, of_y.mean + MID_GREY
        luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
        structure = (2 * covariance + C2) / (of_x.variance + of_y.variance + C2)
        return ((1 - luminance * structure) / 2).clamp(0, 1)


def similarity_and_slopes(padded: Tensor, y: WindowStatistics, window: int) -> tuple[Tensor, Tensor]:
    """SSIM, and its derivatives by the three window means through which it depends on x; no autograd.

    Args:
        padded: (B, C, h + 2r, W + 2r) x as `about_mid_grey` returns it, or some rows of it.
        y: the same rows.
        window: side of the window in pixels, odd, at least 3.

    Returns:
        (B, C, h, W), beyond 1 by rounding alone, and (3, B, C, h, W): by the mean of x about
        mid-grey, by that of x^2, by that of x y.
    """
    x = statistics_of(padded, window)
    luminance, luminance_limit, structure, structure_limit = _factors(x, y, window)
    per_limits = (luminance_limit * structure_limit).reciprocal_()
    similarity = (luminance * structure).mul_(per_limits)
    slopes = similarity.new_empty(3, *similarity.shape)
    by_mean, by_square, by_product = slopes
    torch.div(similarity, structure_limit, out=by_square).neg_()
    torch.mul(luminance, per_limits, out=by_product).mul_(2)
    torch.add(y.mean, MID_GREY, out=by_mean).mul_(structure.mul_(per_limits))
    # The means also enter variance and covariance: hence the last two products.
    by_mean.sub_((x.mean + MID_GREY).mul_(similarity).div_(luminance_limit)).mul_(2)
    by_mean.addcmul_(x.mean, by_square, value=-2).addcmul_(y.mean, by_product, value=-1)
    return similarity, slopes


def similarity_of(padded: Tensor, y: WindowStatistics, window: int) -> Tensor:
    """SSIM alone, to the last digit what `similarity_and_slopes` says: equal images tie."""
    x = statistics_of(padded, window)
    luminance, luminance_limit, structure, structure_limit = _factors(x, y, window)
    return luminance.mul_(structure).mul_(luminance_limit.mul_(structure_limit).reciprocal_())


def _factors(x: WindowStatistics, y: WindowStatistics, window: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Luminance and its limit, structure and its limit: SSIM is the product of the two quotients."""
    covariance = box_mean(x.padded * y.padded, window).addcmul_(x.mean, y.mean, value=-1)
    grey_x, grey_y = x.mean + MID_GREY, y.mean + MID_GREY
    luminance = (grey_x * grey_y).mul_(2).add_(C1)
    luminance_limit = grey_x.square_().addcmul_(grey_y, grey_y).add_(C1)
    structure_limit = (x.variance + y.variance).add_(C2)
    return luminance, luminance_limit, covariance.mul_(2).add_(C2), structure_limit


def box_mean(padded: Tensor, window: int) -> Tensor:
    """Mean over window x window pixels: (B, C, H + 2r, W + 2r) to (B, C, H, W)."""
    if padded.is_cuda:
        return F.avg_pool2d(padded, window, stride=1)
    # On a CPU sums of shifted slices are several times faster than pooling.
    height, width = padded.shape[-2] - window + 1, padded.shape[-1] - window + 1
    rows = padded[..., :height, :] + padded[..., 1 : 1 + height, :]
    for top in range(2, window):
        rows += padded[..., top : top + height, :]
    sums = rows[..., :width] + rows[..., 1 : 1 + width]
    for left in range(2, window):
        sums += rows[..., left : left + width]
    return sums.mul_(1 / window**2)
