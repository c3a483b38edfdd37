"""Length of the predicted motion against the distance travelled, which makes video metric."""

from __future__ import annotations

import torch
from torch import Tensor

from selfsup_depth.geometry.precision import at_least_float32
from selfsup_depth.losses.base import LossTerm, masked_mean
from selfsup_depth.losses.needs import Need
from selfsup_depth.structures import Batch, DepthEstimate


class Velocity(LossTerm):
    """Mean absolute difference, in metres, between predicted and known length of the camera's motion.

    Source: Guizilini et al., "3D packing for self-supervised monocular depth estimation", CVPR 2020.

    Motions of unknown length (NaN) are left out of the mean; where all are, the term is zero.
    `num_unknown` counts them since the term was made, and is logged. Only what a pose network
    predicts is judged; without one the term is zero, too.

    Args:
        weight: factor in the weighted sum.
    """

    num_unknown: Tensor

    def __init__(self, weight: float = 0.05) -> None:
        super().__init__(weight)
        self.register_buffer("num_unknown", torch.zeros((), dtype=torch.long), persistent=False)

    def needs(self) -> set[Need]:
        return {Need.TRAVELLED, Need.PREDICTED_MOTION}

    def reports(self) -> dict[str, Tensor]:
        return {"num_unknown": self.num_unknown.float()}

    def forward(self, batch: Batch, estimates: list[DepthEstimate]) -> Tensor:
        """Mean over video sources and examples; see LossTerm. All levels move alike: one is read."""
        motions = estimates[0].motions
        if not motions:
            return estimates[0].inverse_depth.new_zeros(())
        translation = torch.stack([at_least_float32(T[:, :3, 3]) for T in motions])
        travelled = torch.stack([view.travelled for view in batch.video]).to(translation)
        known = ~travelled.isnan()
        self.num_unknown += (~known).sum()
        # The root's slope at zero is infinite; a picometre under it makes a still camera learnable.
        length = (translation.square().sum(-1) + 1e-12).sqrt()
        error = (length - torch.where(known, travelled, 0)).abs()
        return masked_mean(error, known)
