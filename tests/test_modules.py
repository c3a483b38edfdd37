"""Training modules on scenes with a known answer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from scenes import camera_matrix, wall
from torch import nn

from selfsup_depth.errors import ConfigError
from selfsup_depth.geometry.camera import flip_intrinsics
from selfsup_depth.geometry.pose import T_from_axis_angle, flip_pose, inverse_pose
from selfsup_depth.geometry.view_synthesis import synthesize
from selfsup_depth.losses.base import LossTerm
from selfsup_depth.losses.consistency import LeftRightConsistency
from selfsup_depth.losses.needs import Need
from selfsup_depth.losses.photometric import Photometric
from selfsup_depth.losses.smoothness import Smoothness
from selfsup_depth.losses.velocity import Velocity
from selfsup_depth.modules.base import as_networks_see
from selfsup_depth.modules.geometric_start import GeometricStart, geometric_motion
from selfsup_depth.modules.left_right import LeftRight
from selfsup_depth.modules.optimization import Optimization
from selfsup_depth.modules.view_synthesis import ViewSynthesis
from selfsup_depth.networks.depth import DepthNet
from selfsup_depth.networks.motion import PoseNetwork
from selfsup_depth.networks.pose import PoseNet
from selfsup_depth.structures import Batch, ColourJitter, Motion, PosedView, VideoView, View

SIZE = (32, 64)


def single(tree):
    """A nested tuple of tensors in float32."""
    if isinstance(tree, torch.Tensor):
        return tree.float()
    if isinstance(tree, list):
        return [single(leaf) for leaf in tree]
    return type(tree)(*(single(leaf) for leaf in tree))


def translation(x: float, y: float, z: float) -> torch.Tensor:
    return T_from_axis_angle(torch.zeros(1, 3).double(), torch.tensor([[x, y, z]]).double())


def stereo_batch(x: float = -0.4, distance: float = 6.0) -> Batch:
    scene = wall(translation(x, 0, 0), distance, SIZE)
    return single(Batch(scene.target, [], [scene.source], []))


def video_view(view: View, seconds: float, travelled: float = float("nan"), T=None) -> VideoView:
    T = torch.full((1, 4, 4), float("nan")) if T is None else T.float()
    return VideoView(view, torch.tensor([seconds]), torch.tensor([travelled]), T)


def small_depth_net(first_depth: float = 9.0, **options) -> DepthNet:
    return DepthNet(width=0.125, norm="group", min_depth=1.0, first_depth=first_depth, **options)


def small_pose_net(**options) -> PoseNet:
    return PoseNet(width=0.125, norm="group", **options)


def test_stereo_training_finds_the_distance_of_a_wall():
    torch.manual_seed(0)
    module = ViewSynthesis(small_depth_net(), {"photometric": Photometric(), "smoothness": Smoothness()})
    batch = stereo_batch()
    optimizer = torch.optim.Adam(module.parameters(), lr=2e-3)
    for _ in range(40):
        loss = sum(module.objective(batch, module.estimate(batch)).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    depth = 1 / module.eval().predict_inverse_depth(batch.target.image)
    assert (depth.median() - 6).abs() < 0.6


@pytest.mark.parametrize(
    "term",
    [Photometric(auto_mask=False), LeftRightConsistency(padding="masked")],
    ids=["photometric", "consistency"],
)
def test_left_right_terms_are_lowest_where_both_views_are_true(term):
    module = LeftRight(small_depth_net(num_outputs=2), {"term": term})
    batch = module.arrange(stereo_batch())

    def total(factor_left, factor_right):
        truth = torch.full((1, 1, *SIZE), 1 / 6)
        predicted = [torch.cat([truth * factor_left, truth * factor_right], dim=1)]
        values = module.objective(batch, module._estimates(batch, predicted))
        return sum(values.values())

    for wrong in [(1.2, 1.0), (1.0, 1.2), (1.2, 0.8)]:
        assert total(1.0, 1.0) < total(*wrong)


@pytest.mark.parametrize("mirrored", [False, True])
def test_left_right_puts_the_left_camera_first(mirrored):
    batch = stereo_batch()
    if mirrored:

        def mirror(view):
            return View(view.image.flip(-1), flip_intrinsics(view.K, SIZE[1]))

        source = batch.stereo[0]
        flipped = PosedView(mirror(source.view), flip_pose(source.T_target_to_source))
        batch = Batch(mirror(batch.target), [], [flipped], [])
        expected = flipped.view
    else:
        expected = batch.target
    arranged = LeftRight(small_depth_net(num_outputs=2), {}).arrange(batch)
    assert arranged.stereo[0].T_target_to_source[0, 0, 3] == pytest.approx(-0.4)
    torch.testing.assert_close(arranged.target.image, expected.image)
    torch.testing.assert_close(arranged.target.K, expected.K)


def test_left_right_needs_two_outputs():
    with pytest.raises(ConfigError, match="num_outputs: 2"):
        LeftRight(small_depth_net(), {})


class Recorder(PoseNetwork):
    """Stands for a pose network; remembers what it was shown, says one motion."""

    def __init__(self, T):
        super().__init__()
        self.T = T
        self.shown = []

    def forward(self, first, second):
        self.shown.append((first, second))
        return Motion(self.T)


def test_the_pose_network_sees_time_run_forward():
    """Shown the earlier frame first; its answer is inverted for a source before the target."""
    forward = translation(0.1, 0, -1).float()
    scene = single(wall(translation(0, 0, -0.5), size=SIZE))
    module = ViewSynthesis(small_depth_net(), {}, pose_net=Recorder(forward))
    other = scene.source.view
    batch = Batch(scene.target, [video_view(other, -0.1), video_view(other, 0.1)], [], [])
    before, after = module.estimate(batch)[0].sources
    torch.testing.assert_close(after.T_target_to_source, forward)
    torch.testing.assert_close(before.T_target_to_source, inverse_pose(forward))
    (first, second), (first_after, second_after) = module.pose_net.shown
    assert torch.equal(first, other.image)
    assert torch.equal(second, scene.target.image)
    assert torch.equal(first_after, scene.target.image)
    assert torch.equal(second_after, other.image)


def test_networks_see_jittered_colours_and_losses_clean_ones():
    batch = stereo_batch()
    dark = ColourJitter(torch.tensor([0.5]), torch.ones(1), torch.ones(1), torch.zeros(1))
    seen = []
    module = ViewSynthesis(small_depth_net(), {"photometric": Photometric()})
    module.depth_net.register_forward_pre_hook(lambda net, inputs: seen.append(inputs[0]))
    estimates = module.estimate(batch._replace(jitter=[dark]))
    torch.testing.assert_close(seen[0], batch.target.image * 0.5)
    assert torch.equal(estimates[0].syntheses[0].source, batch.stereo[0].view.image)
    clean = ViewSynthesis.objective(module, batch, estimates)
    jittered = ViewSynthesis.objective(module, batch._replace(jitter=[dark]), estimates)
    assert torch.equal(clean["photometric"], jittered["photometric"])


def test_geometric_motion_is_as_long_as_the_way_travelled_or_fits_the_first_depth():
    view = View(torch.zeros(1, 3, 4, 4), torch.eye(3)[None])
    T = translation(0, 0.006, -0.08)
    known = geometric_motion(video_view(view, 0.1, travelled=1.2, T=T), first_depth=15)
    unknown = geometric_motion(video_view(view, 0.1, T=T), first_depth=15)
    assert known[0, :3, 3].norm().item() == pytest.approx(1.2)
    torch.testing.assert_close(unknown[0, :3, 3], 15 * torch.tensor([0, 0.006, -0.08]))
    assert geometric_motion(video_view(view, 0.1), first_depth=15).isnan().all()


def test_geometry_stands_in_teaches_and_hands_over():
    start = GeometricStart(steps=10, teaching_steps=20)
    assert [start.stands_in(step) for step in (0, 9, 10)] == [True, True, False]
    assert [start.teaching_weight(step) for step in (0, 10, 20, 30, 99)] == [1, 1, 0.5, 0, 0]
    assert GeometricStart(steps=0).teaching_weight(0) == 0


def test_a_pair_without_geometry_is_left_to_the_pose_network_and_not_taught():
    said, found = translation(0, 0, -0.7).float(), translation(0.01, 0, -0.08)
    scene = single(wall(translation(0, 0, -0.5), size=SIZE))
    module = ViewSynthesis(
        small_depth_net(first_depth=10.0),
        {"photometric": Photometric()},
        pose_net=Recorder(nn.Parameter(said)),
        geometric_start=GeometricStart(steps=5),
    )
    view = scene.source.view
    batch = Batch(scene.target, [video_view(view, 0.1, T=found), video_view(view, 0.1)], [], [])
    estimates = module.estimate(batch)
    found_source, unknown_source = estimates[0].sources
    torch.testing.assert_close(found_source.T_target_to_source[0, :3, 3], torch.tensor([0.1, 0, -0.8]))
    torch.testing.assert_close(unknown_source.T_target_to_source, said)
    teaching = module.objective(batch, estimates)["motion_teaching"]
    assert teaching.item() == pytest.approx(0.1 + 0.1, abs=1e-5)
    teaching.backward()
    assert torch.isfinite(module.pose_net.T.grad).all()


def test_without_a_pose_network_an_unknown_motion_teaches_nothing():
    scene = single(wall(translation(0, 0, -0.5), size=SIZE))
    module = ViewSynthesis(small_depth_net(), {"photometric": Photometric()})
    batch = Batch(scene.target, [video_view(scene.source.view, 0.1)], [], [])
    sum(module.objective(batch, module.estimate(batch)).values()).backward()
    assert all(p.grad is None or not p.grad.any() for p in module.parameters())


def test_velocity_reaches_the_pose_network():
    scene = single(wall(translation(0, 0, -0.5), size=SIZE))
    module = ViewSynthesis(small_depth_net(), {"velocity": Velocity(weight=1.0)}, pose_net=small_pose_net())
    batch = Batch(scene.target, [video_view(scene.source.view, 0.1, travelled=1.0)], [], [])
    value = module.objective(batch, module.estimate(batch))["velocity"]
    value.backward()
    assert value.item() == pytest.approx(1.0, abs=0.1)
    assert any(p.grad is not None and p.grad.any() for p in module.pose_net.parameters())


class ReadsSourceDepth(LossTerm):
    """Needs what only a second look of the network supplies."""

    def needs(self):
        return {Need.SOURCE_DEPTH}

    def forward(self, batch, estimates):
        return estimates[0].inverse_depth.mean()


def test_the_sources_depth_is_predicted_in_their_order_where_a_term_asks():
    scene = single(wall(translation(0, 0, -0.5), size=SIZE))
    beside = stereo_batch()
    batch = Batch(scene.target, [video_view(scene.source.view, 0.1)], beside.stereo, [])
    module = ViewSynthesis(small_depth_net(), {"own": ReadsSourceDepth()}, pose_net=small_pose_net()).eval()
    for level, estimate in enumerate(module.estimate(batch)):
        for view, inverse_depth in zip(
            [scene.source.view, beside.stereo[0].view], estimate.source_inverse_depths, strict=True
        ):
            torch.testing.assert_close(inverse_depth, module.depth_net(view.image)[level])
    module.losses["own"].weight = 0.0
    assert module.estimate(batch)[0].source_inverse_depths == []


def test_weight_zero_skips_a_term():
    module = ViewSynthesis(
        small_depth_net(), {"photometric": Photometric(), "smoothness": Smoothness(weight=0)}
    )
    batch = stereo_batch()
    assert set(module.objective(batch, module.estimate(batch))) == {"photometric"}


@pytest.mark.parametrize("pyramid", ["full", "native"])
def test_every_level_is_lowest_at_the_truth(pyramid):
    from selfsup_depth.modules.pyramid import synthesize_level

    batch = stereo_batch()
    for level in range(3):
        size = (SIZE[0] >> level, SIZE[1] >> level)

        def error(factor, size=size):
            rho = torch.full((1, 1, *size), 1 / 6 / factor)
            synthesis = synthesize_level(batch.target, batch.stereo, rho, pyramid)[0]
            expected = nn.functional.interpolate(batch.target.image, synthesis.image.shape[-2:], mode="area")
            return ((synthesis.image - expected).abs() * synthesis.valid).mean()

        assert error(1.0) < 0.5 * min(error(0.7), error(1.4))
        assert error(1.0) < 0.03


def test_learning_rate_falls_at_milestones_and_warms_up():
    by_share = Optimization(milestones=[0.6, 0.8], gamma=0.5)
    assert [by_share.factor(0, 0, share) for share in (0, 0.59, 0.6, 0.8)] == [1, 1, 0.5, 0.25]
    by_epoch = Optimization(milestones=[15], milestone_unit="epoch")
    assert [by_epoch.factor(99, epoch, 0.5) for epoch in (14, 15)] == pytest.approx([1, 0.1])
    warm = Optimization(warmup_steps=3, milestones=[])
    assert [warm.factor(step, 0, 0) for step in range(5)] == [0.25, 0.5, 0.75, 1, 1]
    with pytest.raises(ConfigError, match="ascend"):
        Optimization(milestones=[0.8, 0.6])


def test_the_rebuilt_target_is_compared_with_the_unmoved_source():
    """At the truth the rebuilt wall is far better than the source as it is, over the same pixels."""
    from selfsup_depth.training.rebuilding import _sums

    batch = stereo_batch()
    truth = torch.full((1, 1, *SIZE), 1 / 6)
    synthesis = synthesize(batch.target, batch.stereo[0], truth)
    rebuilt, unmoved, pixels = _sums([synthesis], batch.target.image)
    assert rebuilt / pixels < 0.05
    assert unmoved > 5 * rebuilt
    assert pixels == synthesis.valid.sum() < SIZE[0] * SIZE[1]
    useless = synthesis._replace(image=1 - synthesis.image)
    assert _sums([synthesis, useless], batch.target.image)[0] <= rebuilt


def test_networks_of_both_kinds_work_channels_last_and_say_the_same():
    depth_net, pose_net = DepthNet(width=0.25), PoseNet(width=0.25)
    image = torch.rand(1, 3, 32, 64)
    expected = depth_net.eval()(image)[0]
    module = ViewSynthesis(depth_net, {"photometric": Photometric()}, pose_net)
    convolutions = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]
    for layer in convolutions:
        assert layer.weight.is_contiguous(memory_format=torch.channels_last)
    batch = Batch(View(image, torch.eye(3)[None]), [], [], [])
    seen = as_networks_see(batch, module.order).target.image
    assert seen.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(module.depth_net(seen)[0], expected, atol=1e-6, rtol=1e-5)


def test_narrow_networks_keep_away_from_what_corrupts_memory():
    # In a process of its own: where it fails there is no process left to say so.
    code = "import test_modules; test_modules.train_narrow_networks()"
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True)
    assert done.returncode == 0, done.stderr[-500:]


def train_narrow_networks():
    """Steps with 4 to 12 channels, at a size that showed the fault at once."""
    module = ViewSynthesis(DepthNet(width=0.125), {"photometric": Photometric()}, PoseNet(width=0.125))
    image = torch.rand(2, 3, 224, 320)
    view = View(image, camera_matrix(200.0, 200.0, 160.0, 112.0).float().expand(2, 3, 3))
    T = translation(-0.5, 0, 0).float().expand(2, 4, 4)
    for _ in range(4):
        batch = Batch(view, [], [PosedView(view._replace(image=image.roll(3, 3)), T)], [])
        sum(module.objective(batch, module.estimate(batch)).values()).backward()
