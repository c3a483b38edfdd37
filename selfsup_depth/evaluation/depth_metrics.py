"""Depth errors accumulated over a data set, on one process or on many."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from selfsup_depth.evaluation.depth_errors import (
    DepthErrors,
    ImageErrors,
    errors_of_image,
    pixels_that_count,
)
from selfsup_depth.evaluation.protocols import Protocol


class DepthMetrics(Metric):
    """Mean over images of each image's depth errors, under one protocol.

    An image without a single measured pixel that counts has no errors: it is counted as
    skipped, named in `skipped_names`, and never averaged in.

    Args:
        protocol: which pixels count, and how predictions are scaled.
        across_processes: sum over all processes of a distributed run; each must then ask.
    """

    full_state_update = False
    sums: Tensor
    num_images: Tensor
    num_skipped: Tensor
    scales: list[Tensor]

    def __init__(self, protocol: Protocol, across_processes: bool = True) -> None:
        super().__init__(sync_on_compute=across_processes)
        self.protocol = protocol
        self.skipped_names: list[str] = []
        # Of the last batch, None where no pixel counts: for those who want more than means.
        self.images: list[ImageErrors | None] = []
        self.add_state("sums", torch.zeros(len(DepthErrors._fields), dtype=torch.float64), "sum")
        self.add_state("num_images", torch.zeros((), dtype=torch.long), "sum")
        self.add_state("num_skipped", torch.zeros((), dtype=torch.long), "sum")
        self.add_state("scales", [], "cat")

    def update(self, inverse_depth: Tensor, measured: Tensor, names: Sequence[str] = ()) -> None:
        """Add a batch.

        Args:
            inverse_depth: (B, 1, h, w) predicted, 1/m.
            measured: (B, 1, H0, W0) metres, 0 = none.
            names: what each image is called, for those that have to be skipped.

        Raises:
            NumericError: a prediction is NaN, infinite or negative at a pixel that counts.
        """
        self.images = [
            errors_of_image(predicted.detach(), depth, self.protocol)
            for predicted, depth in zip(inverse_depth[:, 0], measured[:, 0], strict=True)
        ]
        for index, image in enumerate(self.images):
            if image is None:
                self.num_skipped += 1
                self.skipped_names.extend(names[index : index + 1])
                continue
            self.sums += torch.stack(image.errors)
            self.num_images += 1
            # float32 because torchmetrics sends that for a process without any image
            self.scales.append(image.scale.float().reshape(1))

    def compute(self) -> dict[str, float]:
        """The errors, `num_images`, `num_skipped` and, where predictions are scaled, the scale.

        `scale_median` is the median of the images' factors and `scale_std` their standard
        deviation divided by it. Without a single image the errors are NaN.
        """
        num_images = int(self.num_images)
        means = (self.sums / num_images).tolist() if num_images else [math.nan] * len(self.sums)
        metrics = dict(zip(DepthErrors._fields, means, strict=True))
        if self.protocol.scale != "metric":
            metrics |= spread_of_scales(self.scales)
        return metrics | {"num_images": num_images, "num_skipped": int(self.num_skipped)}

    def reset(self) -> None:
        """Forget every image."""
        super().reset()
        self.skipped_names = []
        self.images = []


class ConstantBaseline(DepthMetrics):
    """The errors of one constant depth per image: what any network has to beat.

    The constant is the median of the measured depths that count, so it is the best constant
    that one could guess with the answer in hand. It takes the same updates as DepthMetrics
    and only looks at the measured depth.
    """

    def update(self, inverse_depth: Tensor, measured: Tensor, names: Sequence[str] = ()) -> None:
        """Add a batch; `inverse_depth` is not read.

        Args:
            inverse_depth: as in DepthMetrics.
            measured: (B, 1, H0, W0) metres, 0 = none.
            names: as in DepthMetrics.
        """
        constants = [1 / median_that_counts(depth, self.protocol) for depth in measured[:, 0]]
        super().update(torch.stack(constants)[:, None, None, None], measured, names)


def median_that_counts(measured: Tensor, protocol: Protocol) -> Tensor:
    """Median of the measured depths (H0, W0) that count under a protocol; NaN where none does."""
    depths = measured[pixels_that_count(measured, protocol)].double()
    return depths.quantile(0.5) if depths.numel() else depths.new_tensor(math.nan)


def spread_of_scales(scales: list[Tensor] | Tensor) -> dict[str, float]:
    """Median of the scale factors and their standard deviation relative to it."""
    if not len(scales):
        return {"scale_median": math.nan, "scale_std": math.nan}
    factors = dim_zero_cat(scales).double()
    median = factors.quantile(0.5)
    return {"scale_median": float(median), "scale_std": float((factors / median).std(unbiased=False))}
