"""Which pixels the photometric error looks at, on scenes with known answers."""

from __future__ import annotations

import pytest
import torch
from scenes import Wall, wall
from torch import Tensor

from selfsup_depth.errors import ConfigError
from selfsup_depth.geometry.pose import T_from_axis_angle
from selfsup_depth.geometry.view_synthesis import synthesize
from selfsup_depth.losses.photometric import Photometric
from selfsup_depth.structures import Batch, DepthEstimate, PosedView, Synthesis, View

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


def test_a_point_outside_every_source_is_not_kept_however_it_looks():
    nowhere = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    level = DepthEstimate(0, torch.ones(1, 1, 8, 8), [half_shown(0.0, 0.0, nowhere)], [], [], [])
    batch = Batch(View(torch.zeros(1, 3, 8, 8), torch.eye(3)[None]), [], [], [])
    error, kept = Photometric(ssim_weight=0, padding="masked").per_pixel(batch, level)
    assert not kept.any()
    torch.testing.assert_close(error, torch.full((1, 1, 8, 8), 0.5))


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


@pytest.mark.parametrize(("padding", "learns"), [("border", True), ("masked", False)])
def test_what_no_source_shows_teaches_nothing(padding, learns):
    scene = wall(SIDEWAYS, TRUTH)
    inverse_depth = torch.full_like(scene.inverse_depth, 1 / 0.3).requires_grad_()
    behind = scene.source._replace(T_target_to_source=moved(0.02, -0.03, -0.5))
    synthesis = synthesize(scene.target, behind, inverse_depth)
    level = DepthEstimate(0, inverse_depth, [synthesis], [behind], [], [])
    assert not synthesis.valid.any()
    value = Photometric(auto_mask=False, padding=padding)(Batch(scene.target, [], [behind], []), [level])
    value.backward()
    assert inverse_depth.grad.any() == learns


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


@pytest.mark.parametrize(
    "options", [{"ssim_weight": 1.5}, {"window": 4}, {"window": 1}, {"clip_percentile": -1.0}]
)
def test_impossible_options_are_refused(options):
    with pytest.raises(ConfigError, match=f"in {next(iter(options))}; "):
        Photometric(**options)


def test_contradictory_masks_are_refused():
    with pytest.raises(ConfigError, match="auto_mask: true"):
        Photometric(auto_mask=False, mask_each_source=True)


def keeping_pace(scene: Wall) -> DepthEstimate:
    """The wall keeps the camera's speed: the neighbour in time shows it unmoved, the other camera shifted."""
    beside_in_time = PosedView(View(scene.target.image, scene.target.K), moved(0.0, z=-0.4))
    rho = (scene.inverse_depth * 0.9).requires_grad_()
    syntheses = [synthesize(scene.target, source, rho) for source in (beside_in_time, scene.source)]
    return DepthEstimate(0, rho, syntheses, [beside_in_time, scene.source], [], [])


@pytest.mark.parametrize("each", [False, True])
def test_what_keeps_the_cameras_speed_is_learned_from_the_other_camera(each):
    scene = wall(moved(-0.4))
    found = keeping_pace(scene)
    term = Photometric(mask_each_source=each)
    batch = Batch(scene.target, [], [], [])
    kept = term.per_pixel(batch, found).kept.double().mean()
    term(batch, [found]).backward()
    slope = found.inverse_depth.grad.sum()
    if each:
        assert kept > 0.8
        assert slope < 0, "the wall is nearer than estimated: a larger inverse depth lessens the error"
    else:
        assert kept == 0
        assert slope == 0


def test_masking_each_source_is_the_published_mask_where_there_is_one():
    scene = wall(moved(-0.4))
    published = photometric_at(scene, 4.0)
    assert photometric_at(scene, 4.0, mask_each_source=True) == published
