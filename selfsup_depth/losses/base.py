"""What a loss term is."""

from __future__ import annotations

import abc

from torch import Tensor, nn

from selfsup_depth.structures import Batch, DepthEstimate


class LossTerm(nn.Module, abc.ABC):
    """One term of the objective: a number that is smaller when the estimates are better.

    A term gets the whole pyramid at once, so that what is equal at every level (the error of
    the unmoved sources, the target's statistics) is computed once. A subclass in a file of
    the user's works like those that come with the package.

    Args:
        weight: factor in the weighted sum; 0 switches the term off and skips its computation.
    """

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight

    @abc.abstractmethod
    def forward(self, batch: Batch, estimates: list[DepthEstimate]) -> Tensor:
        """Unweighted value of the term, a scalar.

        Args:
            batch: target and sources, colours as taken (not jittered).
            estimates: one per pyramid level, finest first.
        """
