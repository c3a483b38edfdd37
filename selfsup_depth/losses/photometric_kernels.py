"""The photometric error in compiled kernels: what `photometric_gradient.py` does in pieces.

A kernel passes once over memory and reads what it needs around each pixel, so it must find something
there: images are padded widely enough that no window and no gradient of one reaches beyond. What lies
outside of the reflected border is finite and has no influence, its gradient being zero. Channels are
taken one by one, so that all that is known of a pixel is in registers when its error is.
"""

from __future__ import annotations

from typing import Any, NamedTuple

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
    statistics_of,
)


def wide_padded(image: Tensor, window: int) -> Tensor:
    """(B, C, H, W) to (B, C, H + 6r, W + 6r) about mid-grey: reflected over r, anything over 2r more."""
    if min(image.shape[-2:]) > 3 * (window // 2):
        return F.pad(image, [3 * (window // 2)] * 4, mode="reflect").sub_(MID_GREY)
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
        of_y = WindowStatistics(padded_y, mean_y, variance_y)
        padded = wide_padded(x, recipe.window)
        ctx.recipe = recipe
        if ctx.needs_input_grad[0]:
            error, slopes = error_and_slopes(padded, of_y, recipe)
            ctx.save_for_backward(x, padded_y, slopes)
        else:
            error = error_alone(padded, of_y, recipe)
        return centre(error, 2 * recipe.window - 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, padded_y, slopes = ctx.saved_tensors
        gradient = wide_gradient(gradient, ctx.recipe.window)
        return back_to_image(x, padded_y, slopes, gradient, ctx.recipe), None, None, None, None


def wide_gradient(gradient: Tensor, window: int) -> Tensor:
    """(B, 1, H, W) to (B, 1, H + 4r, W + 4r), zero outside."""
    return F.pad(gradient, [window - 1] * 4)


def back_to_image(x: Tensor, padded_y: Tensor, slopes: Tensor, gradient: Tensor, recipe: Recipe) -> Tensor:
    """By an image (B, C, H, W), of what is by its error, as `wide_gradient` returns it."""
    total = _gradient(wide_padded(x, recipe.window), padded_y, slopes, gradient, recipe)
    return centre(fold_reflection(total, recipe.window), recipe.window)


class _Channel(NamedTuple):
    """What one channel says of each pixel, all (B, h, w).

    error: its share in the error.
    by_mean, by_square, by_product: derivatives of SSIM; see `similarity_and_slopes`.
    """

    error: Tensor
    by_mean: Tensor
    by_square: Tensor
    by_product: Tensor


def of_channels(x: Tensor, y: WindowStatistics, recipe: Recipe) -> list[_Channel]:
    """What each channel of x (B, C, h + 2r, w + 2r) says, compared with y."""
    each = zip(x.unbind(1), y.padded.unbind(1), y.mean.unbind(1), y.variance.unbind(1), strict=True)
    return [_of_channel(*channel, recipe) for channel in each]


def _of_channel(x: Tensor, y: Tensor, mean_y: Tensor, variance_y: Tensor, recipe: Recipe) -> _Channel:
    _, mean, variance = statistics_of(x, recipe.window)
    grey_x, grey_y = mean + MID_GREY, mean_y + MID_GREY
    luminance, luminance_limit = 2 * grey_x * grey_y + C1, grey_x**2 + grey_y**2 + C1
    structure = 2 * (box_mean(x * y, recipe.window) - mean * mean_y) + C2
    structure_limit = variance + variance_y + C2
    per_limits = 1 / (luminance_limit * structure_limit)
    similarity = luminance * structure * per_limits
    by_square = -similarity / structure_limit
    by_product = 2 * luminance * per_limits
    by_mean = 2 * (grey_y * structure * per_limits - grey_x * similarity / luminance_limit)
    # The means also enter variance and covariance.
    by_mean = by_mean - 2 * mean * by_square - mean_y * by_product
    size = size_of(centre(x - y, recipe.window), recipe.robust)
    error = recipe.ssim_weight * ((1 - similarity) / 2).clamp(0, 1) + (1 - recipe.ssim_weight) * size
    return _Channel(error, by_mean, by_square, by_product)


def mean_error(channels: list[_Channel]) -> Tensor:
    """(B, 1, h, w)."""
    total = channels[0].error
    for channel in channels[1:]:
        total = total + channel.error
    return (total / len(channels))[:, None]


def slopes_of(channels: list[_Channel]) -> list[Tensor]:
    """(B, h, w) each, three a channel."""
    return [slope for channel in channels for slope in channel[1:]]


@Kernel
def _statistics(padded: Tensor, window: int) -> tuple[Tensor, Tensor, Tensor]:
    return tuple(statistics_of(padded, window))  # type: ignore[return-value]


@Kernel
def error_alone(x: Tensor, y: WindowStatistics, recipe: Recipe) -> Tensor:
    """(B, 1, h, w) of (B, C, h + 2r, w + 2r)."""
    return mean_error(of_channels(x, y, recipe))


@Kernel
def error_and_slopes(x: Tensor, y: WindowStatistics, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """The same and (3 C, B, h, w)."""
    channels = of_channels(x, y, recipe)
    return mean_error(channels), torch.stack(slopes_of(channels))


@Kernel
def _gradient(x: Tensor, y: Tensor, slopes: Tensor, gradient: Tensor, recipe: Recipe) -> Tensor:
    """By x (B, C, H + 2r, W + 2r), reflected pixels still for themselves.

    Args:
        x: (B, C, H + 6r, W + 6r).
        y: the same.
        slopes: (3 C, B, H + 4r, W + 4r).
        gradient: (B, 1, H + 4r, W + 4r) by the error, zero outside of the image.
        recipe: of the error.
    """
    window, num_channels = recipe.window, x.shape[1]
    x, y = centre(x, 2 * window - 1), centre(y, 2 * window - 1)
    by_similarity = -recipe.ssim_weight / 2 / num_channels
    by_size = (1 - recipe.ssim_weight) / num_channels * centre(gradient[:, 0], window)
    by_channel = []
    for channel, (own, other) in enumerate(zip(x.unbind(1), y.unbind(1), strict=True)):
        of_channel = slopes[3 * channel : 3 * channel + 3].unbind()
        by_mean, by_square, by_product = (box_mean(slope * gradient[:, 0], window) for slope in of_channel)
        difference = own - other
        sign = difference / size_of(difference, True) if recipe.robust else difference.sign()
        by_channel.append(
            by_similarity * (by_mean + 2 * own * by_square + other * by_product) + by_size * sign
        )
    return torch.stack(by_channel, dim=1)
