"""Structural dissimilarity of two images (Wang et al., "Image quality assessment: from error
visibility to structural similarity", 2004), with box windows as in Monodepth (Godard et al., 2017).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

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
        window: side of the window in pixels, odd, at least 3.
    """
    image = at_least_float32(image)
    padded = F.pad(image - MID_GREY, [window // 2] * 4, mode="reflect")
    mean = box_mean(padded, window)
    return WindowStatistics(image, padded, mean, box_mean(padded.square(), window) - mean.square())


def ssim_dissimilarity(x: Tensor, y: Tensor | WindowStatistics, window: int = 3) -> Tensor:
    """(1 - SSIM) / 2, clamped to [0, 1]; 0 where the windows are equal.

    Args:
        x: (B, C, H, W) in [0, 1].
        y: (B, C, H, W) in [0, 1], or its statistics for the same window; data, without gradient.
        window: side of the window in pixels, odd, at least 3.

    Returns:
        (B, C, H, W), float32 under autocast.
    """
    with full_precision(x):
        of_y = y if isinstance(y, WindowStatistics) else window_statistics(y, window)
        if of_y.image.requires_grad:
            raise ValueError("the dissimilarity has no gradient for its second image; exchange the two")
        dissimilarity = _Dissimilarity.apply(at_least_float32(x), *of_y, window)  # type: ignore[no-untyped-call]
        return dissimilarity  # type: ignore[no-any-return]


class _Dissimilarity(torch.autograd.Function):
    """The formula with its gradient in closed form.

    SSIM depends on x through three window means: of x, of x^2 and of x y. Its derivatives by them
    are made while everything is at hand; going backward costs three box means instead of a walk
    through some thirty maps that would have to be kept.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, y: Tensor, padded_y: Tensor, mean_y: Tensor, variance_y: Tensor, window: int
    ) -> Tensor:
        of_x = window_statistics(x, window)
        covariance = box_mean(of_x.padded * padded_y, window).addcmul_(of_x.mean, mean_y, value=-1)
        grey_x, grey_y = of_x.mean + MID_GREY, mean_y + MID_GREY
        luminance = (grey_x * grey_y).mul_(2).add_(C1)
        structure = covariance.mul_(2).add_(C2)
        luminance_limit = (grey_x * grey_x).addcmul_(grey_y, grey_y).add_(C1)
        structure_limit = (of_x.variance + variance_y).add_(C2)
        per_limits = (luminance_limit * structure_limit).reciprocal_()
        similarity = luminance * structure * per_limits
        dissimilarity = ((1 - similarity) / 2).clamp_(0, 1)
        if ctx.needs_input_grad[0]:
            by_square = -similarity / structure_limit
            by_product = 2 * luminance * per_limits
            by_mean = 2 * grey_y * structure * per_limits - 2 * grey_x * similarity / luminance_limit
            # The means also enter variance and covariance.
            by_mean.addcmul_(of_x.mean, by_square, value=-2).addcmul_(mean_y, by_product, value=-1)
            unclamped = (similarity >= -1) & (similarity <= 1)
            ctx.save_for_backward(x, y, unclamped, by_mean, by_square, by_product)
            ctx.window = window
        return dissimilarity

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, y, unclamped, *derivatives = ctx.saved_tensors
        gradient = (gradient * unclamped).div_(-2)
        by_mean, by_square, by_product = (
            box_mean_adjoint(gradient * derivative, ctx.window) for derivative in derivatives
        )
        total = by_mean.addcmul_(x - MID_GREY, by_square, value=2).addcmul_(y - MID_GREY, by_product)
        return total, None, None, None, None, None


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
    return sums.div_(window**2)


def box_mean_adjoint(values: Tensor, window: int) -> Tensor:
    """What each pixel contributes to the box means of the reflected image, weighted by `values`.

    Args:
        values: (B, C, H, W) derivative by the mean around each pixel.
        window: side of the window in pixels, odd, at least 3.

    Returns:
        (B, C, H, W) derivative by each pixel.
    """
    radius = window // 2
    spread = box_mean(F.pad(values, [2 * radius] * 4), window)
    folded: Tensor = torch.ops.aten.reflection_pad2d_backward(spread, values, [radius] * 4)
    return folded
