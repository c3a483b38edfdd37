"""Which source rebuilds a pixel best, and what that leaves of the error."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from selfsup_depth.geometry.kernels import Kernel
from selfsup_depth.geometry.precision import at_least_float32, full_precision
from selfsup_depth.losses.photometric_gradient import Recipe, centre
from selfsup_depth.losses.photometric_kernels import (
    back_to_image,
    mean_error,
    of_channels,
    slopes_of,
    wide_gradient,
    wide_padded,
)
from selfsup_depth.losses.ssim import WindowStatistics

# Compiling takes longer with each source that a kernel compares; more sources than these have kernels
# of their own.
MOST_IN_ONE_KERNEL = 3


def of_the_least(values: list[Tensor], errors: list[Tensor], counted: Sequence[Tensor] = ()) -> Tensor:
    """The value of the source whose error is least, of those that count; the first of equals.

    Args:
        values: (B, 1, h, w) of each source; may want a gradient.
        errors: (B, 1, h, w) that decide, without one.
        counted: (B, 1, h, w) bool; absent: all.
    """
    compared = [error.detach() for error in errors]
    if counted:
        compared = [
            error.masked_fill(~mask, torch.inf) for error, mask in zip(compared, counted, strict=True)
        ]
    value, least = values[0], compared[0]
    for other, its_error in zip(values[1:], compared[1:], strict=True):
        value = torch.where(its_error < least, other, value)
        least = torch.minimum(its_error, least)
    return value


def least_error(
    images: Sequence[Tensor],
    y: WindowStatistics,
    usable: Sequence[Tensor],
    unmoved: Tensor | None,
    recipe: Recipe,
) -> tuple[Tensor, Tensor]:
    """The least photometric error of those that count, or that of the unmoved sources, in compiled kernels.

    For the way back only the slopes of the source that is chosen are kept.

    Args:
        images: (B, C, H, W) syntheses in [0, 1], at least one.
        y: wide statistics of the target.
        usable: (B, 1, H, W) bool of each source; where none is, all count but nothing is learned;
            absent: all are.
        unmoved: (B, 1, H, W) the error without motion: where it is not more, it stands, without gradient.
        recipe: of the error.

    Returns:
        (B, 1, H, W) the error, and where it is learned from.
    """
    with full_precision(images[0]):
        margin = [recipe.window - 1] * 4
        masks = [F.pad(mask, margin) for mask in usable]
        limit = None if unmoved is None else F.pad(unmoved, margin)
        raised = [at_least_float32(image) for image in images]
        return _LeastError.apply(y, masks, limit, recipe, *raised)  # type: ignore


class _LeastError(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        y: WindowStatistics,
        usable: list[Tensor],
        unmoved: Tensor | None,
        recipe: Recipe,
        *images: Tensor,
    ) -> tuple[Tensor, Tensor]:
        padded = [wide_padded(image, recipe.window) for image in images]
        if any(ctx.needs_input_grad):
            error, chosen, slopes = _least_and_slopes(padded, y, usable, unmoved, recipe)
            ctx.save_for_backward(y.padded, chosen, slopes, *images)
        else:
            error, chosen = _least(padded, y, usable, unmoved, recipe)
        ctx.recipe = recipe
        learned = centre(chosen, 2 * recipe.window - 1) >= 0
        ctx.mark_non_differentiable(learned)
        ctx.set_materialize_grads(False)
        return centre(error, 2 * recipe.window - 1), learned

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: None) -> tuple[Tensor | None, ...]:
        padded_y, chosen, slopes, *images = ctx.saved_tensors
        shares = _to_the_chosen(wide_gradient(gradient, ctx.recipe.window), chosen, len(images))
        by_images = (
            back_to_image(image, padded_y, slopes, share, ctx.recipe)
            for image, share in zip(images, shares, strict=True)
        )
        return None, None, None, None, *by_images


@Kernel
def _least(
    images: Sequence[Tensor],
    y: WindowStatistics,
    usable: Sequence[Tensor],
    unmoved: Tensor | None,
    recipe: Recipe,
) -> tuple[Tensor, Tensor]:
    """The error and the number of the source that is chosen; below 0 where nothing is learned."""
    return _choice([mean_error(of_channels(image, y, recipe)) for image in images], usable, unmoved)


@Kernel
def _least_and_slopes(
    images: Sequence[Tensor],
    y: WindowStatistics,
    usable: Sequence[Tensor],
    unmoved: Tensor | None,
    recipe: Recipe,
) -> tuple[Tensor, Tensor, Tensor]:
    """The same and (3 C, B, h, w), slopes of the source that is chosen."""
    sources = [of_channels(image, y, recipe) for image in images]
    error, chosen = _choice([mean_error(channels) for channels in sources], usable, unmoved)
    slopes = slopes_of(sources[0])
    for source, channels in enumerate(sources[1:], start=1):
        others = zip(slopes_of(channels), slopes, strict=True)
        slopes = [torch.where(chosen[:, 0] == source, own, other) for own, other in others]
    return error, chosen, torch.stack(slopes)


def _choice(errors: list[Tensor], usable: Sequence[Tensor], unmoved: Tensor | None) -> tuple[Tensor, Tensor]:
    # The choice is a float: masks over numbers of another width cost several times as much.
    compared, some = errors, None
    if usable:
        some = reduce(torch.logical_or, usable)
        compared = [
            torch.where(mask | ~some, error, torch.inf) for error, mask in zip(errors, usable, strict=True)
        ]
    least, chosen = compared[0], torch.zeros_like(compared[0])
    for source, error in enumerate(compared[1:], start=1):
        chosen = torch.where(error < least, float(source), chosen)
        least = torch.where(error < least, error, least)
    if some is not None:
        chosen = torch.where(some, chosen, -1.0)
    if unmoved is None:
        return least, chosen
    # Equality goes to the unmoved source: a fixed rule, so that runs repeat.
    kept = least < unmoved if some is None else some & (least < unmoved)
    return torch.where(kept, least, unmoved), torch.where(kept, chosen, -1.0)


@Kernel
def _to_the_chosen(gradient: Tensor, chosen: Tensor, num_sources: int) -> tuple[Tensor, ...]:
    return tuple(torch.where(chosen == source, gradient, 0.0) for source in range(num_sources))
