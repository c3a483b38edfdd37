"""Numbers about single images, averaged over the images that have them."""

from __future__ import annotations

import abc
from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

from selfsup_depth.evaluation.exhibits import Exhibit


class ImageMetric(Metric, abc.ABC):
    """Means over images of what a subclass says of each.

    Args:
        title: what a report calls them together.
        names: of the numbers.
        across_processes: sum over all processes of a distributed run; each must then ask.
    """

    full_state_update = False
    sums: Tensor
    counts: Tensor

    def __init__(self, title: str, names: Sequence[str], across_processes: bool = True) -> None:
        super().__init__(sync_on_compute=across_processes)
        self.title = title
        self.names = list(names)
        self.add_state("sums", torch.zeros(len(self.names), dtype=torch.float64), "sum")
        self.add_state("counts", torch.zeros(len(self.names), dtype=torch.long), "sum")

    @abc.abstractmethod
    def measure(self, image: Exhibit) -> Sequence[Tensor]:
        """The numbers of one image in the order of the names, NaN for those it has not."""

    def update(self, image: Exhibit) -> None:
        """Add an image."""
        found = torch.stack([value.double().cpu() for value in self.measure(image)])
        self.sums += found.nan_to_num(0.0).to(self.sums.device)
        self.counts += found.isfinite().to(self.counts.device)

    def compute(self) -> dict[str, float]:
        """Every number that at least one image has."""
        return {
            name: float(total / count)
            for name, total, count in zip(self.names, self.sums, self.counts, strict=True)
            if count
        }
