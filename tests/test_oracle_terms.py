"""Every term that knows about the scene is lowest at the true depth and motion, and has the slope it says.

Smoothness is left out of the first: it is a prior that knows nothing of the scene, and is zero where
everything is equally far. What a term cannot see is not asked of it: measured depth says nothing of
motion, a speed nothing of depth or turning, and where the other camera of a rig stands is known, not
estimated (with no baseline there is no disparity to disagree about).
"""

from __future__ import annotations

import math

import pytest
import torch
from scenes import Slope, slope
from torch import Tensor

from selfsup_depth.geometry.agreement import left_right_check
from selfsup_depth.geometry.pose import T_from_axis_angle
from selfsup_depth.geometry.view_synthesis import synthesize
from selfsup_depth.losses.base import LossTerm
from selfsup_depth.losses.consistency import LeftRightConsistency
from selfsup_depth.losses.explainability import Explainability
from selfsup_depth.losses.feature_metric import FeatureMetric
from selfsup_depth.losses.geometry_consistency import GeometryConsistency
from selfsup_depth.losses.photometric import Photometric
from selfsup_depth.losses.smoothness import Smoothness
from selfsup_depth.losses.sparse_depth import SparseDepth
from selfsup_depth.losses.velocity import Velocity
from selfsup_depth.modules.deep3d import render
from selfsup_depth.structures import Batch, DepthEstimate, VideoView

TRANSLATION = (-0.35, 0.05, -0.25)


def moved(translation: tuple[float, ...], turn: tuple[float, ...] = (0.0, 0.0, 0.0)) -> Tensor:
    return T_from_axis_angle(*(torch.tensor([values]).double() for values in (turn, translation)))


class Explained(LossTerm):
    """The photometric error with the mask that suits it best, min(1, weight / error), and what that costs."""

    def forward(self, batch: Batch, estimates: list[DepthEstimate]) -> Tensor:
        photometric, mask = Photometric(per_pixel_minimum=False, auto_mask=False), Explainability()
        error = photometric.per_pixel(batch, estimates[0]).error.detach()
        best = (mask.weight / error.clamp(min=1e-6)).clamp(max=1 - 1e-6)
        level = estimates[0]._replace(explainability=[best.logit()])
        return photometric(batch, [level]) + mask.weight * mask(batch, [level])


class Expected(LossTerm):
    """Deep3D's photometric error: the inverse depth as probabilities of the two levels around it."""

    levels = torch.arange(0, 0.5, 0.01).double()

    def forward(self, batch: Batch, estimates: list[DepthEstimate]) -> Tensor:
        estimate, source = estimates[0], estimates[0].sources[0]
        apart = (estimate.inverse_depth - self.levels[:, None, None]).abs() / self.levels[1]
        rendering = render(batch.target, source, (1 - apart).clamp(min=0), self.levels)
        level = estimate._replace(syntheses=[rendering])
        return Photometric(ssim_weight=0, auto_mask=False, padding="border")(batch, [level])


def by_features() -> FeatureMetric:
    """By features as they are before any training, without what the auto-encoder learns from."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return FeatureMetric(channels=8, autoencoder_weight=0.0).double().requires_grad_(False)


def scene_of(term: LossTerm) -> Slope:
    """A rectified pair for a term that is about one, else a camera that moves and turns."""
    pair = isinstance(term, LeftRightConsistency | Expected)
    return slope(moved((-0.5, 0, 0)) if pair else moved(TRANSLATION, (0.01, -0.02, 0.015)))


def batch_of(seen: Slope) -> Batch:
    """The true length of the motion, and every seventh pixel's depth measured."""
    measured = torch.zeros_like(seen.inverse_depth)
    measured.flatten()[::7] = 1 / seen.inverse_depth.flatten()[::7]
    length = seen.source.T_target_to_source[:, :3, 3].norm(dim=-1)
    video = VideoView(seen.source.view, torch.ones(1), length, seen.source.T_target_to_source)
    return Batch(seen.target, [video], [], [], [measured])


def estimate(seen: Slope, rho: Tensor, source_rho: Tensor, T: Tensor) -> DepthEstimate:
    source = seen.source._replace(T_target_to_source=T)
    return DepthEstimate(0, rho, [synthesize(seen.target, source, rho)], [source], [T], [source_rho])


def value_at(term: LossTerm, change: str) -> float:
    seen = scene_of(term)
    factor = {"farther": 1 / 1.1, "nearer": 1 / 0.9}.get(change, 1.0)
    rho, source_rho = seen.inverse_depth * factor, seen.source_inverse_depth * factor
    if change == "shifted":  # a map that lags behind its image by eight rows
        rho = rho.roll(8, -2)
    T = seen.source.T_target_to_source
    if change == "turned":
        T = moved((0.0, 0.0, 0.0), (0.0, 0.03, 0.0)) @ T
    if change == "unmoved":
        T = torch.eye(4).double()[None]
    return term(batch_of(seen), [estimate(seen, rho, source_rho, T)]).item()


DEPTH, MOTION = ["farther", "nearer", "shifted"], ["turned", "unmoved"]
SEES = {
    "photometric": (Photometric(), DEPTH + MOTION),
    "photometric without auto-mask": (Photometric(auto_mask=False), DEPTH + MOTION),
    "photometric, clipped": (Photometric(clip_percentile=0.5), DEPTH + MOTION),
    "photometric, robust": (Photometric(robust=True), DEPTH + MOTION),
    "photometric, weighted": (Photometric(geometry_weighted=True), DEPTH + MOTION),
    "photometric, wide window": (Photometric(window=7, padding="border"), DEPTH + MOTION),
    "geometry consistency": (GeometryConsistency(), DEPTH + MOTION),
    "left-right consistency": (LeftRightConsistency(padding="masked"), [*DEPTH, "turned"]),
    "log L1": (SparseDepth(), DEPTH),
    "inverse L1": (SparseDepth(kind="inverse_l1"), DEPTH),
    "velocity": (Velocity(), ["unmoved"]),
    "photometric, explained": (Explained(), DEPTH + MOTION),
    "feature-metric": (by_features(), DEPTH + MOTION),
    "photometric, as an expectation": (Expected(), DEPTH),
}


@pytest.mark.parametrize("name", SEES)
def test_a_term_is_lowest_at_the_truth(name):
    term, changes = SEES[name]
    truth = value_at(term, "none")
    wrong = {change: value_at(term, change) for change in changes}
    # Of the photometric error at the truth most is of points that the source does not show.
    assert min(wrong.values()) > 1.03 * truth + 1e-4, (truth, wrong)


BLIND = {"log L1": MOTION, "velocity": [*DEPTH, "turned"]}


@pytest.mark.parametrize("name", BLIND)
def test_what_a_term_does_not_see_changes_nothing(name):
    term, truth = SEES[name][0], value_at(SEES[name][0], "none")
    assert all(value_at(term, change) == pytest.approx(truth, abs=1e-9) for change in BLIND[name])


SLOPES = {
    name: term for name, (term, _) in SEES.items() if not name.startswith(("photometric", "feature"))
} | {
    "photometric": Photometric(auto_mask=False, padding="border"),
    "photometric with auto-mask": Photometric(padding="border"),
    "photometric, robust": Photometric(robust=True, auto_mask=False, padding="border"),
    "smoothness": Smoothness(),
    "second-order smoothness": Smoothness(order=2, mean_normalised=False),
}


@pytest.mark.parametrize("name", SLOPES)
def test_the_gradient_is_the_slope(name):
    """By depth and by motion, in float64, a little beside the truth: there the terms have their kinks.

    What has no gradient by intent is left out: the weight of the depths' agreement, the limit of the
    clipping, and with padding "masked", or by features, the errors of what no source shows.
    """
    term = SLOPES[name]
    seen, pattern = scene_of(term), torch.Generator().manual_seed(0)
    batch = batch_of(seen)
    waves = [torch.rand(seen.inverse_depth.shape, generator=pattern, dtype=torch.float64) for _ in range(2)]

    def value(depths: Tensor, motion: Tensor) -> Tensor:
        rho = seen.inverse_depth * (1.07 + 0.02 * waves[0] * (1 + depths[0]) + 0.1 * depths[1])
        source_rho = seen.source_inverse_depth * (1.03 + 0.02 * waves[1] * (1 + depths[2]))
        T = T_from_axis_angle(motion[None, :3], motion[None, 3:]) @ seen.source.T_target_to_source
        return term(batch, [estimate(seen, rho, source_rho, T)])

    beside = torch.tensor([0.004, -0.003, 0.002, 0.03, 0.02, -0.01]).double().requires_grad_()
    depths = torch.zeros(3).double().requires_grad_()
    # Few points change sides within a millionth; each moves the mean by less than the tolerance.
    assert torch.autograd.gradcheck(value, (depths, beside), eps=1e-7, atol=2e-4, rtol=1e-2)


def test_the_left_right_check_tells_true_from_false_and_hidden():
    seen = slope(moved((-0.5, 0, 0)))
    views = seen.target, seen.source
    confirmed = left_right_check(*views, seen.inverse_depth, seen.source_inverse_depth)
    shown = synthesize(*views, seen.inverse_depth).valid
    assert torch.equal(confirmed, shown)
    assert 0.5 < shown.double().mean() < 1
    # Nearer than it is by 3 pixels of disparity, on one side only.
    wrong = seen.inverse_depth + 3 / (60 * 0.5)
    assert not left_right_check(*views, wrong, seen.source_inverse_depth).any()
    assert left_right_check(*views, wrong, seen.source_inverse_depth, max_difference=math.inf).any()
