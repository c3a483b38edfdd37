"""Whether a prediction knows where it is wrong: sparsification curves.

Ilg et al., "Uncertainty estimates and multi-hypotheses networks for optical flow", ECCV 2018;
for depth Poggi et al., "On the uncertainty of self-supervised monocular depth estimation", CVPR 2020.
The least sure pixels are removed, two per cent of them at a time; the error of those that are left
should fall. AUSE is the area between that curve and the one that removes the largest errors first
(0: the uncertainty orders the pixels as their errors do), AURG the area between a removal at
random, which changes nothing, and the curve (0 and less: the uncertainty is worth nothing).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric

NUM_REMOVALS = 50
METRICS = ("abs_rel", "rmse", "1-a1")


class Curves(NamedTuple):
    """Error over the share of pixels that is removed: 0, 1/50, ..., 49/50, and 0 where none is left.

    by_uncertainty: (3, 51) by METRICS.
    by_error: (3, 51) the same where the errors themselves say what is removed.
    """

    by_uncertainty: Tensor
    by_error: Tensor

    @property
    def ause(self) -> Tensor:
        """(3,) area between the two."""
        return torch.trapezoid(self.by_uncertainty - self.by_error, dx=1 / NUM_REMOVALS)

    @property
    def aurg(self) -> Tensor:
        """(3,) area between the error of all pixels and the curve; 1 % of it where all are equally sure."""
        return torch.trapezoid(self.by_uncertainty[:, :1] - self.by_uncertainty, dx=1 / NUM_REMOVALS)

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Areas and curves by metric, for a result file."""
        each = zip(METRICS, self.ause, self.aurg, self.by_uncertainty, self.by_error, strict=True)
        return {
            metric: {"ause": float(ause), "aurg": float(aurg)}
            | {"by_uncertainty": by_uncertainty.tolist(), "by_error": by_error.tolist()}
            for metric, ause, aurg, by_uncertainty, by_error in each
        }


class Sparsification(Metric):
    """Mean over images of each image's curves.

    Args:
        across_processes: sum over all processes of a distributed run; each must then ask.
    """

    full_state_update = False
    by_uncertainty: Tensor
    by_error: Tensor
    num_images: Tensor

    def __init__(self, across_processes: bool = True) -> None:
        super().__init__(sync_on_compute=across_processes)
        nothing = torch.zeros(len(METRICS), NUM_REMOVALS + 1, dtype=torch.float64)
        self.add_state("by_uncertainty", nothing, "sum")
        self.add_state("by_error", nothing.clone(), "sum")
        self.add_state("num_images", torch.zeros((), dtype=torch.long), "sum")

    def update(self, predicted: Tensor, measured: Tensor, uncertainty: Sequence[Tensor]) -> None:
        """Add an image; see curves_of_image. One without uncertainty adds nothing."""
        for values in uncertainty:
            curves = curves_of_image(predicted, measured, values)
            self.by_uncertainty += curves.by_uncertainty.to(self.by_uncertainty)
            self.by_error += curves.by_error.to(self.by_error)
            self.num_images += 1

    def compute(self) -> Curves:
        """The mean curves; NaN without any image."""
        return Curves(self.by_uncertainty / self.num_images, self.by_error / self.num_images)


def curves_of_image(predicted: Tensor, measured: Tensor, uncertainty: Tensor) -> Curves:
    """Sparsification curves of one image.

    Args:
        predicted: (n,) metres, after alignment and clamp; n > 0.
        measured: (n,) metres.
        uncertainty: (n,) larger is less sure, of any unit; only the order counts.
    """
    ratio = torch.maximum(predicted / measured, measured / predicted).double()
    error = (predicted - measured).double()
    means = [(error.abs() / measured), error.square(), (ratio >= 1.25).double()]
    orders = [means[0], means[1], ratio]
    by_uncertainty = torch.stack([_curve(values, uncertainty) for values in means])
    by_error = torch.stack([_curve(values, order) for values, order in zip(means, orders, strict=True)])
    rmse = METRICS.index("rmse")
    by_uncertainty[rmse], by_error[rmse] = by_uncertainty[rmse].sqrt(), by_error[rmse].sqrt()
    return Curves(by_uncertainty, by_error)


def _curve(values: Tensor, order: Tensor) -> Tensor:
    """Mean of what is left (51,) as the pixels of largest order go; those that tie go together."""
    order, indices = order.double().sort()
    sums = values[indices].cumsum(0)
    kept = 1 - torch.arange(NUM_REMOVALS, dtype=order.dtype, device=order.device) / NUM_REMOVALS
    # Between two pixels as numpy.percentile does; torch.quantile refuses more than 16 million.
    place = kept * (len(order) - 1)
    below = place.long()
    above = (below + 1).clamp(max=len(order) - 1)
    threshold = order[below].lerp(order[above], place - below)
    num_kept = torch.searchsorted(order, threshold, right=True).clamp(min=1)
    return torch.cat([sums[num_kept - 1] / num_kept, sums.new_zeros(1)])
