"""A scale that was found after training: into a checkpoint's record, and out of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from selfsup_depth.errors import CheckpointError
from selfsup_depth.structures import Motion

# Depth beyond this is said to be at it: a shift can take the farthest depth behind infinity.
FARTHEST = 1e4


class Rescaling(NamedTuple):
    """Metric depth from a network's own: 1 / metres = 1 / (factor * depth) + shift.

    factor: metres of the network's unit of length; motions are multiplied by it.
    shift: added to inverse depth, 1/m.
    """

    factor: float = 1.0
    shift: float = 0.0

    def then(self, other: Rescaling) -> Rescaling:
        """Both, this one first."""
        return Rescaling(self.factor * other.factor, self.shift / other.factor + other.shift)

    def of_depth(self, depth: float) -> float:
        """A depth of the network in metres."""
        return 1 / max(1 / (self.factor * depth) + self.shift, 1 / FARTHEST)


def recorded_rescaling(record: dict[str, Any], file: Path) -> Rescaling:
    """The one that a checkpoint's record holds; that changes nothing where it holds none.

    Raises:
        CheckpointError: it cannot be one.
    """
    factor, shift = (record["scale"].get(key, usual) for key, usual in Rescaling()._asdict().items())
    if not all(isinstance(value, float) and math.isfinite(value) for value in (factor, shift)) or factor <= 0:
        raise CheckpointError(f"its record holds a scale that is none, in {file}; use a whole copy")
    return Rescaling(factor, shift)


def rescale(depth_net: nn.Module, pose_net: nn.Module | None, rescaling: Rescaling) -> None:
    """Make networks say metres from here on.

    By hooks, so that names and values of their weights stay as they are, and whatever asks them
    (prediction, evaluation, export) hears the same.
    """
    if rescaling == Rescaling():
        return

    def rescale_depth(_: nn.Module, __: Any, levels: list[Tensor]) -> list[Tensor]:
        return [(rho / rescaling.factor + rescaling.shift).clamp(min=1 / FARTHEST) for rho in levels]

    def rescale_motion(_: nn.Module, __: Any, motion: Motion) -> Motion:
        T = motion.T_first_to_second.clone()
        T[:, :3, 3] *= rescaling.factor
        return motion._replace(T_first_to_second=T)

    depth_net.register_forward_hook(rescale_depth)
    if pose_net is not None:
        pose_net.register_forward_hook(rescale_motion)


def with_rescaling(record: dict[str, Any], further: Rescaling, evidence: str, file: Path) -> dict[str, Any]:
    """A checkpoint's record with a scale that was found for what it says now.

    Args:
        record: stays as it is.
        further: of the depth that the checkpoint says with the scale that it has.
        evidence: where the scale is from, for people.
        file: of the checkpoint, for messages.
    """
    whole = recorded_rescaling(record, file).then(further)
    scale = {"kind": "metric", "unit": "metre", **whole._asdict(), "from": evidence}
    depth_range = [further.of_depth(depth) for depth in record["depth_range"]]
    return {**record, "scale": scale, "depth_range": depth_range}
