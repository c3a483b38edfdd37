"""Train a depth network on video, on stereo, or on both, by whatever the batch holds."""

from __future__ import annotations

import torch
from torch import Tensor

from selfsup_depth.geometry.view_synthesis import Gradient
from selfsup_depth.losses.base import LossTerm
from selfsup_depth.losses.needs import Need
from selfsup_depth.modules.base import Compile, SelfSupervisedDepth, as_networks_see
from selfsup_depth.modules.geometric_start import GeometricStart, geometric_motion, known_or
from selfsup_depth.modules.motion import common_intrinsics, masks_at, predict_motions, with_intrinsics
from selfsup_depth.modules.pyramid import Pyramid, counted_only, synthesize_level
from selfsup_depth.networks.base import DepthNetwork
from selfsup_depth.networks.memory_layout import lay_out
from selfsup_depth.networks.motion import PoseNetwork
from selfsup_depth.structures import Batch, DepthEstimate, PosedView, Synthesis


class ViewSynthesis(SelfSupervisedDepth):
    """One depth for the target; sources in time by predicted motion, other cameras by known.

    Zhou et al. 2017 (video), Godard et al. 2019 (video, stereo and both).

    Args:
        depth_net: predicts inverse depth from one image.
        losses: the terms of the objective by name.
        pose_net: predicts the motion between two frames, and where it can, which pixels that
            explains, and the intrinsics that are used in place of the data's. Without one, sources
            in time are moved by two-view geometry alone (data.two_view_motion).
        geometric_start: whether and how long two-view geometry stands in for the pose network.
        pyramid: "full" compares every level at the image's size (Monodepth2), "native" at its
            own (Monodepth, SfM-Learner).
        protocol: how validation compares with measured depth, by name.
        gradient: "bilinear" learns from the difference of the two pixels that a colour lies between,
            "linearised" from central differences of the source (Garg et al. 2016).
        compile: "objective" computes photometric error and view synthesis in compiled kernels; some
            minutes at the start, then faster. Predicting and exporting do not change.
    """

    def __init__(
        self,
        depth_net: DepthNetwork,
        losses: dict[str, LossTerm],
        pose_net: PoseNetwork | None = None,
        geometric_start: GeometricStart | None = None,
        pyramid: Pyramid = "full",
        protocol: str = "metric",
        gradient: Gradient = "bilinear",
        compile: Compile = "none",
    ) -> None:
        super().__init__(depth_net, losses, protocol, compile)
        self.gradient = gradient
        self.pose_net = pose_net
        if pose_net is not None:
            pose_net.share(depth_net)
            self.order = lay_out(self)
        self.geometric_start = geometric_start or GeometricStart()
        self.pyramid = pyramid

    def estimate(self, batch: Batch) -> list[DepthEstimate]:
        seen = as_networks_see(batch, self.order)
        said = predict_motions(self.pose_net, seen) if self.pose_net else []
        K = common_intrinsics(said)
        batch = with_intrinsics(batch, K)
        motions = [motion.T_first_to_second for motion in said]
        sources = self._moving_sources(batch, motions) + batch.stereo
        inverse_depths = self.depth_net(seen.target.image)
        of_sources = self._source_inverse_depths(seen) or [[] for _ in inverse_depths]
        return [
            DepthEstimate(
                level,
                rho,
                self._synthesize(batch, sources, rho),
                sources,
                motions,
                others,
                masks_at(said, level),
                K,
            )
            for level, (rho, others) in enumerate(zip(inverse_depths, of_sources, strict=True))
        ]

    def provides(self) -> set[Need]:
        provided = {
            Need.SOURCE_DEPTH: True,
            Need.PREDICTED_MOTION: self.pose_net is not None,
            Need.EXPLAINABILITY: self.pose_net is not None and self.pose_net.explainability,
        }
        return {need for need, there in provided.items() if there}

    def _synthesize(self, batch: Batch, sources: list[PosedView], inverse_depth: Tensor) -> list[Synthesis]:
        made = synthesize_level(
            batch.target, sources, inverse_depth, self.pyramid, self.gradient, self.objective_compiled
        )
        return counted_only(made, batch.counted)

    def _source_inverse_depths(self, seen: Batch) -> list[list[Tensor]]:
        """Inverse depth of every source's own pixels, by level; nothing where no term asks for it."""
        if not self.needs_source_depth:
            return []
        views = [source.view for source in seen.video] + [source.view for source in seen.stereo]
        # One by one: batch normalisation sees the same statistics as with the target alone.
        by_source = [self.depth_net(view.image) for view in views]
        return [list(level) for level in zip(*by_source, strict=True)]

    def _moving_sources(self, batch: Batch, motions: list[Tensor]) -> list[PosedView]:
        """Video sources with the motion that synthesizes the views at this step."""
        if motions and not (self.training and self.geometric_start.stands_in(self.global_step)):
            used = motions
        else:
            # A pair without a known motion stays unmoved: equal to its own identity error, it
            # gives no gradient.
            standing = torch.eye(4, device=self.device)
            instead = motions or [standing.expand(len(v.seconds), 4, 4) for v in batch.video]
            used = [known_or(T, other) for T, other in zip(self.taught(batch), instead, strict=True)]
        return [PosedView(source.view, T) for source, T in zip(batch.video, used, strict=True)]

    def taught(self, batch: Batch) -> list[Tensor]:
        """The geometric motion of every video source, metres, NaN = none."""
        return [geometric_motion(source, self.depth_net.first_depth) for source in batch.video]

    def objective(self, batch: Batch, estimates: list[DepthEstimate]) -> dict[str, Tensor]:
        values = super().objective(with_intrinsics(batch, estimates[0].K), estimates)
        weight = self.geometric_start.teaching_weight(self.global_step)
        if weight and estimates[0].motions:
            values["motion_teaching"] = weight * self.geometric_start.teaching(
                estimates[0].motions, self.taught(batch)
            )
        return values
