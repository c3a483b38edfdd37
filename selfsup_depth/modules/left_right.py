"""Train on rectified pairs with two inverse depths from the left image alone.

Godard, Mac Aodha, Brostow 2017 (Monodepth): the network sees the left image only and predicts
inverse depth for the left and for the right view; each view is rebuilt from the other, and the
two predictions must agree.
"""

from __future__ import annotations

import torch
from torch import Tensor

from selfsup_depth.errors import ConfigError
from selfsup_depth.geometry.pose import inverse_pose
from selfsup_depth.losses.base import LossTerm
from selfsup_depth.losses.needs import Need
from selfsup_depth.modules.base import Compile, SelfSupervisedDepth, as_networks_see
from selfsup_depth.modules.pyramid import Pyramid, synthesize_level
from selfsup_depth.networks.base import DepthNetwork
from selfsup_depth.structures import Batch, DepthEstimate, PosedView, Synthesis, View


class LeftRight(SelfSupervisedDepth):
    """Both views' inverse depth from the left image.

    Args:
        depth_net: with two outputs, for the left and for the right view.
        losses: the terms of the objective by name; each is asked twice, with the left and with
            the right view as the target.
        pyramid: "native" compares every level at its own size (Monodepth), "full" at the image's.
        protocol: how validation compares with measured depth, by name.
        compile: "objective" computes photometric error and view synthesis in compiled kernels; some
            minutes at the start, then faster. Predicting and exporting do not change.

    Raises:
        ConfigError: the depth network has not two outputs.
    """

    def __init__(
        self,
        depth_net: DepthNetwork,
        losses: dict[str, LossTerm],
        pyramid: Pyramid = "native",
        protocol: str = "metric",
        compile: Compile = "none",
    ) -> None:
        super().__init__(depth_net, losses, protocol, compile)
        if depth_net.num_outputs != 2:
            raise ConfigError("LeftRight needs two outputs, in model.depth_net; set num_outputs: 2")
        self.pyramid = pyramid

    def arrange(self, batch: Batch) -> Batch:
        return with_target_on_the_left(batch)

    def provides(self) -> set[Need]:
        return {Need.BOTH_MAPS, Need.SOURCE_DEPTH}

    def estimate(self, batch: Batch) -> list[DepthEstimate]:
        """The left view's estimates; those of the right are the other half of the objective."""
        return self._estimates(batch, self.depth_net(as_networks_see(batch, self.order).target.image))

    def objective(self, batch: Batch, estimates: list[DepthEstimate]) -> dict[str, Tensor]:
        right = other_way_round(batch)
        from_left = super().objective(batch, estimates)
        predicted = [torch.cat([e.source_inverse_depths[0], e.inverse_depth], dim=1) for e in estimates]
        from_right = super().objective(right, self._estimates(right, predicted))
        return {name: from_left[name] + from_right[name] for name in from_left}

    def _estimates(self, batch: Batch, predicted: list[Tensor]) -> list[DepthEstimate]:
        """Estimates from inverse depths (B, 2, h, w): the target's, then the source's."""
        return [
            DepthEstimate(
                level,
                rho[:, :1],
                self._synthesize(batch, rho[:, :1]),
                batch.stereo,
                [],
                [rho[:, 1:]],
            )
            for level, rho in enumerate(predicted)
        ]

    def _synthesize(self, batch: Batch, inverse_depth: Tensor) -> list[Synthesis]:
        return synthesize_level(
            batch.target, batch.stereo, inverse_depth, self.pyramid, compiled=self.objective_compiled
        )


def with_target_on_the_left(batch: Batch) -> Batch:
    """The same pairs with the left camera's image as the target.

    A mirrored left image is a right one: shown as it is, the network could not know on which
    side its companion stands.
    """
    if len(batch.stereo) != 1:
        raise ConfigError(
            "left-right training needs the other camera of a rig, in data; set data.stereo: true"
        )
    source = batch.stereo[0]
    swapped = (source.T_target_to_source[:, 0, 3] > 0)[:, None, None]
    target_is_right = swapped[..., None]
    target = View(
        torch.where(target_is_right, source.view.image, batch.target.image),
        torch.where(swapped, source.view.K, batch.target.K),
    )
    other = View(
        torch.where(target_is_right, batch.target.image, source.view.image),
        torch.where(swapped, batch.target.K, source.view.K),
    )
    T = torch.where(swapped, inverse_pose(source.T_target_to_source), source.T_target_to_source)
    return Batch(target, [], [PosedView(other, T)], batch.jitter)


def other_way_round(pair: Batch) -> Batch:
    """The source as the target and the target as the source."""
    source = pair.stereo[0]
    back = PosedView(pair.target, inverse_pose(source.T_target_to_source))
    return Batch(source.view, [], [back], pair.jitter)
