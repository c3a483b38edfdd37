"""What depth and motion explain of a view: a weight for each pixel of the photometric error."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from selfsup_depth.geometry.precision import at_least_float32
from selfsup_depth.losses.base import LossTerm
from selfsup_depth.losses.needs import Need
from selfsup_depth.structures import Batch, DepthEstimate


class Explainability(LossTerm):
    """Keeps the explainability masks from vanishing: their mean cross-entropy to one.

    Source: Zhou et al., "Unsupervised learning of depth and ego-motion from video", CVPR 2017.

    The photometric error of a source is multiplied by its mask E in (0, 1). Where that error, times
    the photometric weight, is d, both together are least at E = min(1, weight / d): what can be
    explained counts in full.
    Without this term E falls to zero everywhere and nothing is learned any more.

    Args:
        weight: factor in the weighted sum.
    """

    def __init__(self, weight: float = 0.2) -> None:
        super().__init__(weight)

    def needs(self) -> set[Need]:
        return {Need.EXPLAINABILITY}

    def forward(self, batch: Batch, estimates: list[DepthEstimate]) -> Tensor:
        """Mean of -log E over pixels, video sources and levels; see LossTerm."""
        values = [
            F.softplus(-at_least_float32(logits)).mean()
            for estimate in estimates
            for logits in estimate.explainability
        ]
        return torch.stack(values).mean() if values else estimates[0].inverse_depth.new_zeros(())


def explained(estimate: DepthEstimate, errors: Tensor) -> Tensor:
    """The errors (B, S, h, w) of an estimate's sources, weighted with their masks.

    Masks of another size are interpolated; sources without a mask, the other cameras of the rig,
    count in full.
    """
    logits = torch.cat([at_least_float32(mask) for mask in estimate.explainability], dim=1)
    share = torch.sigmoid(logits)
    if share.shape[-2:] != errors.shape[-2:]:
        share = F.interpolate(share, errors.shape[-2:], mode="bilinear", align_corners=False)
    num_masks = share.shape[1]
    return torch.cat([errors[:, :num_masks] * share, errors[:, num_masks:]], dim=1)
