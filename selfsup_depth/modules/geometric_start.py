"""Two-view geometry stands in for a pose network that knows nothing yet.

Far from the truth the photometric error says little about motion: without a plausible start a
small video run does not learn. The motion that matched points tell (data/two_view_motion.py)
rebuilds the views for the first steps, the pose network is taught it, and then takes over.
"""

from __future__ import annotations

import torch
from torch import Tensor

from selfsup_depth.geometry.pose import axis_angle_from_T
from selfsup_depth.losses.base import masked_mean
from selfsup_depth.structures import VideoView


class GeometricStart:
    """When geometry stands in, and how the pose network is taught meanwhile.

    Args:
        steps: the geometric motion synthesizes the views for this many steps; 0 = never.
        teaching_steps: over this many further steps the weight of the teaching falls to zero.
        weight: weight of the teaching while geometry stands in.
        rotation_weight: radians against metres.
    """

    def __init__(
        self, steps: int = 0, teaching_steps: int = 100, weight: float = 1.0, rotation_weight: float = 10.0
    ) -> None:
        self.steps = steps
        self.teaching_steps = teaching_steps
        self.weight = weight
        self.rotation_weight = rotation_weight

    def stands_in(self, step: int) -> bool:
        """Whether the geometric motion synthesizes the views at this step."""
        return step < self.steps

    def teaching_weight(self, step: int) -> float:
        """Weight of the teaching at this step: full, then falling linearly to zero."""
        if not self.steps:
            return 0.0
        left = self.steps + self.teaching_steps - step
        return self.weight * min(1.0, max(0.0, left / max(1, self.teaching_steps)))

    def teaching(self, predicted: list[Tensor], taught: list[Tensor]) -> Tensor:
        """Mean absolute difference of motions (B, 4, 4), over the pairs that have a taught one."""
        difference = torch.stack([self._difference(*pair) for pair in zip(predicted, taught, strict=True)])
        known = torch.stack([torch.isfinite(T).all(dim=(-1, -2)) for T in taught])
        return masked_mean(difference, known)

    def _difference(self, predicted: Tensor, taught: Tensor) -> Tensor:
        taught = known_or(taught, predicted.detach())
        rotation = axis_angle_from_T(predicted) - axis_angle_from_T(taught)
        translation = predicted[:, :3, 3] - taught[:, :3, 3]
        return translation.abs().sum(dim=-1) + self.rotation_weight * rotation.abs().sum(dim=-1)


def geometric_motion(source: VideoView, first_depth: float) -> Tensor:
    """The motion found by two-view geometry, in metres; NaN where none was found.

    Its length is the travelled distance where that is known, else such that the points seen
    are at the depth that the untrained network says.

    Args:
        source: its T_geometric is in units of the median depth of the points seen.
        first_depth: what the untrained network says, metres.
    """
    T = source.T_geometric.clone()
    length = T[:, :3, 3].norm(dim=-1)
    scale = torch.where(torch.isfinite(source.travelled), source.travelled / length, first_depth)
    T[:, :3, 3] *= scale[:, None]
    return T


def known_or(T: Tensor, otherwise: Tensor) -> Tensor:
    """T (B, 4, 4) where it is finite, else the other motion."""
    known = torch.isfinite(T).all(dim=(-1, -2), keepdim=True)
    return torch.where(known, T, otherwise)
