"""Train on rectified pairs by rendering the right view from the left one, as an expectation.

Xie, Girshick, Farhadi 2016 (Deep3D): the network sees the left image only and says, for each pixel
of the right view, how probable each shift of the left image is. The right view is rendered as the
expectation of the shifted copies: every level learns at once, however far it is from the truth.
"""

from __future__ import annotations

import torch
from torch import Tensor

from selfsup_depth.geometry.view_synthesis import synthesize
from selfsup_depth.losses.base import LossTerm
from selfsup_depth.modules.base import Compile, SelfSupervisedDepth, as_networks_see
from selfsup_depth.modules.left_right import other_way_round, with_target_on_the_left
from selfsup_depth.networks.deep3d import Deep3DNet
from selfsup_depth.structures import Batch, DepthEstimate, PosedView, Synthesis, View


class Deep3D(SelfSupervisedDepth):
    """The right view from shifted copies of the left.

    The target is the right view: the terms see its image, its rendering and the expectation of its
    inverse depth. What is predicted for an image is the inverse depth of that image's own pixels,
    which is taken for a left one.

    Args:
        depth_net: says probabilities for the right view from the left image.
        losses: the terms of the objective by name.
        protocol: how validation compares with measured depth, by name.
        compile: "objective" computes photometric error and view synthesis in compiled kernels; some
            minutes at the start, then faster. Predicting and exporting do not change.
    """

    depth_net: Deep3DNet

    def __init__(
        self,
        depth_net: Deep3DNet,
        losses: dict[str, LossTerm],
        protocol: str = "metric",
        compile: Compile = "none",
    ) -> None:
        super().__init__(depth_net, losses, protocol, compile)

    def arrange(self, batch: Batch) -> Batch:
        return other_way_round(with_target_on_the_left(batch))

    def estimate(self, batch: Batch) -> list[DepthEstimate]:
        left = batch.stereo[0]
        if self.training:
            self.depth_net.rig.copy_(rig_of(batch.target, left))
        probabilities = self.depth_net.probabilities(as_networks_see(batch, self.order).stereo[0].view.image)
        rendering = render(batch.target, left, probabilities, self.depth_net.levels)
        return [DepthEstimate(0, self.depth_net.expected(probabilities), [rendering], batch.stereo, [], [])]


def render(target: View, source: PosedView, probabilities: Tensor, inverse_depths: Tensor) -> Synthesis:
    """Expectation of the target's colours over planes of inverse depth.

    Between rectified cameras a plane shifts the source by inverse depth times focal length times
    baseline, in pixels; outside the source its border's colours hold.

    Args:
        target: the view to render; only its intrinsics are read.
        source: the view to take colours from, and its place.
        probabilities: (B, S, H, W) of the planes for each target pixel, their sum over S is one.
        inverse_depths: (S,) of the planes, 1/m.

    Returns:
        The rendering; valid where the source more probably than not shows the point.
    """
    image, seen = torch.zeros_like(source.view.image, dtype=probabilities.dtype), torch.tensor(0.0)
    for level, inverse_depth in enumerate(inverse_depths):
        probability = probabilities[:, level : level + 1]
        plane = inverse_depth.to(probability).expand_as(probability)
        copy = synthesize(target, source, plane)
        image = image + probability * copy.image
        seen = seen.to(probability) + probability.detach() * copy.valid
    return Synthesis(image, seen > 0.5, source.view.image)


def rig_of(right: View, left: PosedView) -> Tensor:
    """(2,) focal length times baseline in widths times metres, and the principal points' distance in
    widths, right minus left; means over the batch.
    """
    width = right.image.shape[-1]
    baseline = left.T_target_to_source[:, 0, 3]
    apart = right.K[:, 0, 2] - left.view.K[:, 0, 2]
    return torch.stack([(right.K[:, 0, 0] * baseline).mean(), apart.mean()]).float() / width
