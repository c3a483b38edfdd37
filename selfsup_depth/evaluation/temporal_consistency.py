"""Whether the depths of neighbouring frames agree once the camera's motion is accounted for.

Bian et al., "Unsupervised scale-consistent depth and ego-motion learning from monocular video",
NeurIPS 2019, equation 5, with the motion that was measured in place of the one predicted.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from selfsup_depth.evaluation.exhibits import EarlierFrame, Exhibit
from selfsup_depth.evaluation.image_metric import ImageMetric
from selfsup_depth.geometry.agreement import relative_depth_difference
from selfsup_depth.structures import PosedView, View


class TemporalConsistency(ImageMetric):
    """Mean of |z - z'| / (z + z') over the pixels of the frame before that this one shows.

    z is a pixel's depth moved into this frame, z' what is predicted here. Both frames have one
    scale, the geometric mean of their own: a scale that flickers is an error. What moves and what
    is hidden counts, so that even true depth has a small one.

    Args:
        across_processes: see ImageMetric.
    """

    def __init__(self, across_processes: bool = True) -> None:
        super().__init__("against the frame before", ["temporal_difference"], across_processes)

    def measure(self, image: Exhibit) -> list[Tensor]:
        """The mean; NaN where the frame before is unknown."""
        for before in image.context.before:
            scale = (before.scale * image.errors.scale).sqrt()
            return [relative_difference(before, image.inverse_depth, scale)]
        return [torch.tensor(math.nan)]


def relative_difference(before: EarlierFrame, inverse_depth: Tensor, scale: Tensor) -> Tensor:
    """Mean over the pixels of the frame before that this one shows; NaN where it shows none.

    Args:
        before: the frame before.
        inverse_depth: (h, w) predicted for this one, 1/m.
        scale: factor on both depths.
    """
    maps = [values[None, None].float() / scale.float() for values in (before.inverse_depth, inverse_depth)]
    views = [View(values, before.K[None].float()) for values in maps]
    source = PosedView(views[1], before.T_to_this[None].float())
    agreement = relative_depth_difference(views[0], source, *maps)
    return agreement.difference[agreement.valid].mean()
