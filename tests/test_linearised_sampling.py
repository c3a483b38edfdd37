"""Sampling with central differences as its slope: the value of bilinear sampling, a smoother gradient."""

from __future__ import annotations

import torch
from scenes import texture, wall

from selfsup_depth.geometry.pose import T_from_axis_angle
from selfsup_depth.geometry.view_synthesis import sample, sample_linearised, synthesize
from selfsup_depth.losses.photometric import Photometric
from selfsup_depth.modules.view_synthesis import ViewSynthesis
from selfsup_depth.networks.depth import DepthNet
from selfsup_depth.structures import Batch, DepthEstimate


def picture() -> torch.Tensor:
    v, u = torch.meshgrid(torch.arange(24.0).double(), torch.arange(40.0).double(), indexing="ij")
    return texture(u / 12, v / 12)[None]


def places(count: int = 200) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 3 + torch.rand(1, 1, count, 2, generator=generator, dtype=torch.float64) * torch.tensor([33, 17])


def test_the_value_is_that_of_bilinear_sampling_also_outside():
    everywhere = torch.cat([places(), places() * 3 - 40], dim=2)
    assert torch.equal(sample_linearised(picture(), everywhere), sample(picture(), everywhere))


def test_the_slope_is_half_the_difference_of_what_lies_a_pixel_to_both_sides():
    image, pixels = picture(), places().requires_grad_()
    sample_linearised(image, pixels).sum().backward()
    for axis, step in enumerate([torch.tensor([1.0, 0]), torch.tensor([0, 1.0])]):
        difference = (sample(image, pixels.detach() + step) - sample(image, pixels.detach() - step)) / 2
        torch.testing.assert_close(pixels.grad[..., axis], difference.sum(1))


def test_it_is_nearly_the_bilinear_gradient_on_a_smooth_picture():
    gradients = []
    for look_up in (sample, sample_linearised):
        pixels = places().requires_grad_()
        look_up(picture(), pixels).square().sum().backward()
        gradients.append(pixels.grad.flatten())
    cosine = torch.nn.functional.cosine_similarity(*gradients, dim=0)
    assert 0.95 < cosine < 0.99999, "the same direction, not the same numbers"


def test_the_image_learns_as_it_does_from_bilinear_sampling():
    gradients = []
    for look_up in (sample, sample_linearised):
        image = picture().requires_grad_()
        look_up(image, places()).square().sum().backward()
        gradients.append(image.grad)
    torch.testing.assert_close(*gradients)


def test_no_number_has_no_gradient():
    pixels = torch.tensor([[[[torch.nan, 3.0], [torch.inf, 2.0], [5.5, 6.5]]]]).requires_grad_()
    sample_linearised(picture().float(), pixels).sum().backward()
    assert torch.isfinite(pixels.grad).all()
    assert pixels.grad[0, 0, 2].abs().min() > 0


def test_a_step_against_the_gradient_lessens_the_error_of_a_wrong_depth():
    T = T_from_axis_angle(torch.zeros(1, 3).double(), torch.tensor([[-0.3, 0, 0]]).double())
    scene = wall(T, 5.0)
    batch = Batch(scene.target, [], [scene.source], [])
    for wrong, nearer in ((1 / 4.5, -1), (1 / 5.5, 1)):
        rho = torch.full_like(scene.inverse_depth, wrong).requires_grad_()
        synthesis = synthesize(scene.target, scene.source, rho, "linearised")
        level = DepthEstimate(0, rho, [synthesis], [scene.source], [], [])
        Photometric(ssim_weight=0.0, auto_mask=False)(batch, [level]).backward()
        assert -rho.grad.sum() * nearer > 0


def test_the_module_learns_by_the_gradient_it_is_told():
    T = T_from_axis_angle(torch.zeros(1, 3), torch.tensor([[-0.3, 0, 0]]))
    scene = wall(T.double(), 5.0, (32, 64))
    views = [
        view._replace(image=view.image.float(), K=view.K.float())
        for view in (scene.target, scene.source.view)
    ]
    batch = Batch(views[0], [], [scene.source._replace(view=views[1], T_target_to_source=T)], [])
    found = {}
    for mode in ("bilinear", "linearised"):
        torch.manual_seed(0)
        net = DepthNet(width=0.125, norm="group", min_depth=1.0, first_depth=9.0)
        module = ViewSynthesis(net, {"photometric": Photometric()}, gradient=mode)
        value = module.objective(batch, module.estimate(batch))["photometric"]
        value.backward()
        found[mode] = (
            value.detach(),
            torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None]),
        )
    assert torch.equal(found["bilinear"][0], found["linearised"][0])
    cosine = torch.nn.functional.cosine_similarity(found["bilinear"][1], found["linearised"][1], dim=0)
    assert 0.5 < cosine < 0.9999
