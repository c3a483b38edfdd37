"""From one predicted map and one measured map to seven errors.

Only the pixels that were measured are ever computed: a laser scan covers a twentieth of a
KITTI image, so sampling the prediction there is several times faster than resizing it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from selfsup_depth.errors import NumericError
from selfsup_depth.evaluation.protocols import Protocol


class DepthErrors(NamedTuple):
    """Errors of a set of pixels (Eigen et al., NeurIPS 2014), each a scalar.

    abs_rel: mean |predicted - measured| / measured.
    sq_rel: mean (predicted - measured)^2 / measured, metres.
    rmse: root of the mean squared error, metres.
    rmse_log: the same of natural logarithms.
    a1, a2, a3: shares with max(predicted / measured, measured / predicted) < 1.25^k.
    """

    abs_rel: Tensor
    sq_rel: Tensor
    rmse: Tensor
    rmse_log: Tensor
    a1: Tensor
    a2: Tensor
    a3: Tensor


class ImageErrors(NamedTuple):
    """The errors of one image, and the factor its prediction was multiplied by (1 = none)."""

    errors: DepthErrors
    scale: Tensor


def depth_errors(predicted: Tensor, measured: Tensor) -> DepthErrors:
    """Errors over pairs of depths.

    Args:
        predicted: (n,) metres, positive.
        measured: (n,) metres, positive; n > 0.
    """
    error = predicted - measured
    ratio = torch.maximum(predicted / measured, measured / predicted)
    return DepthErrors(
        abs_rel=(error.abs() / measured).mean(),
        sq_rel=(error.square() / measured).mean(),
        rmse=error.square().mean().sqrt(),
        rmse_log=(predicted.log() - measured.log()).square().mean().sqrt(),
        a1=(ratio < 1.25).to(error).mean(),
        a2=(ratio < 1.25**2).to(error).mean(),
        a3=(ratio < 1.25**3).to(error).mean(),
    )


def errors_of_image(inverse_depth: Tensor, measured: Tensor, protocol: Protocol) -> ImageErrors | None:
    """Compare one prediction with one measurement, in float64.

    Args:
        inverse_depth: (h, w) predicted, 1/m, of the same field of view at any resolution.
        measured: (H0, W0) metres, 0 = none.
        protocol: which pixels count, and how the prediction is scaled.

    Returns:
        The errors, or None where no measured pixel counts.

    Raises:
        NumericError: the prediction is NaN, infinite or negative at a pixel that counts.
    """
    rows, columns = pixels_that_count(measured, protocol)
    if not rows.numel():
        return None
    wanted = measured[rows, columns].double()
    sampled = sample_at(inverse_depth.double(), rows, columns, (measured.shape[0], measured.shape[1]))
    if not bool((sampled.isfinite() & (sampled >= 0)).all()):
        raise NumericError("predicted inverse depth is NaN, infinite or negative; it cannot be evaluated")
    predicted = 1 / sampled
    scale = wanted.new_ones(())
    if protocol.scale == "median":
        # torch.median takes the lower of two middle values; published numbers take their mean.
        scale = wanted.quantile(0.5) / predicted.quantile(0.5)
    predicted = (predicted * scale).clamp(protocol.min_depth, protocol.max_depth)
    return ImageErrors(depth_errors(predicted, wanted), scale)


def pixels_that_count(measured: Tensor, protocol: Protocol) -> tuple[Tensor, Tensor]:
    """Rows and columns of the measured pixels inside the protocol's range and crop.

    Args:
        measured: (H0, W0) metres; 0, negative and non-finite values were not measured.
    """
    top, bottom, left, right = protocol.crop_box(measured.shape[0], measured.shape[1])
    inside = measured[top:bottom, left:right]
    if protocol.measured_range == "clamp":
        counts = (inside > protocol.min_depth) & (inside < protocol.max_depth)
    else:
        counts = (inside > 0) & inside.isfinite()
    rows, columns = counts.nonzero(as_tuple=True)
    return rows + top, columns + left


def sample_at(values: Tensor, rows: Tensor, columns: Tensor, size: tuple[int, int]) -> Tensor:
    """What bilinear resizing to `size` gives at some of its pixels, without the others.

    Equals `F.interpolate(mode="bilinear", align_corners=False)` read at (rows, columns).

    Args:
        values: (h, w).
        rows: (n,) pixels of the resized map, integers.
        columns: (n,) likewise.
        size: (height, width) of the resized map.

    Returns:
        (n,)
    """
    height, width = values.shape
    top, bottom, down = neighbours(rows, size[0], height, values)
    left, right, along = neighbours(columns, size[1], width, values)
    upper = values[top, left] * (1 - along) + values[top, right] * along
    lower = values[bottom, left] * (1 - along) + values[bottom, right] * along
    return upper * (1 - down) + lower * down


def neighbours(pixels: Tensor, resized: int, length: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The two samples around each pixel of a resized axis, and the share of the second."""
    place = ((pixels.to(like) + 0.5) * (length / resized) - 0.5).clamp(min=0)
    first = place.long().clamp(max=length - 1)
    second = (first + 1).clamp(max=length - 1)
    return first, second, place - first
