"""From one predicted map and one measured map to errors, computed at the measured pixels only."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from selfsup_depth.errors import NumericError
from selfsup_depth.evaluation.alignment import align
from selfsup_depth.evaluation.protocols import Protocol
from selfsup_depth.evaluation.sampling import sample_at

# A protocol without a least depth still asks for logarithms, metres.
LEAST_DEPTH = 1e-6
IN_NUMPY = (torch.float32, torch.float64)


class DepthErrors(NamedTuple):
    """Errors of a set of pixels (Eigen et al., NeurIPS 2014; Uhrig et al., 3DV 2017), each a scalar.

    abs_rel: mean |predicted - measured| / measured.
    sq_rel: mean (predicted - measured)^2 / measured, metres.
    rmse: root of the mean squared error, metres.
    rmse_log: the same of natural logarithms.
    a1, a2, a3: shares with max(predicted / measured, measured / predicted) < 1.25^k.
    log10: mean difference of decimal logarithms.
    silog: 100 times the standard deviation of the difference of natural logarithms.
    mae: mean absolute error, metres.
    irmse: root of the mean squared error of inverse depth, 1/km.
    sq_rel_benchmark: mean ((predicted - measured) / measured)^2, what KITTI's server calls sqRel.
    """

    abs_rel: Tensor
    sq_rel: Tensor
    rmse: Tensor
    rmse_log: Tensor
    a1: Tensor
    a2: Tensor
    a3: Tensor
    log10: Tensor
    silog: Tensor
    mae: Tensor
    irmse: Tensor
    sq_rel_benchmark: Tensor


# What everybody reports, in everybody's order.
REPORTED = DepthErrors._fields[:7]


class ImageErrors(NamedTuple):
    """The errors of one image, and what is known about each of its pixels that count.

    errors: means over the pixels.
    scale: the factor its prediction was multiplied by, 1 = none.
    shift: what was added after it, metres or 1/m, 0 = nothing.
    rows, columns: (n,) the pixels.
    predicted: (n,) after alignment and clamp, metres.
    measured: (n,) metres.
    unclamped: (n,) predicted after alignment alone, metres.
    """

    errors: DepthErrors
    scale: Tensor
    shift: Tensor
    rows: Tensor
    columns: Tensor
    predicted: Tensor
    measured: Tensor
    unclamped: Tensor


def depth_errors(predicted: Tensor, measured: Tensor) -> DepthErrors:
    """Errors over pairs of depths.

    Args:
        predicted: (n,) metres, positive.
        measured: (n,) metres, positive; n > 0.
    """
    num, error, quotient = len(measured), predicted - measured, predicted / measured
    relative, log_error = error / measured, quotient.log()
    from_mean = log_error - log_error.mean()
    inverse_error = relative / predicted
    ratio = torch.maximum(quotient, quotient.reciprocal())
    # Compared with a tensor and all at once, twice as fast as with one number after the other.
    limits = ratio.new_tensor([[1.25], [1.25**2], [1.25**3]])
    below = (ratio < limits).count_nonzero(1) / error.new_tensor(num)
    # A dot product squares and sums in one pass.
    return DepthErrors(
        abs_rel=relative.abs().mean(),
        sq_rel=error.dot(relative) / num,
        rmse=(error.dot(error) / num).sqrt(),
        rmse_log=(log_error.dot(log_error) / num).sqrt(),
        a1=below[0],
        a2=below[1],
        a3=below[2],
        log10=log_error.abs().mean() / math.log(10),
        silog=100 * (from_mean.dot(from_mean) / num).sqrt(),
        mae=error.abs().mean(),
        irmse=1000 * (inverse_error.dot(inverse_error) / num).sqrt(),
        sq_rel_benchmark=relative.dot(relative) / num,
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
    wanted = measured.flatten().index_select(0, rows * measured.shape[1] + columns).double()
    size = (measured.shape[0], measured.shape[1])
    predicted = depth_at(inverse_depth, rows, columns, size, protocol)
    if protocol.clamp == "before":
        predicted = predicted.clamp(protocol.min_depth, protocol.max_depth)
    aligned = align(predicted, wanted, protocol)
    predicted = aligned.depth.clamp(max(protocol.min_depth, LEAST_DEPTH), protocol.max_depth)
    errors = depth_errors(predicted, wanted)
    return ImageErrors(errors, aligned.scale, aligned.shift, rows, columns, predicted, wanted, aligned.depth)


def depth_at(
    inverse_depth: Tensor, rows: Tensor, columns: Tensor, size: tuple[int, int], protocol: Protocol
) -> Tensor:
    """Predicted depth (n,), metres, at pixels of the measured map, resized as the protocol says.

    Raises:
        NumericError: the prediction is NaN, infinite or negative there.
    """
    values = 1 / inverse_depth.double() if protocol.resize == "depth" else inverse_depth
    sampled = sample_at(values, rows, columns, size, protocol.align_corners)
    # NaN where any is; and what lies between infinity and anything is NaN.
    if not sampled.amin() >= 0:
        raise NumericError("predicted inverse depth is NaN, infinite or negative; it cannot be evaluated")
    return sampled if protocol.resize == "depth" else 1 / sampled


def pixels_that_count(measured: Tensor, protocol: Protocol) -> tuple[Tensor, Tensor]:
    """Rows and columns of the measured pixels inside the protocol's range and crop.

    Args:
        measured: (H0, W0) metres; 0, negative and non-finite values were not measured.
    """
    height, width = measured.shape
    top, bottom, left, right = protocol.crop_box(height, width)
    within = protocol.measured_range == "clamp"
    nearest, farthest = (protocol.min_depth, protocol.max_depth) if within else (0.0, math.inf)
    # Whole rows: what lies together in memory is compared several times as fast as a crop.
    whole = measured[top:bottom]
    # NumPy compares and finds several times as fast as torch does on a CPU.
    values = whole.numpy() if whole.device.type == "cpu" and whole.dtype in IN_NUMPY else whole
    counts = (values > nearest) & (values < farthest)
    counts[:, :left] = False
    counts[:, right:] = False
    if isinstance(counts, Tensor):
        rows, columns = counts.nonzero().unbind(1)
        return rows + top, columns
    found = np.flatnonzero(counts)
    rows_in_crop = found // width
    return torch.from_numpy(rows_in_crop + top), torch.from_numpy(found - rows_in_crop * width)
