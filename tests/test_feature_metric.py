"""The feature-metric term: lowest at the truth, steep where colours are not, and apart from depth."""

from __future__ import annotations

import pytest
import torch
from scenes import Wall, camera_matrix, wall
from torch import Tensor

from selfsup_depth.geometry.pose import T_from_axis_angle
from selfsup_depth.geometry.view_synthesis import synthesize
from selfsup_depth.losses.feature_autoencoder import slopes_up_curvatures_down
from selfsup_depth.losses.feature_metric import FeatureMetric
from selfsup_depth.losses.photometric import Photometric
from selfsup_depth.structures import Batch, DepthEstimate, PosedView, View

SIZE = (64, 128)
FOCAL = 100.0
DISTANCE = 5.0
BASELINE = 0.3
# Left of column 64 of the target the wall has its texture, right of it a hundredth of that.
UNIFORM = 0.01
K = camera_matrix(FOCAL, FOCAL, 63.5, 31.5)


def motion(x: float, yaw: float = 0.0) -> Tensor:
    angle = torch.tensor([[0.0, yaw, 0.0]], dtype=torch.float64)
    return T_from_axis_angle(angle, torch.tensor([[x, 0.0, 0.0]], dtype=torch.float64))


def fading(view: View, x: float) -> View:
    """The picture, taken by a camera at -x, of a wall that is nearly uniform to the right of its middle."""
    columns = torch.arange(SIZE[1], dtype=torch.float64)
    place = (columns - 63.5) / FOCAL * DISTANCE - x
    contrast = torch.where(place > 0, UNIFORM, 1.0)
    return View(0.5 + (view.image - 0.5) * contrast, view.K)


def scene() -> Wall:
    """Two views of the wall, float32."""
    plain = wall(motion(-BASELINE), DISTANCE, SIZE, K)
    target, source = fading(plain.target, 0.0), fading(plain.source.view, -BASELINE)
    single = [View(view.image.float(), view.K.float()) for view in (target, source)]
    return Wall(single[0], PosedView(single[1], motion(-BASELINE).float()), plain.inverse_depth.float())


def estimate(given: Wall, inverse_depth: Tensor, T: Tensor | None = None) -> DepthEstimate:
    source = given.source if T is None else PosedView(given.source.view, T.float())
    rebuilt = synthesize(given.target, source, inverse_depth)
    return DepthEstimate(0, inverse_depth, [rebuilt], [source], [], [])


def batch_of(given: Wall) -> Batch:
    return Batch(given.target, [], [given.source], [])


@pytest.fixture(scope="module")
def fitted() -> FeatureMetric:
    """A term whose auto-encoder has seen the scene for a hundred steps."""
    torch.manual_seed(0)
    term, image = FeatureMetric(channels=8), scene().target.image
    optimizer = torch.optim.Adam(term.parameters(), lr=5e-3)
    for _ in range(100):
        objective = term.autoencoder_objective(image, term.autoencoder.features(image))
        optimizer.zero_grad()
        objective.backward()
        optimizer.step()
    return term.requires_grad_(False)


def error(term: FeatureMetric, level: DepthEstimate) -> Tensor:
    given = scene()
    features = term.autoencoder.features(given.target.image)
    return term.per_pixel(batch_of(given), level, features)


WRONG = {
    "nearer": lambda truth: (truth * 1.1, None),
    "farther": lambda truth: (truth * 0.9, None),
    "shifted": lambda truth: (truth + 0.02, None),
    "turned": lambda truth: (truth, motion(-BASELINE, 0.01)),
    "unmoved": lambda truth: (truth, motion(0.0)),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_the_error_is_least_at_the_true_depth_and_motion(fitted, wrong):
    given = scene()
    at_truth = error(fitted, estimate(given, given.inverse_depth)).mean()
    assert at_truth < 0.5 * error(fitted, estimate(given, *WRONG[wrong](given.inverse_depth))).mean()


def test_on_a_nearly_uniform_wall_features_say_more_than_colours(fitted):
    """The slope by depth, there and, so that no mere factor counts, there beside the textured half."""
    given = scene()

    def slopes(term) -> tuple[float, float]:
        inverse_depth = (given.inverse_depth * 1.04).requires_grad_()
        term(estimate(given, inverse_depth)).backward()
        size = inverse_depth.grad.abs()
        return size[..., 8:-8, 80:120].mean().item(), size[..., 8:-8, 24:56].mean().item()

    photometric = Photometric(auto_mask=False)
    by_colour = slopes(lambda level: photometric(batch_of(given), [level]))
    by_feature = slopes(lambda level: error(fitted, level).mean())
    assert by_feature[0] > 3 * by_colour[0]
    assert by_feature[0] / by_feature[1] > 1.5 * by_colour[0] / by_colour[1]


def test_depth_and_auto_encoder_do_not_disturb_each_other():
    torch.manual_seed(0)
    given, term = scene(), FeatureMetric(channels=4)
    inverse_depth = (given.inverse_depth * 1.1).requires_grad_()
    T = given.source.T_target_to_source.clone().requires_grad_()
    term(batch_of(given), [estimate(given, inverse_depth, T)]).backward()
    together = [p.grad.clone() for p in term.autoencoder.parameters()]
    assert inverse_depth.grad.abs().sum() > 0
    # The auto-encoder learns the same whatever the depth, from its own objective alone.
    term.zero_grad()
    features = term.autoencoder.features(given.target.image)
    (term.autoencoder_weight * term.autoencoder_objective(given.target.image, features)).backward()
    for alone, parameter in zip(together, term.autoencoder.parameters(), strict=True):
        torch.testing.assert_close(alone, parameter.grad)
    # Depth learns the same whether there is an objective of the auto-encoder or not.
    by_both, inverse_depth.grad = inverse_depth.grad, None
    error_alone = term.per_pixel(batch_of(given), estimate(given, inverse_depth), features.detach())
    error_alone.mean().backward()
    torch.testing.assert_close(by_both, inverse_depth.grad)


def test_motion_learns_too():
    torch.manual_seed(0)
    given, term = scene(), FeatureMetric(channels=4)
    source = PosedView(given.source.view, motion(-0.25).float().requires_grad_())
    term(batch_of(given), [DepthEstimate(0, given.inverse_depth, [], [source], [], [])]).backward()
    assert source.T_target_to_source.grad[0, 0, 3].abs() > 0


def test_each_pixel_keeps_the_source_that_shows_it_best(fitted):
    given = scene()
    level = estimate(given, given.inverse_depth)
    blank = PosedView(View(torch.zeros_like(given.target.image), given.target.K), motion(0.0).float())
    with_blank = level._replace(sources=[*level.sources, blank])
    both, one = error(fitted, with_blank), error(fitted, level)
    # The first columns only the unmoved blank shows.
    torch.testing.assert_close(
        both[..., 4:], torch.minimum(one, error(fitted, level._replace(sources=[blank])))[..., 4:]
    )
    assert (one[..., 4:] < both.new_tensor(0.3)).all()


def test_regularisers_want_steep_even_features_in_flat_places():
    ramp = torch.arange(12.0).expand(1, 2, 8, 12)
    flat, edges = torch.zeros(1, 3, 8, 12), torch.rand(1, 3, 8, 12)
    assert slopes_up_curvatures_down(2 * ramp, flat, 1.0, 1.0) < slopes_up_curvatures_down(ramp, flat, 1, 1)
    jagged = ramp + torch.tensor([0.0, 0.5]).repeat(6)
    only_curvature = slopes_up_curvatures_down(jagged, flat, 0.0, 1.0)
    assert only_curvature > 0.1
    assert slopes_up_curvatures_down(ramp, flat, 0.0, 1.0).abs() < 1e-6
    # What slopes where the image does counts less.
    assert slopes_up_curvatures_down(ramp, flat, 1.0, 0.0).item() == pytest.approx(-1)
    assert slopes_up_curvatures_down(ramp, edges, 1.0, 0.0) > -0.9


def test_the_error_is_differentiable_by_depth():
    torch.manual_seed(0)
    small = (8, 16)
    plain = wall(motion(-BASELINE), DISTANCE, small, camera_matrix(12.0, 12.0, 7.5, 3.5))
    term = FeatureMetric(channels=2).double()
    features = term.autoencoder.features(plain.target.image)
    inverse_depth = (plain.inverse_depth * 1.2).requires_grad_()

    def value(rho: Tensor) -> Tensor:
        return term.per_pixel(batch_of(plain), DepthEstimate(0, rho, [], [plain.source], [], []), features)

    torch.autograd.gradcheck(value, inverse_depth, eps=1e-7)
