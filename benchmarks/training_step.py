"""A whole training step on video: networks, objective, backward, optimizer.

The networks are the same on both sides (ResNet-18 for depth and motion, 640x192, batch 2, four
levels at full resolution). What differs is what this package does about them: the layout of the
weights, the optimizer's kernel, and the objective in closed form.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from benchmarks import published_objective
from benchmarks.objective import SMOOTHNESS_WEIGHT, Work
from benchmarks.race import Contender
from selfsup_depth.losses.base import LossTerm
from selfsup_depth.losses.photometric import Photometric
from selfsup_depth.losses.smoothness import Smoothness
from selfsup_depth.modules.base import Compile
from selfsup_depth.modules.motion import predict_motions
from selfsup_depth.modules.view_synthesis import ViewSynthesis
from selfsup_depth.networks.depth import DepthNet
from selfsup_depth.networks.pose import PoseNet
from selfsup_depth.structures import Batch, VideoView, View


def contenders(data: Work) -> dict[str, Contender]:
    """The step with the published objective and plain layouts, and ours; equal weights at the start."""
    torch.manual_seed(0)
    networks = DepthNet(), PoseNet()
    found = {
        "published": published_step(*copy.deepcopy(networks), data),
        "ours": our_step(module_of(*copy.deepcopy(networks)), data),
        "compiled": our_step(module_of(*copy.deepcopy(networks), "objective"), data),
    }
    if torch.cpu._is_avx512_bf16_supported():
        # As --trainer.precision bf16-mixed does; without such units it would be several times slower.
        found["compiled, bf16"] = our_step(module_of(*networks, "objective"), data, torch.bfloat16)
    return found


def module_of(depth_net: DepthNet, pose_net: PoseNet, compile: Compile = "none") -> ViewSynthesis:
    """What is trained, set as it is published."""
    terms: dict[str, LossTerm] = {
        "photometric": Photometric(padding="border"),
        "smoothness": Smoothness(SMOOTHNESS_WEIGHT),
    }
    return ViewSynthesis(depth_net, terms, pose_net, compile=compile)


def batch_of(data: Work) -> Batch:
    """The images as the data module gives them: the frame before, then the frame after."""
    unknown = torch.full((len(data.target),), torch.nan)
    no_motion = torch.full((len(data.target), 4, 4), torch.nan)
    video = [
        VideoView(View(image, data.K), torch.full_like(unknown, seconds), unknown, no_motion)
        for image, seconds in zip(data.sources, (-0.1, 0.1), strict=True)
    ]
    return Batch(View(data.target, data.K), video, [], [])


def published_step(depth_net: DepthNet, pose_net: PoseNet, data: Work) -> Contender:
    """Depth, motion of each pair, the objective as the paper writes it, Adam."""
    optimizer = torch.optim.Adam([*depth_net.parameters(), *pose_net.parameters()], lr=1e-4)
    batch = batch_of(data)

    def step() -> Tensor:
        motions = [said.T_first_to_second for said in predict_motions(pose_net, batch)]
        inverse_depths = depth_net(data.target)
        value = published_objective.objective(
            data.target, data.sources, data.K, motions, inverse_depths, SMOOTHNESS_WEIGHT
        )
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return value.detach()

    return step


def our_step(module: ViewSynthesis, data: Work, precision: torch.dtype = torch.float32) -> Contender:
    """The same through the module that is trained."""
    optimizer = module.optimization.adam(module.parameters())
    batch = batch_of(data)

    def step() -> Tensor:
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            value = torch.stack(list(module.objective(batch, module.estimate(batch)).values())).sum()
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return value.detach()

    return step
