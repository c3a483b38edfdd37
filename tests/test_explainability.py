"""The explainability mask: its balance with the photometric error, and its collapse without one."""

from __future__ import annotations

import pytest
import torch
from scenes import wall
from torch import Tensor

from selfsup_depth.geometry.pose import T_from_axis_angle
from selfsup_depth.geometry.view_synthesis import synthesize
from selfsup_depth.losses.explainability import Explainability
from selfsup_depth.losses.photometric import Photometric
from selfsup_depth.structures import Batch, DepthEstimate, View

SIZE = (16, 24)


def grey(values: Tensor) -> View:
    return View(values.expand(1, 3, *SIZE).double(), torch.eye(3)[None].double())


def scene_with_error(error: Tensor) -> tuple[Batch, DepthEstimate]:
    """A synthesis that is wrong by a known amount in each pixel."""
    truth = wall(T_from_axis_angle(torch.zeros(1, 3), torch.zeros(1, 3)).double(), size=SIZE)
    synthesis = synthesize(truth.target, truth.source, truth.inverse_depth)
    synthesis = synthesis._replace(image=truth.target.image + error)
    estimate = DepthEstimate(0, truth.inverse_depth, [synthesis], [truth.source], [], [])
    return Batch(truth.target, [], [], []), estimate


def learned_mask(batch: Batch, estimate: DepthEstimate, weight: float) -> Tensor:
    """The mask that gradient descent ends at; depth and motion stay as they are."""
    photometric = Photometric(ssim_weight=0, per_pixel_minimum=False, auto_mask=False)
    regulariser = Explainability()
    logits = torch.zeros(1, 1, *SIZE, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.1)
    for _ in range(300):
        level = estimate._replace(explainability=[logits])
        loss = photometric(batch, [level]) + weight * regulariser(batch, [level])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return torch.sigmoid(logits.detach())


def test_the_mask_settles_where_error_and_regulariser_balance():
    """E = min(1, weight / error): derivative of E d - weight log E."""
    error = torch.linspace(0, 0.8, SIZE[1]).double().expand(1, 1, *SIZE)
    mask = learned_mask(*scene_with_error(error), weight=0.2)
    torch.testing.assert_close(mask, (0.2 / error).clamp(max=1), atol=0.02, rtol=0)
    assert mask[..., 0].min() > 0.98


def test_without_the_regulariser_the_mask_collapses():
    """Every weight on an error is a cost: what is not held up goes to zero, and all learning with it."""
    error = torch.full((1, 1, *SIZE), 0.1).double()
    scene = scene_with_error(error)
    assert learned_mask(*scene, weight=0.0).max() < 0.01
    assert learned_mask(*scene, weight=0.2).min() > 0.98


def photometric_of(batch: Batch, estimate: DepthEstimate, **options) -> Tensor:
    options = {"ssim_weight": 0, "per_pixel_minimum": False, "auto_mask": False} | options
    return Photometric(**options)(batch, [estimate])


def two_sources() -> tuple[Batch, DepthEstimate]:
    """Two syntheses, wrong by 0.2 and by 0.4."""
    batch, estimate = scene_with_error(torch.tensor(0.2).double())
    other = estimate.syntheses[0]._replace(image=batch.target.image + 0.4)
    return batch, estimate._replace(syntheses=[estimate.syntheses[0], other], sources=estimate.sources * 2)


def logit(share: float) -> Tensor:
    return torch.full((1, 1, *SIZE), share).double().logit()


def test_each_source_is_weighted_with_its_own_mask():
    batch, estimate = two_sources()
    weighted = estimate._replace(explainability=[logit(0.25), logit(0.5)])
    torch.testing.assert_close(photometric_of(batch, weighted).item(), (0.25 * 0.2 + 0.5 * 0.4) / 2)


def test_a_source_without_a_mask_counts_in_full():
    """The rig's other camera, whose place is known, comes after those that move."""
    batch, estimate = two_sources()
    weighted = estimate._replace(explainability=[logit(0.25)])
    torch.testing.assert_close(photometric_of(batch, weighted).item(), (0.25 * 0.2 + 0.4) / 2)


def test_a_coarse_mask_is_brought_to_the_images_size():
    batch, estimate = scene_with_error(torch.tensor(0.2).double())
    mask = logit(0.25)[..., ::4, ::4]
    torch.testing.assert_close(photometric_of(batch, estimate._replace(explainability=[mask])).item(), 0.05)


def test_the_regulariser_is_the_cross_entropy_to_one():
    batch, estimate = two_sources()
    levels = [
        estimate._replace(explainability=[logit(0.25), logit(0.5)]),
        estimate._replace(level=1, explainability=[logit(1 / 8), logit(1 / 8)]),
    ]
    expected = torch.tensor([4, 2, 8, 8.0]).double().log().mean()
    torch.testing.assert_close(Explainability()(batch, levels), expected)


@pytest.mark.parametrize("logits", [-200.0, 200.0])
def test_a_mask_far_out_has_a_finite_value_and_can_come_back(logits):
    batch, estimate = two_sources()
    mask = torch.full((1, 1, *SIZE), logits, requires_grad=True)
    value = Explainability()(batch, [estimate._replace(explainability=[mask])])
    value.backward()
    assert value.item() == pytest.approx(max(-logits, 0))
    assert torch.isfinite(mask.grad).all()
    assert bool(mask.grad.any()) == (logits < 0)


def test_the_gradient_is_that_of_the_formula():
    batch, estimate = two_sources()
    generator = torch.Generator().manual_seed(0)
    masks = [torch.randn(1, 1, 4, 6, generator=generator).double().requires_grad_() for _ in range(2)]

    def total(*masks: Tensor) -> Tensor:
        level = estimate._replace(explainability=list(masks))
        return photometric_of(batch, level) + 0.2 * Explainability()(batch, [level])

    assert torch.autograd.gradcheck(total, masks)
