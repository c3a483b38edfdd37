"""Losses and their gradients against numbers of reference implementations, in float64.

Tolerances are those measured for these numbers: maps are stored as float32, and the reference's
two divisions by 1e-7 move losses by up to 2e-7 and gradients by up to 3e-4 of their norm.
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from scenes import golden
from torch import Tensor

from selfsup_depth.geometry.agreement import relative_depth_difference
from selfsup_depth.geometry.inverse_depth import inverse_depth_from_sigmoid
from selfsup_depth.geometry.pose import T_from_axis_angle, inverse_pose
from selfsup_depth.geometry.view_synthesis import synthesize
from selfsup_depth.losses.consistency import LeftRightConsistency
from selfsup_depth.losses.photometric import Photometric
from selfsup_depth.losses.photometric_error import photometric_error
from selfsup_depth.losses.smoothness import Smoothness
from selfsup_depth.losses.ssim import ssim_dissimilarity
from selfsup_depth.losses.velocity import Velocity
from selfsup_depth.structures import Batch, DepthEstimate, PosedView, VideoView, View


def assert_close(actual: Tensor, expected: Tensor, tolerance: float = 1e-6) -> None:
    """Within `tolerance` of the largest value."""
    torch.testing.assert_close(actual, expected, atol=tolerance * expected.abs().max().item(), rtol=0)


def assert_same_gradient(actual: Tensor | None, expected: Tensor) -> None:
    assert actual is not None
    assert (actual - expected).norm() < 1e-3 * expected.norm()


def pyramid_batch(target: View) -> Batch:
    return Batch(target, [], [], [])


@pytest.mark.parametrize("case", ["a", "b"])
def test_photometric_error(case):
    numbers = golden("photometric")
    x, y = numbers[f"{case}_x"].requires_grad_(), numbers[f"{case}_y"]
    assert_close(ssim_dissimilarity(x, y), numbers[f"{case}_ssim_dissimilarity"])
    error = photometric_error(x, y)
    assert_close(error, numbers[f"{case}_photometric_error"])
    error.mean().backward()
    assert_close(error.mean(), numbers[f"{case}_mean_error"])
    assert_close(x.grad, numbers[f"{case}_grad_x"])


@pytest.mark.parametrize("case", ["a", "b"])
def test_photometric_error_in_float32(case):
    numbers = {key: value.float() for key, value in golden("photometric").items()}
    error = photometric_error(numbers[f"{case}_x"], numbers[f"{case}_y"])
    torch.testing.assert_close(error, numbers[f"{case}_photometric_error"], atol=6e-5, rtol=0)
    torch.testing.assert_close(error.mean(), numbers[f"{case}_mean_error"], atol=1e-7, rtol=0)


@pytest.mark.parametrize("case", ["a", "b"])
def test_smoothness(case):
    numbers = golden("smoothness")
    inverse_depth = numbers[f"{case}_inverse_depth"].requires_grad_()
    batch = pyramid_batch(View(numbers[f"{case}_image"], torch.eye(3).double()[None]))
    estimates = [DepthEstimate(0, inverse_depth, [], [], [], [])]
    loss = Smoothness()(batch, estimates)
    loss.backward()
    assert_close(loss, numbers[f"{case}_loss"])
    assert_close(inverse_depth.grad, numbers[f"{case}_grad_inverse_depth"])
    plain = Smoothness(mean_normalised=False)(batch, estimates)
    assert_close(plain, numbers[f"{case}_loss_without_mean_normalisation"])


class TwoSources:
    """The reference's example: a target between two frames, sigmoid maps at four levels, two motions."""

    def __init__(self) -> None:
        self.numbers = golden("monodepth2_objective")
        self.sigmoids = [self.numbers[f"disp_{level}"].requires_grad_() for level in range(4)]
        self.axis_angle = self.numbers["axisangle"].requires_grad_()
        self.translation = self.numbers["translation"].requires_grad_()
        backward, forward = T_from_axis_angle(self.axis_angle, self.translation)
        self.motions = [inverse_pose(backward), forward]

    def view(self, name: str, level: int, K: Tensor) -> View:
        image = self.numbers[f"{name}_{level}"]
        return View(image, K.expand(len(image), 3, 3))

    def estimate(self, level: int, Ks: Tensor, native: bool) -> DepthEstimate:
        """One level; `native` compares at its own size, else at full resolution."""
        size_level = level if native else 0
        sigmoid = self.sigmoids[level]
        if not native:
            sigmoid = F.interpolate(sigmoid, (48, 80), mode="bilinear", align_corners=False)
        inverse_depth = inverse_depth_from_sigmoid(sigmoid, 0.1, 100.0)
        target = self.view("target", size_level, Ks[size_level])
        sources = [
            PosedView(self.view(name, size_level, Ks[size_level]), T)
            for name, T in zip(["source_prev", "source_next"], self.motions, strict=True)
        ]
        syntheses = [synthesize(target, source, inverse_depth) for source in sources]
        return DepthEstimate(level, inverse_depth, syntheses, sources, [], [])

    def smoothness(self, batch: Batch) -> list[Tensor]:
        """Unweighted, by level; the reference smooths the sigmoid map itself."""
        term = Smoothness(level_factor=1.0)
        return [term(batch, [DepthEstimate(i, s, [], [], [], [])]) for i, s in enumerate(self.sigmoids)]


VARIANTS = {
    "base": {},
    "no_automask": {"auto_mask": False},
    "avg_reprojection": {"per_pixel_minimum": False},
    "no_automask_avg_reprojection": {"auto_mask": False, "per_pixel_minimum": False},
    "no_ssim": {"ssim_weight": 0.0},
    "v1_multiscale": {},
    "v1_multiscale_half_pixel_K": {},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_objective_of_monodepth2(variant):
    example = TwoSources()
    numbers = example.numbers
    Ks = numbers["K_scaled_half_pixel" if "half_pixel" in variant else "K_scaled_naive"]
    batch = pyramid_batch(example.view("target", 0, Ks[0]))
    estimates = [example.estimate(level, Ks, native="v1" in variant) for level in range(4)]
    term = Photometric(padding="border", **VARIANTS[variant])

    photometric = [term(batch, [estimate]) for estimate in estimates]
    smoothness = example.smoothness(batch)
    for level in range(4):
        expected = {name: numbers[f"{variant}__{name}_per_scale"][level] for name in ("photo", "smooth")}
        torch.testing.assert_close(photometric[level], expected["photo"], atol=1e-6, rtol=0)
        torch.testing.assert_close(smoothness[level], expected["smooth"], atol=1e-6, rtol=0)
        if f"{variant}__keep_share" in numbers:
            share = term.per_pixel(batch, estimates[level]).kept.double().mean()
            torch.testing.assert_close(share, numbers[f"{variant}__keep_share"][level], atol=1e-3, rtol=0)

    sigmoid_estimates = [
        e._replace(inverse_depth=s) for e, s in zip(estimates, example.sigmoids, strict=True)
    ]
    total = term(batch, estimates) + 1e-3 * Smoothness()(batch, sigmoid_estimates)
    torch.testing.assert_close(total, numbers[f"{variant}__loss"], atol=1e-6, rtol=0)
    total.backward()
    for level in range(4):
        if f"{variant}__grad_disp_{level}" in numbers:
            assert_same_gradient(example.sigmoids[level].grad, numbers[f"{variant}__grad_disp_{level}"])
    assert_same_gradient(example.axis_angle.grad, numbers[f"{variant}__grad_axisangle"])
    assert_same_gradient(example.translation.grad, numbers[f"{variant}__grad_translation"])


@pytest.mark.parametrize("padding", ["zeros", "border", "masked"])
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("case", ["a", "b"])
def test_left_right_consistency_of_monodepth(case, side, padding):
    numbers = golden("monodepth_v1_lr")
    other = "right" if side == "left" else "left"
    height, width = numbers[f"{case}_left"].shape[-2:]
    focal, baseline = 0.6 * width, 0.54
    K = torch.tensor([[[focal, 0, 0.47 * width], [0, focal, 0.5 * height], [0, 0, 1]]]).double()
    # The right camera stands at +x, so points move to -x on the way from the left one to it.
    T = torch.eye(4).double()[None]
    T[0, 0, 3] = -baseline if side == "left" else baseline
    inverse_depth = {s: numbers[f"{case}_disp_{s}"] * width / (focal * baseline) for s in (side, other)}
    source = PosedView(View(numbers[f"{case}_{other}"], K), T)
    estimate = DepthEstimate(0, inverse_depth[side], [], [source], [], [inverse_depth[other]])
    loss = LeftRightConsistency(padding=padding)(
        pyramid_batch(View(numbers[f"{case}_{side}"], K)), [estimate]
    )
    name = {"zeros": "border", "border": "edge", "masked": "valid"}[padding]
    # "valid" counts up to the border's pixel centres, we up to the border itself.
    tolerance = 2e-2 if padding == "masked" else 1e-6
    assert_close(loss, numbers[f"{case}_lr_{side}_{name}"], tolerance)


@pytest.mark.parametrize("case", ["a", "b"])
def test_geometry_consistency(case):
    numbers = golden("sc_geometry")
    depth, source_depth = (numbers[f"{case}_depth_{name}"].requires_grad_() for name in ("target", "source"))
    image = torch.zeros_like(depth)
    K, T = numbers[f"{case}_K"], numbers[f"{case}_T_target_to_source"]
    source = PosedView(View(image, K), T)
    agreement = relative_depth_difference(View(image, K), source, 1 / depth, 1 / source_depth)
    # The reference's points lie between the centres of the border's pixels, ours up to the border.
    counted = numbers[f"{case}_valid"]
    assert not (counted & ~agreement.valid).any()
    difference = torch.where(counted, agreement.difference, 0)
    # The reference adds 1e-7 to a divisor, which moves the depth looked up by up to 1e-5 m.
    assert_close(difference, numbers[f"{case}_relative_difference"], 5e-6)
    mean = difference.sum() / counted.sum()
    mean.backward()
    assert_close(mean, numbers[f"{case}_mean_over_valid"])
    for name, leaf in (("target", depth), ("source", source_depth)):
        assert_same_gradient(leaf.grad, numbers[f"{case}_grad_depth_{name}"])


def test_velocity():
    numbers = golden("velocity")
    translation = numbers["translation"].requires_grad_()
    view = View(torch.zeros(4, 3, 2, 2), torch.eye(3).expand(4, 3, 3))
    T = T_from_axis_angle(torch.zeros_like(translation), translation)
    none = torch.full((4,), torch.nan)
    video = [
        VideoView(view, seconds, numbers["speed"] * seconds, none[:, None, None].expand(4, 4, 4))
        for seconds in numbers["delta_t"]
    ]
    batch = Batch(view, video, [], [])
    loss = Velocity()(batch, [DepthEstimate(0, torch.ones(4, 1, 2, 2), [], [], list(T), [])])
    loss.backward()
    assert_close(loss, numbers["loss"])
    # The 1e-12 under the root is felt where a camera that stands is predicted to move by a millimetre.
    assert_close(translation.grad, numbers["grad_translation"], 5e-6)
