"""What a loss term is."""

from __future__ import annotations

import abc
import math

import torch
import torch.distributed
from torch import Tensor, nn

from selfsup_depth.errors import ConfigError
from selfsup_depth.losses.needs import Need
from selfsup_depth.structures import Batch, DepthEstimate


class LossTerm(nn.Module, abc.ABC):
    """One term of the objective: a number that is smaller when the estimates are better.

    A term gets the whole pyramid at once, so that what is equal at every level (the error of
    the unmoved sources, the target's statistics) is computed once. A subclass in a file of
    the user's works like those that come with the package. The first line of its docstring says
    what it is for, a line `Source: Authors, "Title", venue year.` where it is from.

    Args:
        weight: factor in the weighted sum; 0 switches the term off and skips its computation.
    """

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        if not 0 <= weight < math.inf:
            raise ConfigError(f"weight of {weight}, in a loss term; give 0 (off) or more")
        self.weight = weight
        # Whether what has compiled kernels is computed in them; the module that is trained says so.
        self.compiled = False
        # Share of the pixels that taught something in the last pass, a scalar; None where a term leaves
        # none out. Whoever watches a run reads it.
        self.kept_share: Tensor | None = None

    def needs(self) -> set[Need]:
        """What the term cannot do without, with the options it was given.

        A run that lacks it is refused before its first step, and the module predicts the sources'
        depth only where an active term asks for it.
        """
        return set()

    def reports(self) -> dict[str, Tensor]:
        """Counts to log, by name; a scalar each, added up over the processes that train together."""
        return {}

    @abc.abstractmethod
    def forward(self, batch: Batch, estimates: list[DepthEstimate]) -> Tensor:
        """Unweighted value of the term, a scalar.

        Args:
            batch: target and sources, colours as taken (not jittered).
            estimates: one per pyramid level, finest first.
        """


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the values that count; zero where none does.

    Where several processes train together it divides by the mean of their counts. The processes'
    means then average to the mean over all values, and so do the gradients, as a distributed
    optimizer averages them: two processes with batches of b learn what one learns from 2 b. The
    mean of each process's own mean would give a value more weight where fewer count.

    Under torch.no_grad() nothing is asked of the other processes.

    Args:
        values: of any shape; what does not count may be NaN, but a step before that turns zero gradient
            into NaN (a root, a product with NaN) must be kept from it.
        mask: bool, broadcastable to the values, true where one counts.
    """
    counted = mask.expand_as(values)
    return torch.where(counted, values, 0).sum() / _count(counted).to(values.dtype)


def _count(mask: Tensor) -> Tensor:
    """How many are true, the mean over the processes that train together; never zero."""
    if not (torch.is_grad_enabled() and torch.distributed.is_initialized()):
        return mask.sum().clamp(min=1)
    total = mask.sum()
    torch.distributed.all_reduce(total)
    return total.clamp(min=1).double() / torch.distributed.get_world_size()


def refuse_negative(**factors: float) -> None:
    """Refuse factors of a term that are below zero, infinite or no number.

    Raises:
        ConfigError: naming the first of them.
    """
    for name, value in factors.items():
        if not 0 <= value < math.inf:
            raise ConfigError(f"{name} of {value}, in a loss term; give 0 or more")
