"""How a prediction is laid over what was measured before the two are compared."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from selfsup_depth.evaluation.protocols import Protocol


class Aligned(NamedTuple):
    """Depths after alignment.

    depth: (n,) metres; where a shift leaves nothing positive, zero or less.
    scale: the factor on the prediction, a scalar; 1 = none.
    shift: what was added after it, metres or 1/m; 0 = nothing.
    """

    depth: Tensor
    scale: Tensor
    shift: Tensor


def align(predicted: Tensor, measured: Tensor, protocol: Protocol) -> Aligned:
    """Align predicted depth (n,) with measured depth (n,), metres, n > 0, as the protocol says."""
    one, zero = measured.new_ones(()), measured.new_zeros(())
    if protocol.scale == "median":
        scale = median(measured, protocol.median) / median(predicted, protocol.median)
        return Aligned(predicted * scale, scale, zero)
    if protocol.scale == "least_squares":
        scale = (predicted * measured).sum() / predicted.square().sum()
        return Aligned(predicted * scale, scale, zero)
    if protocol.scale == "shift_and_scale":
        scale, shift = line_through(predicted, measured)
        return Aligned(scale * predicted + shift, scale, shift)
    if protocol.scale == "shift_and_scale_inverse":
        scale, shift = line_through(1 / predicted, 1 / measured)
        inverse_depth = scale / predicted + shift
        # Behind infinity is as far as one can say.
        depth = torch.where(inverse_depth > 0, 1 / inverse_depth, torch.inf)
        return Aligned(depth, scale, shift)
    return Aligned(predicted, one, zero)


def median(values: Tensor, of_two: str = "mean") -> Tensor:
    """Middle value of (n,), n > 0; of an even number the mean of the middle two, or the lower.

    torch.median takes the lower; most published numbers take the mean. Two selections cost a tenth
    of the sort that `quantile` does; on a CPU NumPy makes both at once, without branches.
    """
    lower, upper = (len(values) - 1) // 2, len(values) // 2
    if values.device.type == "cpu":
        values = torch.from_numpy(np.partition(values.numpy(), (lower, upper)))
        middle = values[lower], values[upper]
    else:
        middle = values.kthvalue(lower + 1).values, values.kthvalue(upper + 1).values
    return middle[0] if of_two == "lower" else (middle[0] + middle[1]) / 2


def line_through(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Slope and offset of least squared error; a prediction that says one value has slope 0."""
    from_mean = x - x.mean()
    variance = from_mean.square().sum()
    slope = torch.where(variance > 0, (from_mean * y).sum() / variance, torch.zeros_like(variance))
    return slope, y.mean() - slope * x.mean()
