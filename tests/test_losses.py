"""What each loss term must and must not see, on scenes with known answers."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from scenes import Wall, wall
from torch import Tensor

from selfsup_depth.errors import ConfigError
from selfsup_depth.geometry.pose import T_from_axis_angle, inverse_pose
from selfsup_depth.geometry.view_synthesis import synthesize
from selfsup_depth.losses.consistency import LeftRightConsistency
from selfsup_depth.losses.photometric import Photometric, photometric_error
from selfsup_depth.losses.smoothness import Smoothness
from selfsup_depth.losses.ssim import ssim_dissimilarity, window_statistics
from selfsup_depth.losses.velocity import Velocity
from selfsup_depth.structures import Batch, DepthEstimate, PosedView, Synthesis, VideoView, View

WINDOWS = [3, 5, 7]
TRUTH = 5.0


def moved(x: float, y: float = 0.0, z: float = 0.0) -> Tensor:
    return T_from_axis_angle(torch.zeros(1, 3).double(), torch.tensor([[x, y, z]]).double())


SIDEWAYS = moved(-0.3)


def estimate(scene: Wall, distance: float, sources: list[PosedView], level: int = 0) -> DepthEstimate:
    """One level that says the wall stands at this distance."""
    inverse_depth = torch.full_like(scene.inverse_depth, 1 / distance)
    syntheses = [synthesize(scene.target, source, inverse_depth) for source in sources]
    return DepthEstimate(level, inverse_depth, syntheses, sources, [], [])


def photometric_at(scene: Wall, distance: float, *extra: PosedView, **options: object) -> float:
    batch = Batch(scene.target, [], [scene.source], [])
    return Photometric(**options)(batch, [estimate(scene, distance, [scene.source, *extra])]).item()


def noise_like(image: Tensor) -> Tensor:
    return torch.rand(image.shape, generator=torch.Generator().manual_seed(0), dtype=image.dtype)


# ssim.py


@pytest.mark.parametrize("window", WINDOWS)
def test_equal_images_are_not_dissimilar(window):
    image = noise_like(torch.zeros(2, 3, 20, 30))
    assert ssim_dissimilarity(image, image.clone(), window).abs().max() < 1e-5


@pytest.mark.parametrize("window", WINDOWS)
def test_dissimilarity_is_symmetric_and_bounded(window):
    x = noise_like(torch.zeros(2, 3, 20, 30).double())
    y = x.flip(-1)
    forward, backward = ssim_dissimilarity(x, y, window), ssim_dissimilarity(y, x, window)
    torch.testing.assert_close(forward, backward)
    assert 0 <= forward.min() <= forward.max() <= 1
    assert forward.mean() > 0.2


@pytest.mark.parametrize("window", WINDOWS)
def test_dissimilarity_is_the_published_formula(window):
    x, y = noise_like(torch.zeros(1, 3, 16, 20).double()), noise_like(torch.zeros(1, 3, 20, 16).double())
    y = (x + 0.5 * y.transpose(-1, -2)) / 1.5

    def mean(values: Tensor) -> Tensor:
        return F.avg_pool2d(F.pad(values, [window // 2] * 4, mode="reflect"), window, stride=1)

    def covariance(a: Tensor, b: Tensor) -> Tensor:
        return mean(a * b) - mean(a) * mean(b)

    luminance = (2 * mean(x) * mean(y) + 0.01**2) / (mean(x) ** 2 + mean(y) ** 2 + 0.01**2)
    structure = (2 * covariance(x, y) + 0.03**2) / (covariance(x, x) + covariance(y, y) + 0.03**2)
    torch.testing.assert_close(ssim_dissimilarity(x, y, window), (1 - luminance * structure) / 2)


def test_dissimilarity_with_ready_statistics_is_the_same():
    x = noise_like(torch.zeros(1, 3, 16, 20))
    y = x.flip(-1)
    assert torch.equal(ssim_dissimilarity(x, window_statistics(y)), ssim_dissimilarity(x, y))


def test_dissimilarity_has_its_true_gradient():
    x = noise_like(torch.zeros(1, 2, 6, 7).double()).requires_grad_()
    y = noise_like(torch.zeros(1, 2, 7, 6).double()).transpose(-1, -2)
    assert torch.autograd.gradcheck(lambda x: ssim_dissimilarity(x, y), x)
    assert torch.autograd.gradcheck(lambda x: photometric_error(x, y, window=5), x)


def test_a_second_image_that_should_learn_is_refused():
    x = noise_like(torch.zeros(1, 3, 8, 8))
    with pytest.raises(ValueError, match="exchange"):
        ssim_dissimilarity(x, x.clone().requires_grad_())


def test_half_precision_is_raised():
    image = 0.5 + 0.02 * noise_like(torch.zeros(1, 3, 16, 20))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        error = photometric_error(image, image.flip(-1))
    assert error.dtype == torch.float32
    assert torch.equal(error, photometric_error(image, image.flip(-1)))


# photometric.py


@pytest.mark.parametrize("padding", ["border", "masked"])
@pytest.mark.parametrize("auto_mask", [True, False])
def test_error_is_least_at_the_true_distance(padding, auto_mask):
    scene = wall(SIDEWAYS, TRUTH)
    values = {
        distance: photometric_at(scene, distance, padding=padding, auto_mask=auto_mask)
        for distance in (TRUTH / 2, TRUTH / 1.2, TRUTH, TRUTH * 1.2, TRUTH * 2)
    }
    assert min(values, key=lambda distance: values[distance]) == TRUTH


@pytest.mark.parametrize("padding", ["border", "masked"])
def test_a_useless_second_source_does_no_harm(padding):
    scene = wall(SIDEWAYS, TRUTH)
    view = scene.source.view
    useless = scene.source._replace(view=view._replace(image=noise_like(view.image)))
    alone = photometric_at(scene, TRUTH, auto_mask=False, padding=padding)
    both = photometric_at(scene, TRUTH, useless, auto_mask=False, padding=padding)
    mean = photometric_at(scene, TRUTH, useless, auto_mask=False, padding=padding, per_pixel_minimum=False)
    assert both <= alone + 1e-6
    assert mean > 5 * alone


def test_auto_mask_drops_what_does_not_move():
    scene = wall(SIDEWAYS, TRUTH)
    still = (slice(None), slice(None), slice(10, 30), slice(20, 50))
    image = scene.source.view.image.clone()
    image[still] = scene.target.image[still]
    source = scene.source._replace(view=scene.source.view._replace(image=image))
    inverse_depth = scene.inverse_depth.clone().requires_grad_()
    synthesis = synthesize(scene.target, source, inverse_depth)
    batch = Batch(scene.target, [], [source], [])
    term = Photometric()
    level = DepthEstimate(0, inverse_depth, [synthesis], [source], [], [])
    kept = term.per_pixel(batch, level).kept
    inside = (slice(None), slice(None), slice(11, 29), slice(21, 49))
    assert not kept[inside].any()
    assert kept.float().mean() > 0.5
    term(batch, [level]).backward()
    # Only the window reaches into what does not move.
    assert inverse_depth.grad[..., 12:28, 22:48].abs().max() == 0
    assert inverse_depth.grad.abs().max() > 0


def test_equality_goes_to_the_unmoved_source():
    image = noise_like(torch.zeros(1, 3, 8, 8))
    synthesis = Synthesis(image, torch.ones(1, 1, 8, 8, dtype=torch.bool), image)
    level = DepthEstimate(0, torch.ones(1, 1, 8, 8), [synthesis], [], [], [])
    batch = Batch(View(image.flip(-1), torch.eye(3)[None]), [], [], [])
    assert not Photometric().per_pixel(batch, level).kept.any()


def half_shown(error_left: float, error_right: float, shown: Tensor) -> Synthesis:
    """A synthesis of a black target that is wrong by these amounts in its two halves."""
    image = torch.full((1, 3, 8, 8), error_left)
    image[..., 4:] = error_right
    return Synthesis(image, shown, torch.full((1, 3, 8, 8), 0.5))


def test_a_point_outside_one_source_is_left_to_the_others():
    left = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    left[..., :4] = True
    syntheses = [half_shown(0.2, 0.0, left), half_shown(0.1, 0.3, ~left)]
    level = DepthEstimate(0, torch.ones(1, 1, 8, 8), syntheses, [], [], [])
    batch = Batch(View(torch.zeros(1, 3, 8, 8), torch.eye(3)[None]), [], [], [])
    for least in (True, False):
        term = Photometric(ssim_weight=0, auto_mask=False, per_pixel_minimum=least, padding="masked")
        error = term.per_pixel(batch, level).error
        torch.testing.assert_close(error[..., :4], torch.full((1, 1, 8, 4), 0.2))
        torch.testing.assert_close(error[..., 4:], torch.full((1, 1, 8, 4), 0.3))
    border = Photometric(ssim_weight=0, auto_mask=False, padding="border").per_pixel(batch, level).error
    torch.testing.assert_close(border.mean(), torch.tensor((0.1 + 0.0) / 2))


@pytest.mark.parametrize("padding", ["border", "masked"])
@pytest.mark.parametrize("auto_mask", [True, False])
@pytest.mark.parametrize("T", [moved(-50.0), moved(0.0, 0.0, -6.0)], ids=["outside", "behind"])
def test_flying_away_is_not_rewarded(T, auto_mask, padding):
    scene = wall(SIDEWAYS, TRUTH)
    batch = Batch(scene.target, [], [scene.source], [])
    away = estimate(scene, TRUTH, [scene.source._replace(T_target_to_source=T)])
    assert not away.syntheses[0].valid.any()
    term = Photometric(auto_mask=auto_mask, padding=padding)
    assert term(batch, [away]) > 3 * term(batch, [estimate(scene, TRUTH, [scene.source])])


def test_what_no_source_shows_teaches_nothing():
    scene = wall(SIDEWAYS, TRUTH)
    inverse_depth = torch.full_like(scene.inverse_depth, 1 / 0.3).requires_grad_()
    away = scene.source._replace(T_target_to_source=moved(0.0, -0.3, -0.5))
    synthesis = synthesize(scene.target, away, inverse_depth)
    level = DepthEstimate(0, inverse_depth, [synthesis], [away], [], [])
    error = Photometric(auto_mask=False, padding="masked").per_pixel(
        Batch(scene.target, [], [away], []), level
    )
    unseen = ~synthesis.valid
    assert unseen.any()
    (gradient,) = torch.autograd.grad(error.error[unseen].sum(), inverse_depth, allow_unused=True)
    assert gradient is None or not gradient.any()


def test_levels_at_their_own_size_are_compared_with_block_means():
    scene = wall(SIDEWAYS, TRUTH)
    batch = Batch(scene.target, [], [scene.source], [])
    target = scene.target.image
    blocks = target.reshape(1, 3, 24, 2, 40, 2).mean((3, 5))
    synthesis = Synthesis(blocks, torch.ones(1, 1, 24, 40, dtype=torch.bool), blocks)
    coarse = DepthEstimate(1, torch.ones(1, 1, 24, 40), [synthesis], [], [], [])
    term = Photometric(auto_mask=False)
    assert term(batch, [coarse]) < 1e-12
    fine = estimate(scene, 2 * TRUTH, [scene.source])
    torch.testing.assert_close(term(batch, [fine, coarse]), term(batch, [fine]) / 2)


def test_no_sources_are_refused():
    scene = wall(SIDEWAYS, TRUTH)
    with pytest.raises(ConfigError, match=r"data\.video"):
        Photometric()(Batch(scene.target, [], [], []), [estimate(scene, TRUTH, [])])


@pytest.mark.parametrize("options", [{"ssim_weight": 1.5}, {"window": 4}, {"window": 1}])
def test_impossible_options_are_refused(options):
    with pytest.raises(ConfigError, match=f"in {next(iter(options))}; "):
        Photometric(**options)


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


def test_the_other_map_is_looked_up_where_the_point_is_seen():
    columns = torch.arange(96.0).double()
    # Disparity 6 minus the shift of the principal point, 6: the same column in both images.
    batch, level = pair_of_maps(torch.tensor(0.2), 0.2 + 0.001 * (columns - 40).clamp(min=0), (64, 96))
    expected = (60 * 0.5 * 0.001 * (columns - 40).clamp(min=0) / 96).mean()
    torch.testing.assert_close(LeftRightConsistency()(batch, [level]), expected)


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
