"""The photometric error as training computes it: the formula in pieces, its gradient in closed form.

`plain_photometric_error` is the formula, to be read; a test holds that value and gradient are equal.
Autograd would keep some thirty maps of every source and level, and most of the time would go into
fetching fresh memory for them. Here a piece of the image stays in the processor's cache from the
first window mean to the last product, and what is kept for the way back are three maps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from selfsup_depth.losses.ssim import (
    WindowStatistics,
    about_mid_grey,
    box_mean,
    similarity_and_slopes,
    similarity_of,
    ssim_dissimilarity,
)

# Where the robust difference turns from a parabola to a slope, for images in [0, 1] (FeatDepth).
CHARBONNIER = 1e-3

# Numbers in a piece of a map on a CPU: a dozen such pieces fit into its caches.
PIECE = 2**17


class Recipe(NamedTuple):
    """Which error it is; see `photometric_error`."""

    ssim_weight: float
    window: int
    robust: bool


def plain_photometric_error(x: Tensor, y: Tensor, recipe: Recipe) -> Tensor:
    """The formula: (B, C, H, W) twice to (B, 1, H, W)."""
    size = size_of(x - y, recipe.robust).mean(1, keepdim=True)
    structure = ssim_dissimilarity(x, y, recipe.window).mean(1, keepdim=True)
    return recipe.ssim_weight * structure + (1 - recipe.ssim_weight) * size


def size_of(difference: Tensor, robust: bool) -> Tensor:
    """|e|, or sqrt(e^2 + 0.001^2)."""
    return difference.square().add(CHARBONNIER**2).sqrt() if robust else difference.abs()


class PhotometricError(torch.autograd.Function):
    """`plain_photometric_error` of an image x (B, C, H, W) with the statistics of y, which is data."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, padded_y: Tensor, mean_y: Tensor, variance_y: Tensor, recipe: Recipe
    ) -> Tensor:
        of_y = WindowStatistics(padded_y, mean_y, variance_y)
        padded = about_mid_grey(x, recipe.window)
        error = padded.new_empty(x.shape[0], 1, *x.shape[2:])
        slopes = []
        for piece in pieces(mean_y):
            x_there, y_there = piece.of_padded(padded, recipe.window), piece.of(of_y, recipe.window)
            if ctx.needs_input_grad[0]:
                similarity, found = similarity_and_slopes(x_there, y_there, recipe.window)
                slopes.append(found)
            else:
                similarity = similarity_of(x_there, y_there, recipe.window)
            structure = similarity.neg_().add_(1).div_(2).clamp_(0, 1).mean(1, keepdim=True)
            size = size_of(centre(x_there - y_there.padded, recipe.window), recipe.robust)
            torch.add(
                structure.mul_(recipe.ssim_weight),
                size.mean(1, keepdim=True),
                alpha=1 - recipe.ssim_weight,
                out=piece.of_map(error),
            )
        ctx.save_for_backward(padded, padded_y, *slopes)
        ctx.recipe = recipe
        return error

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        padded, padded_y, *slopes = ctx.saved_tensors
        window, channels = ctx.recipe.window, padded.shape[1]
        by_similarity = gradient * (-ctx.recipe.ssim_weight / 2 / channels)
        by_size = gradient * ((1 - ctx.recipe.ssim_weight) / channels)
        total = torch.zeros_like(padded)
        for piece, slope in zip(pieces(total[..., window - 1 :, window - 1 :]), slopes, strict=True):
            x_there, y_there = piece.of_padded(padded, window), piece.of_padded(padded_y, window)
            by_mean, by_square, by_product = spread(slope * piece.of_map(by_similarity), window)
            by_mean.addcmul_(x_there, by_square, value=2).addcmul_(y_there, by_product)
            difference = centre(x_there - y_there, window)
            sign = difference / size_of(difference, True) if ctx.recipe.robust else difference.sign_()
            centre(by_mean, window).addcmul_(sign, piece.of_map(by_size))
            piece.of_padded(total, window).add_(by_mean)
        return centre(fold_reflection(total, window), window), None, None, None, None


class Piece(NamedTuple):
    """Some rows of some images of (B, C, H, W)."""

    images: slice
    rows: slice

    def of_map(self, values: Tensor) -> Tensor:
        """The piece itself."""
        return values[self.images, :, self.rows]

    def of_padded(self, padded: Tensor, window: int) -> Tensor:
        """What the windows of its pixels reach."""
        return padded[self.images, :, self.rows.start : self.rows.stop + window - 1]

    def of(self, statistics: WindowStatistics, window: int) -> WindowStatistics:
        """What is needed to compare with it."""
        padded = self.of_padded(statistics.padded, window)
        return WindowStatistics(padded, self.of_map(statistics.mean), self.of_map(statistics.variance))


def pieces(maps: Tensor) -> Iterator[Piece]:
    """Cut (B, C, H, W) into what fits the caches of a processor; into nothing smaller on a GPU."""
    batch, channels, height, width = maps.shape
    if not maps.is_cpu:
        yield Piece(slice(0, batch), slice(0, height))
        return
    rows = max(1, PIECE // (channels * width))
    for image in range(batch):
        for top in range(0, height, rows):
            yield Piece(slice(image, image + 1), slice(top, min(top + rows, height)))


def centre(padded: Tensor, window: int) -> Tensor:
    """A padded map without what the padding added."""
    radius = window // 2
    return padded[..., radius:-radius, radius:-radius]


def spread(values: Tensor, window: int) -> Tensor:
    """What each pixel of a padded map has in the window means, weighted by `values`.

    Args:
        values: (N, B, C, h, W) derivatives by the means.
        window: side of the window in pixels.

    Returns:
        (N, B, C, h + 2r, W + 2r).
    """
    spread_out = box_mean(F.pad(values.flatten(0, 1), [window - 1] * 4), window)
    return spread_out.view(*values.shape[:3], *spread_out.shape[-2:])


def fold_reflection(padded: Tensor, window: int) -> Tensor:
    """Add what belongs to reflected pixels to the pixels they show, in place."""
    radius, height, width = window // 2, padded.shape[-2], padded.shape[-1]
    for beyond in range(radius):
        padded[..., 2 * radius - beyond, :] += padded[..., beyond, :]
        padded[..., height - 1 - 2 * radius + beyond, :] += padded[..., height - 1 - beyond, :]
    for beyond in range(radius):
        padded[..., 2 * radius - beyond] += padded[..., beyond]
        padded[..., width - 1 - 2 * radius + beyond] += padded[..., width - 1 - beyond]
    return padded
