"""How the relative error grows with distance, in equal steps of measured depth."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric

from selfsup_depth.evaluation.depth_errors import ImageErrors
from selfsup_depth.evaluation.protocols import Protocol

NUM_STEPS = 16


class ErrorProfile(NamedTuple):
    """abs_rel by measured depth.

    edges: of the steps, metres, one more than there are steps.
    abs_rel: of each step, mean over the images that have pixels in it; None where none has.
    pixels: how many were measured in each step.
    """

    edges: list[float]
    abs_rel: list[float | None]
    pixels: list[int]


class ErrorByDistance(Metric):
    """abs_rel in NUM_STEPS steps up to the protocol's largest depth.

    Args:
        protocol: that the errors were made under.
        across_processes: sum over all processes of a distributed run; each must then ask.
    """

    full_state_update = False
    sums: Tensor
    images: Tensor
    pixels: Tensor

    def __init__(self, protocol: Protocol, across_processes: bool = True) -> None:
        super().__init__(sync_on_compute=across_processes)
        self.max_depth = protocol.max_depth
        self.add_state("sums", torch.zeros(NUM_STEPS, dtype=torch.float64), "sum")
        self.add_state("images", torch.zeros(NUM_STEPS, dtype=torch.long), "sum")
        self.add_state("pixels", torch.zeros(NUM_STEPS, dtype=torch.long), "sum")

    def update(self, image: ImageErrors) -> None:
        """Add an image; what lies beyond the largest depth belongs to no step."""
        step = (image.measured / (self.max_depth / NUM_STEPS)).long()
        inside = step < NUM_STEPS
        relative = ((image.predicted - image.measured).abs() / image.measured)[inside]
        pixels = torch.bincount(step[inside], minlength=NUM_STEPS)
        total = torch.bincount(step[inside], weights=relative.double(), minlength=NUM_STEPS)
        self.sums += (total / pixels.clamp(min=1)).to(self.sums.device)
        self.images += (pixels > 0).to(self.images.device)
        self.pixels += pixels.to(self.pixels.device)

    def compute(self) -> ErrorProfile:
        """The profile over all images."""
        edges = [self.max_depth / NUM_STEPS * index for index in range(NUM_STEPS + 1)]
        means = [
            float(total / images) if images else None
            for total, images in zip(self.sums, self.images, strict=True)
        ]
        return ErrorProfile(edges, means, self.pixels.tolist())
