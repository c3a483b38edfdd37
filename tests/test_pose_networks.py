"""Pose networks behind one interface: what each says, and in which direction of time."""

from __future__ import annotations

import pytest
import torch
from scenes import camera_matrix
from torch import Tensor, nn

from selfsup_depth.errors import ConfigError
from selfsup_depth.geometry.camera import FIRST_FOCAL, flip_intrinsics, resize_intrinsics
from selfsup_depth.geometry.pose import T_from_axis_angle, axis_angle_from_T, inverse_pose
from selfsup_depth.modules.view_synthesis import ViewSynthesis
from selfsup_depth.networks.base import DepthNetwork
from selfsup_depth.networks.depth import DepthNet
from selfsup_depth.networks.motion import IntrinsicsHead, PoseNetwork
from selfsup_depth.networks.pose import PoseNet
from selfsup_depth.networks.pose_cnn import CHANNELS, KERNELS, PoseCNN
from selfsup_depth.networks.shared_pose import SharedPoseNet
from selfsup_depth.structures import Batch, DepthEstimate, Motion, VideoView, View

SIZE = (32, 64)
SMALL = 0.125


def depth_net() -> DepthNet:
    return DepthNet(width=SMALL, norm="group", min_depth=1.0, first_depth=9.0)


def pose_net(kind: str, **options) -> PoseNetwork:
    if kind == "own encoder":
        return PoseNet(width=SMALL, norm="group", **options)
    if kind == "shared encoder":
        return SharedPoseNet(width=SMALL, **options)
    return PoseCNN(width=0.5, **options)


KINDS = ["own encoder", "shared encoder", "plain"]


def images(count: int, batch: int = 2) -> Tensor:
    return torch.rand(count, batch, 3, *SIZE, generator=torch.Generator().manual_seed(1))


def batch_of(target: Tensor, *sources: tuple[Tensor, float]) -> Batch:
    """Video sources with the seconds from the target to each."""
    K = camera_matrix(40.0, 40.0, 30.0, 15.0).float().expand(len(target), 3, 3)
    unknown = torch.full((len(target), 4, 4), torch.nan)
    video = [
        VideoView(View(image, K), torch.full((len(image),), seconds), unknown[:, 0, 0], unknown)
        for image, seconds in sources
    ]
    return Batch(View(target, K), video, [], [])


@torch.no_grad()
def finest(module: ViewSynthesis, batch: Batch) -> DepthEstimate:
    return module.eval().estimate(batch)[0]


# every kind


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_rigid_motions_that_start_where_asked(kind):
    module = ViewSynthesis(depth_net(), {}, pose_net(kind, first_motion=(0.1, -0.2, 1.1)))
    target, before, after = images(3)
    T_before, T_after = finest(module, batch_of(target, (before, -0.1), (after, 0.1))).motions
    # The camera drives on: what comes after is nearer to what is ahead, what was before is farther.
    expected = torch.tensor([-0.1, 0.2, -1.1]).expand(2, 3)
    torch.testing.assert_close(T_after[:, :3, 3], expected, atol=5e-3, rtol=0)
    torch.testing.assert_close(T_before[:, :3, 3], -expected, atol=5e-3, rtol=0)
    assert axis_angle_from_T(T_after).abs().max() < 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_time_runs_one_way_and_each_source_has_its_own_motion(kind):
    torch.manual_seed(0)
    module = ViewSynthesis(depth_net(), {}, pose_net(kind, output_scale=1.0))
    target, first, second = images(3)
    one = finest(module, batch_of(target, (first, -0.1), (second, 0.1))).motions
    other = finest(module, batch_of(target, (second, 0.1), (first, -0.1))).motions
    torch.testing.assert_close(one, other[::-1])
    assert (one[0] - one[1]).abs().max() > 1e-3
    # The same two exposures with the roles exchanged.
    back = finest(module, batch_of(second, (target, -0.1))).motions[0]
    torch.testing.assert_close(back, inverse_pose(one[1]), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_motion_teaches_every_weight_that_it_comes_from(kind):
    module = ViewSynthesis(depth_net(), {}, pose_net(kind))
    target, source = images(2)
    sum(T[:, :3].sum() for T in module.estimate(batch_of(target, (source, 0.1)))[0].motions).backward()
    teaches = [p for p in module.pose_net.parameters() if p.requires_grad]
    assert teaches
    assert all(p.grad is not None and p.grad.any() for p in teaches)
    reached = any(p.grad is not None and p.grad.any() for p in module.depth_net.encoder.parameters())
    assert reached == (kind == "shared encoder")


# shared encoder


def test_a_shared_encoder_is_saved_and_trained_once():
    module = ViewSynthesis(depth_net(), {}, pose_net("shared encoder"))
    assert not [name for name in module.state_dict() if "pose_net" in name and "layer" in name]
    assert len({id(p) for p in module.parameters()}) == len(list(module.parameters()))
    alone = sum(p.numel() for p in pose_net("own encoder").parameters())
    assert sum(p.numel() for p in module.pose_net.parameters()) < alone


def test_a_depth_network_without_an_encoder_cannot_share_it():
    class Plain(DepthNetwork):
        def forward(self, image):
            return [image[:, :1]]

    with pytest.raises(ConfigError, match=r"no encoder in Plain, in model\.pose_net; use "):
        ViewSynthesis(Plain(), {}, SharedPoseNet())


# plain


def test_the_plain_network_has_its_number_of_parameters():
    channels = [6, *CHANNELS, 256, 256]
    convolutions = zip(channels, channels[1:], (*KERNELS, 3, 3), strict=False)
    expected = sum(i * c * kernel**2 + c for i, c, kernel in convolutions) + 6 * 256 + 6
    assert sum(p.numel() for p in PoseCNN().parameters()) == expected


def test_masks_have_the_sizes_of_the_levels_and_gradient():
    said = PoseCNN(width=0.25, norm="group", explainability=True)(*images(2))
    assert [tuple(mask.shape) for mask in said.explainability] == [
        (2, 2, SIZE[0] // 2**level, SIZE[1] // 2**level) for level in range(4)
    ]


class Echo(PoseNetwork):
    """Says as masks how bright the images are that it is shown, and no motion."""

    explainability = True

    def forward(self, first: Tensor, second: Tensor) -> Motion:
        brightness = torch.cat([first.mean(1, keepdim=True), second.mean(1, keepdim=True)], dim=1)
        return Motion(torch.eye(4).expand(len(first), 4, 4), [brightness, brightness[..., ::2, ::2]])


def test_a_source_has_the_mask_of_the_targets_pixels():
    target, before, after = images(3)
    module = ViewSynthesis(depth_net(), {}, Echo())
    estimates = module.estimate(batch_of(target, (before, -0.1), (after, 0.1)))
    brightness = target.mean(1, keepdim=True)
    for mask in estimates[0].explainability:
        torch.testing.assert_close(mask, brightness)
    # Fewer masks than levels: the coarsest serves the others.
    for level in (1, 2, 3):
        torch.testing.assert_close(estimates[level].explainability[0], brightness[..., ::2, ::2])


def test_masks_stay_with_their_sources():
    torch.manual_seed(0)
    module = ViewSynthesis(depth_net(), {}, PoseCNN(width=0.5, explainability=True))
    target, first, second = images(3)
    one = finest(module, batch_of(target, (first, -0.1), (second, 0.1))).explainability
    other = finest(module, batch_of(target, (second, 0.1), (first, -0.1))).explainability
    torch.testing.assert_close(one, other[::-1])
    assert (one[0] - one[1]).abs().max() > 1e-4


# learned intrinsics


def speaking(network: PoseNetwork) -> PoseNetwork:
    """Intrinsics that depend on the images, and far from where they start."""
    nn.init.normal_(network.intrinsics.say.weight, std=1.0)
    return network


@pytest.mark.parametrize("kind", KINDS)
def test_mirrored_images_have_the_mirrored_camera(kind):
    torch.manual_seed(0)
    module = ViewSynthesis(depth_net(), {}, speaking(pose_net(kind, learned_intrinsics=True)))
    target, before, after = images(3)
    K = finest(module, batch_of(target, (before, -0.1), (after, 0.1))).K[0]
    mirrored = batch_of(target.flip(-1), (before.flip(-1), -0.1), (after.flip(-1), 0.1))
    torch.testing.assert_close(finest(module, mirrored).K[0], flip_intrinsics(K, SIZE[1]))
    assert (K[:, 0, 2] - (SIZE[1] - 1) / 2).abs().min() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_untrained_intrinsics_are_those_of_a_plausible_camera(kind):
    module = ViewSynthesis(depth_net(), {}, pose_net(kind, learned_intrinsics=True))
    K = finest(module, batch_of(images(2)[0], (images(2)[1], 0.1))).K[0]
    focal = FIRST_FOCAL * SIZE[1]
    expected = camera_matrix(focal, focal, 31.5, 15.5).float().expand(2, 3, 3)
    torch.testing.assert_close(K, expected, rtol=0.02, atol=0.5)


def test_larger_images_of_the_same_scene_have_the_resized_camera():
    head = IntrinsicsHead(8)
    nn.init.normal_(head.say.weight)
    features, mirrored = torch.randn(2, 3, 8, 1, 2, generator=torch.Generator().manual_seed(2))
    small, large = (head(features, mirrored, size) for size in [(32, 64), (96, 192)])
    torch.testing.assert_close(large, resize_intrinsics(small, (32, 64), (96, 192)))


def test_learned_intrinsics_stand_in_for_those_of_the_data():
    """Whatever K the batch holds, target and sources are taken by the one predicted camera."""
    torch.manual_seed(0)
    module = ViewSynthesis(
        depth_net(), {}, speaking(PoseNet(width=SMALL, norm="group", learned_intrinsics=True))
    )
    target, before, after = images(3)
    batch = batch_of(target, (before, -0.1), (after, 0.1))
    estimate = finest(module, batch)
    for source in estimate.sources:
        assert torch.equal(source.view.K, estimate.K[0])
    wrong = batch._replace(
        target=batch.target._replace(K=2 * batch.target.K),
        video=[v._replace(view=v.view._replace(K=3 * v.view.K)) for v in batch.video],
    )
    for one, other in zip(estimate.syntheses, finest(module, wrong).syntheses, strict=True):
        assert torch.equal(one.image, other.image)


def test_terms_are_given_the_camera_that_was_used():
    from selfsup_depth.losses.base import LossTerm

    class Width(LossTerm):
        def forward(self, batch, estimates):
            return batch.target.K[:, 0, 0].mean()

    module = ViewSynthesis(
        depth_net(), {"width": Width()}, PoseNet(width=SMALL, norm="group", learned_intrinsics=True)
    )
    batch = batch_of(images(2)[0], (images(2)[1], 0.1))
    estimates = module.estimate(batch)
    torch.testing.assert_close(module.objective(batch, estimates)["width"], estimates[0].K[0][:, 0, 0].mean())


def test_an_own_pose_network_needs_a_motion_alone():
    class Still(PoseNetwork):
        def forward(self, first, second):
            return Motion(T_from_axis_angle(torch.zeros(len(first), 3), torch.zeros(len(first), 3)))

    target, source = images(2)
    estimate = finest(ViewSynthesis(depth_net(), {}, Still()), batch_of(target, (source, 0.1)))
    assert not estimate.explainability
    assert not estimate.K
    torch.testing.assert_close(estimate.syntheses[0].image, source, atol=1e-4, rtol=0)
