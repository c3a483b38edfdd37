"""What the pose network says of a target and its sources, and the intrinsics that follow from it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from selfsup_depth.geometry.pose import inverse_pose
from selfsup_depth.networks.motion import PoseNetwork
from selfsup_depth.structures import Batch, DepthEstimate, Motion, VideoView


def predict_motions(pose_net: PoseNetwork, batch: Batch) -> list[Motion]:
    """The motion from the target (first) to each video source (second)."""
    target = pose_net.look(batch.target.image)
    return [predict_motion(pose_net, target, source) for source in batch.video]


def predict_motion(pose_net: PoseNetwork, target: Tensor, source: VideoView) -> Motion:
    """The motion from the target (first) to a source (second).

    The network is always shown the earlier exposure first, so that it learns one direction of
    time; for a source before the target its answer is turned round.

    Args:
        pose_net: the network.
        target: what it looked at of the target.
        source: a neighbour in time.
    """
    seen = pose_net.look(source.view.image)
    earlier = (source.seconds < 0)[:, None, None, None]
    said = pose_net(torch.where(earlier, seen, target), torch.where(earlier, target, seen))
    T = said.T_first_to_second
    return Motion(
        torch.where(earlier[..., 0], inverse_pose(T), T),
        [torch.where(earlier, logits.flip(1), logits) for logits in said.explainability],
        said.K,
    )


def masks_at(motions: Sequence[Motion], level: int) -> list[Tensor]:
    """Logits (B, 1, h, w) of the target's pixels, one for each video source; none where none are said."""
    masks = [motion.explainability for motion in motions if motion.explainability]
    # A depth network of another kind may have more levels.
    return [levels[min(level, len(levels) - 1)][:, :1] for levels in masks]


def common_intrinsics(motions: Sequence[Motion]) -> list[Tensor]:
    """The mean of what is said of each pair: one camera took them all. Empty where nothing is said."""
    said = [K for motion in motions for K in motion.K]
    return [torch.stack(said).mean(dim=0)] if said else []


def with_intrinsics(batch: Batch, K: Sequence[Tensor]) -> Batch:
    """The batch as taken by a camera with these intrinsics; as it is where there are none."""
    if not K:
        return batch
    return batch._replace(
        target=batch.target._replace(K=K[0]),
        video=[source._replace(view=source.view._replace(K=K[0])) for source in batch.video],
    )


def intrinsics_to_log(estimate: DepthEstimate) -> dict[str, Tensor]:
    """Mean of the predicted intrinsics over the batch, pixels; cx not, because some are mirrored."""
    entries = {"fx": (0, 0), "fy": (1, 1), "cy": (1, 2)}
    return {
        f"intrinsics/{name}": K[:, row, column].detach().mean()
        for K in estimate.K
        for name, (row, column) in entries.items()
    }
