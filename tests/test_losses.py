"""Smoothness, left-right consistency and velocity on examples with known answers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from selfsup_depth.errors import ConfigError
from selfsup_depth.geometry.pose import T_from_axis_angle, inverse_pose
from selfsup_depth.losses.consistency import LeftRightConsistency
from selfsup_depth.losses.smoothness import Smoothness
from selfsup_depth.losses.velocity import Velocity
from selfsup_depth.structures import Batch, DepthEstimate, PosedView, VideoView, View


def moved(x: float, y: float = 0.0, z: float = 0.0) -> Tensor:
    return T_from_axis_angle(torch.zeros(1, 3).double(), torch.tensor([[x, y, z]]).double())


def noise_like(image: Tensor) -> Tensor:
    return torch.rand(image.shape, generator=torch.Generator().manual_seed(0), dtype=image.dtype)


# smoothness.py


def smoothness_of(inverse_depth: Tensor, image: Tensor | None = None, **options: object) -> Tensor:
    image = torch.zeros(1, 3, 16, 24).double() if image is None else image
    levels = [DepthEstimate(0, inverse_depth, [], [], [], [])]
    return Smoothness(**options)(Batch(View(image, torch.eye(3)[None]), [], [], []), levels)


def test_a_constant_inverse_depth_is_smooth():
    assert smoothness_of(torch.full((1, 1, 16, 24), 0.2).double()) == 0


def test_a_slope_counts_by_its_height():
    u = torch.arange(24.0).double().expand(1, 1, 16, 24)
    v = torch.arange(16.0).double()[:, None].expand(1, 1, 16, 24)
    plain = smoothness_of(1 + 0.02 * u + 0.03 * v, mean_normalised=False)
    torch.testing.assert_close(plain, torch.tensor(0.05).double())


def test_smoothness_does_not_depend_on_scale_when_normalised():
    inverse_depth = 0.1 + noise_like(torch.zeros(1, 1, 16, 24).double())
    once, thrice = (smoothness_of(factor * inverse_depth) for factor in (1, 3))
    torch.testing.assert_close(once, thrice, rtol=1e-5, atol=0)
    plain, larger = (smoothness_of(factor * inverse_depth, mean_normalised=False) for factor in (1, 3))
    torch.testing.assert_close(larger, 3 * plain)


def test_a_step_is_cheaper_at_an_edge_of_the_image():
    step = torch.ones(1, 1, 16, 24).double()
    step[..., 12:] = 2
    image = torch.zeros(1, 3, 16, 24).double()
    image[..., 12:] = 0.5
    for sharpness in (1.0, 10.0):
        ratio = smoothness_of(step, image, edge_sharpness=sharpness) / smoothness_of(step)
        assert ratio.item() == pytest.approx(math.exp(-0.5 * sharpness))


def test_coarser_levels_count_less_and_see_a_reduced_image():
    image = noise_like(torch.zeros(1, 3, 16, 24).double())
    fine, coarse = (noise_like(torch.zeros(1, 1, *size).double()) for size in [(16, 24), (8, 12)])
    blocks = image.reshape(1, 3, 8, 2, 12, 2).mean((3, 5))
    levels = [DepthEstimate(i, x, [], [], [], []) for i, x in enumerate([fine, coarse])]
    both = Smoothness()(Batch(View(image, torch.eye(3)[None]), [], [], []), levels)
    expected = (smoothness_of(fine, image) + 0.5 * smoothness_of(coarse, blocks)) / 2
    torch.testing.assert_close(both, expected)


@pytest.mark.parametrize("edge_sharpness", [0.0, 1.0])
def test_second_order_smoothness_lets_planes_be(edge_sharpness):
    u = torch.arange(24.0).double().expand(1, 1, 16, 24)
    v = torch.arange(16.0).double()[:, None].expand(1, 1, 16, 24)
    image = noise_like(torch.zeros(1, 3, 16, 24).double())
    options = {"order": 2, "mean_normalised": False, "edge_sharpness": edge_sharpness}
    assert smoothness_of(1 + 0.02 * u + 0.03 * v, image, **options) < 1e-12
    # Second differences: 2 along xx, 3 along xy and along yx, 4 along yy.
    bent = smoothness_of(u * u + 3 * u * v + 2 * v * v, **options)
    torch.testing.assert_close(bent, torch.tensor(2.0 + 3 + 3 + 4).double())


def test_a_bend_is_cheaper_at_a_bend_of_the_image():
    u = torch.arange(24.0).double().expand(1, 1, 16, 24)
    bent = smoothness_of(u * u, (0.001 * u * u).expand(1, 3, 16, 24), order=2, edge_sharpness=10.0)
    torch.testing.assert_close(bent, math.exp(-10 * 0.002) * smoothness_of(u * u, order=2))


# consistency.py


def pair_of_maps(left: Tensor, right: Tensor, level_size: tuple[int, int]) -> tuple[Batch, DepthEstimate]:
    """A rectified pair, 64x96, with these inverse depths; the right camera's centre lies elsewhere."""
    image = torch.zeros(1, 3, 64, 96).double()
    K = torch.tensor([[[60.0, 0, 47], [0, 60, 31], [0, 0, 1]]]).double()
    shifted = K + torch.tensor([[0, 0, 6.0], [0, 0, 0], [0, 0, 0]]).double()
    source = PosedView(View(image, shifted), moved(-0.5))
    left, right = (x.expand(1, 1, *level_size).double().clone().requires_grad_() for x in (left, right))
    level = DepthEstimate(0, left, [], [source], [], [right])
    return Batch(View(image, K), [], [source], []), level


@pytest.mark.parametrize("size", [(64, 96), (16, 24)])
def test_consistent_maps_agree_at_every_level(size):
    batch, level = pair_of_maps(torch.tensor(0.2), torch.tensor(0.2), size)
    assert LeftRightConsistency()(batch, [level]) < 1e-12
    batch, level = pair_of_maps(torch.tensor(0.2), torch.tensor(0.3), size)
    # Disparities of 6 and 9 pixels of 96.
    torch.testing.assert_close(LeftRightConsistency()(batch, [level]).item(), 60 * 0.5 * 0.1 / 96)


@pytest.mark.parametrize("size", [(64, 96), (16, 24)])
def test_the_other_map_is_looked_up_where_the_point_is_seen(size):
    slope = 0.001 * (torch.arange(float(size[1])).double() - size[1] // 3).clamp(min=0)
    # Disparity minus the shift of the principal point is zero: the same column in both images.
    batch, level = pair_of_maps(torch.tensor(0.2), 0.2 + slope, size)
    torch.testing.assert_close(LeftRightConsistency()(batch, [level]), (60 * 0.5 * slope / 96).mean())


def test_both_maps_learn_and_so_does_the_place():
    columns = torch.arange(96.0).double()
    batch, level = pair_of_maps(torch.tensor(0.21), 0.3 + 0.001 * columns, (64, 96))
    LeftRightConsistency()(batch, [level]).backward()
    per_pixel = 60 * 0.5 / 96 / (64 * 96)
    # d|l - r(u - 30 l)| / dl = -(1 + 30 * 0.001) where r is larger.
    inner = level.inverse_depth.grad[..., 20:80]
    torch.testing.assert_close(inner, torch.full_like(inner, -1.03 * per_pixel))
    assert level.source_inverse_depths[0].grad.abs().sum() > 0


def test_without_the_sources_depth_consistency_is_refused():
    batch, level = pair_of_maps(torch.tensor(0.2), torch.tensor(0.2), (64, 96))
    with pytest.raises(ConfigError, match="LeftRight"):
        LeftRightConsistency()(batch, [level._replace(source_inverse_depths=[])])


# velocity.py


def velocity_of(
    translations: list[list[float]], travelled: list[float], term: Velocity | None = None
) -> Tensor:
    """One video source, a batch of motions."""
    t = torch.tensor(translations).double()
    T = T_from_axis_angle(torch.zeros_like(t), t)
    view = View(torch.zeros(len(t), 3, 2, 2), torch.eye(3).expand(len(t), 3, 3))
    video = VideoView(view, torch.ones(len(t)), torch.tensor(travelled), T)
    levels = [DepthEstimate(0, torch.ones(len(t), 1, 2, 2), [], [], [T], [])]
    return (term or Velocity())(Batch(view, [video], [], []), levels)


def test_velocity_is_the_missing_length():
    value = velocity_of([[0, 0, -0.9], [0.3, 0.4, 0]], [1.0, 0.2])
    assert value.item() == pytest.approx((0.1 + 0.3) / 2, abs=1e-6)


def test_velocity_does_not_see_the_direction_of_time():
    t = torch.tensor([[0.1, 0.2, -0.9]]).double()
    T = T_from_axis_angle(torch.tensor([[0.1, 0.3, -0.2]]).double(), t)
    backward = inverse_pose(T)[0, :3, 3].tolist()
    torch.testing.assert_close(velocity_of(t.tolist(), [1.0]), velocity_of([backward], [1.0]))


def test_unknown_lengths_are_left_out_and_counted():
    term = Velocity()
    value = velocity_of([[0, 0, -0.9], [3.0, 0, 0]], [1.0, math.nan], term)
    assert value.item() == pytest.approx(0.1, abs=1e-6)
    assert velocity_of([[1.0, 0, 0]], [math.nan], term) == 0
    assert term.num_unknown == 2


def test_a_still_prediction_has_a_finite_gradient():
    t = torch.zeros(2, 3, requires_grad=True)
    T = T_from_axis_angle(torch.zeros(2, 3), t)
    view = View(torch.zeros(2, 3, 2, 2), torch.eye(3).expand(2, 3, 3))
    video = VideoView(view, torch.ones(2), torch.tensor([1.0, math.nan]), T)
    Velocity()(
        Batch(view, [video], [], []), [DepthEstimate(0, torch.ones(2, 1, 2, 2), [], [], [T], [])]
    ).backward()
    assert torch.isfinite(t.grad).all()


def test_without_a_pose_network_there_is_nothing_to_judge():
    levels = [DepthEstimate(0, torch.ones(1, 1, 2, 2), [], [], [], [])]
    view = View(torch.zeros(1, 3, 2, 2), torch.eye(3)[None])
    assert Velocity()(Batch(view, [], [], []), levels) == 0
