"""Errors of what moves and of what stands still, where a mask tells them apart."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from selfsup_depth.evaluation.exhibits import Exhibit
from selfsup_depth.evaluation.image_metric import ImageMetric


class MovingPixels(ImageMetric):
    """abs_rel and a1 of static and of moving pixels apart, after one alignment of both.

    Args:
        across_processes: see ImageMetric.
    """

    def __init__(self, across_processes: bool = True) -> None:
        names = [f"{kind}_{error}" for kind in ("static", "moving") for error in ("abs_rel", "a1")]
        super().__init__("static and moving", names, across_processes)

    def measure(self, image: Exhibit) -> list[Tensor]:
        """Both errors of each kind; NaN where the image has no such pixel or no mask."""
        errors = image.errors
        for mask in image.context.moving:
            moving = mask[errors.rows, errors.columns].bool()
            relative = (errors.predicted - errors.measured).abs() / errors.measured
            ratio = torch.maximum(errors.predicted / errors.measured, errors.measured / errors.predicted)
            right = (ratio < 1.25).double()
            return [values[kind].mean() for kind in (~moving, moving) for values in (relative, right)]
        return [torch.tensor(math.nan)] * len(self.names)
