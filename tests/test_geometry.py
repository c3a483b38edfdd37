"""The one convention of the geometry, in closed form."""

from __future__ import annotations

import json

import pytest
import torch
from scenes import camera_matrix, golden, shared, wall
from torch.autograd import gradcheck

from selfsup_depth.geometry import camera, inverse_depth, pose
from selfsup_depth.geometry.projection import project_to_source
from selfsup_depth.geometry.resize import upsample
from selfsup_depth.geometry.view_synthesis import sample, synthesize
from selfsup_depth.structures import PosedView, View

SIDEWAYS = pose.T_from_axis_angle(torch.zeros(1, 3).double(), torch.tensor([[-0.3, 0.0, 0.0]]).double())
FORWARD_AND_TURNED = pose.T_from_axis_angle(
    torch.tensor([[0.02, -0.05, 0.03]]).double(), torch.tensor([[0.1, -0.05, -0.6]]).double()
)


def smooth_image(height: int, width: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(2, 3, height // 8 + 2, width // 8 + 2, generator=generator, dtype=torch.float64)
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=True).to(
        dtype
    )


@pytest.mark.parametrize("size", [(48, 80), (37, 53), (128, 416), (3, 3)])
@pytest.mark.parametrize("depth", [0.3, 7.0, 1e6])
def test_an_unmoved_camera_returns_the_image(size, depth):
    image = smooth_image(*size)
    K = camera_matrix(0.6 * size[1], 0.9 * size[0], 0.47 * size[1], 0.52 * size[0]).float().expand(2, 3, 3)
    view = View(image, K)
    source = PosedView(view, torch.eye(4).expand(2, 4, 4))
    synthesis = synthesize(view, source, torch.full((2, 1, *size), 1 / depth))
    assert synthesis.valid.all()
    torch.testing.assert_close(synthesis.image, image, atol=1e-5, rtol=0)


@pytest.mark.parametrize("T", [SIDEWAYS, FORWARD_AND_TURNED], ids=["stereo", "video"])
@pytest.mark.parametrize("other_K", [None, camera_matrix(72.0, 66.0, 42.5, 20.0)], ids=["same K", "other K"])
def test_a_textured_wall_is_rebuilt_at_its_true_depth_only(T, other_K):
    scene = wall(T, source_K=other_K)

    def error(factor):
        synthesis = synthesize(scene.target, scene.source, scene.inverse_depth / factor)
        return (synthesis.image - scene.target.image).abs()[synthesis.valid.expand_as(synthesis.image)].mean()

    assert error(1.0) < 0.01
    for wrong in (0.5, 0.8, 0.9, 1.1, 1.25, 2.0):
        assert error(wrong) > 1.3 * error(1.0)


def test_closed_form_disparity():
    """f = 100 px, 0.1 m apart, 5 m away: two pixels to the left."""
    K = camera_matrix(100.0, 100.0, 49.5, 31.5)
    T = pose.T_from_axis_angle(torch.zeros(1, 3).double(), torch.tensor([[-0.1, 0, 0]]).double())
    view = View(torch.zeros(1, 3, 64, 100).double(), K)
    pixels = project_to_source(K, PosedView(view, T), torch.full((1, 1, 64, 100), 0.2).double()).pixels
    torch.testing.assert_close(pixels[0, 31, 59], torch.tensor([57.0, 31.0]).double())
    disparity = inverse_depth.disparity_from_inverse_depth(
        torch.full((1, 1, 1, 1), 0.2), torch.tensor([100.0]), torch.tensor([0.1])
    )
    assert disparity.item() == pytest.approx(2.0)


@pytest.mark.parametrize("ahead", [5.0, 8.0])
def test_points_behind_the_camera_are_invalid_and_harmless(ahead):
    """The source stands in the wall at 5 m (a division by zero), or beyond it."""
    scene = wall(SIDEWAYS)
    T = pose.T_from_axis_angle(torch.zeros(1, 3).double(), torch.tensor([[0.0, 0.0, -ahead]]).double())
    rho = scene.inverse_depth.clone().requires_grad_()
    synthesis = synthesize(scene.target, PosedView(scene.source.view, T), rho)
    assert not synthesis.valid.any()
    synthesis.image.sum().backward()
    assert torch.isfinite(rho.grad).all()


def test_points_outside_the_image_are_invalid_by_coordinates_even_if_black():
    scene = wall(SIDEWAYS)
    black = scene.source._replace(view=scene.source.view._replace(image=torch.zeros_like(scene.target.image)))
    synthesis = synthesize(scene.target, black, scene.inverse_depth)
    pixels = project_to_source(scene.target.K, black, scene.inverse_depth).pixels
    torch.testing.assert_close(synthesis.valid[0, 0], pixels[0, ..., 0] > -0.5)
    assert 0.9 < synthesis.valid.double().mean() < 1


@pytest.mark.parametrize("to_size", [(24, 40), (17, 101), (96, 160)])
def test_resize_then_project_is_project_then_resize(to_size):
    K = camera_matrix(60.0, 58.0, 37.0, 25.5)
    points = torch.tensor([[0.5, -0.2, 3.0], [-1.0, 0.4, 7.0], [0.0, 0.0, 1.0]]).double()
    before = (K[0] @ points.T)[:2] / points[:, 2]
    resized = camera.resize_intrinsics(K, (48, 80), to_size)
    after = (resized[0] @ points.T)[:2] / points[:, 2]
    scale = torch.tensor([to_size[1] / 80, to_size[0] / 48]).double()[:, None]
    torch.testing.assert_close(after, (before + 0.5) * scale - 0.5)


def test_resize_moves_k_as_area_averaging_moves_pixels():
    """The mean column of a bright block lands where the resized K says."""
    image = torch.zeros(1, 1, 8, 32)
    image[..., 12:16] = 1
    small = torch.nn.functional.interpolate(image, scale_factor=0.25, mode="area")
    centre = (small[0, 0, 0] * torch.arange(8)).sum() / small[0, 0, 0].sum()
    K = camera.resize_intrinsics(camera_matrix(10.0, 10.0, 13.5, 3.5), (8, 32), (2, 8))
    assert centre.item() == pytest.approx(K[0, 0, 2].item())


def test_flipping_twice_changes_nothing():
    K = camera_matrix(60.0, 58.0, 37.0, 25.5)
    torch.testing.assert_close(camera.flip_intrinsics(camera.flip_intrinsics(K, 81), 81), K)
    torch.testing.assert_close(pose.flip_pose(pose.flip_pose(FORWARD_AND_TURNED)), FORWARD_AND_TURNED)


def mirrored(view: View) -> View:
    return View(view.image.flip(-1), camera.flip_intrinsics(view.K, view.image.shape[-1]))


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("side", ["left", "right"])
def test_every_side_and_mirror_image_of_a_stereo_pair(side, flipped):
    """The loss is lowest at the true depth for a left or right target, mirrored or not."""
    scene = wall(SIDEWAYS if side == "left" else pose.inverse_pose(SIDEWAYS))
    target, source = scene.target, scene.source
    if flipped:
        target, source = (
            mirrored(target),
            PosedView(mirrored(source.view), pose.flip_pose(source.T_target_to_source)),
        )

    def error(factor):
        synthesis = synthesize(target, source, scene.inverse_depth / factor)
        return ((synthesis.image - target.image).abs() * synthesis.valid).mean()

    assert error(1.0) < 0.3 * min(error(0.5), error(2.0))
    unflipped = synthesize(scene.target, scene.source, scene.inverse_depth)
    as_it_was = ((unflipped.image - scene.target.image).abs() * unflipped.valid).mean()
    torch.testing.assert_close(error(1.0), as_it_was, atol=1e-12, rtol=0)
    columns = project_to_source(target.K, source, scene.inverse_depth).pixels[0, 0, :, 0]
    shift = (columns - torch.arange(80)).mean()
    assert shift.sign() == (-1 if (side == "left") != flipped else 1)


def test_a_mirrored_pair_is_the_mirror_image_also_where_the_camera_turns():
    """A principal point off by one pixel hides in a sideways motion, not in a turn."""
    scene = wall(FORWARD_AND_TURNED)
    straight = synthesize(scene.target, scene.source, scene.inverse_depth)
    source = PosedView(mirrored(scene.source.view), pose.flip_pose(scene.source.T_target_to_source))
    flipped = synthesize(mirrored(scene.target), source, scene.inverse_depth)
    torch.testing.assert_close(flipped.image.flip(-1), straight.image, atol=1e-9, rtol=0)


def test_gradient_of_the_warper():
    scene = wall(FORWARD_AND_TURNED, size=(7, 9), target_K=camera_matrix(9.0, 8.0, 4.2, 3.1))
    generator = torch.Generator().manual_seed(1)
    rho = (0.2 + 0.05 * torch.rand(1, 1, 7, 9, generator=generator).double()).requires_grad_()
    motion = torch.tensor([[0.021, -0.013, 0.017, 0.08, -0.05, -0.3]]).double().requires_grad_()

    def image(rho, motion):
        T = pose.T_from_axis_angle(motion[:, :3], motion[:, 3:])
        return synthesize(scene.target, PosedView(scene.source.view, T), rho).image

    assert gradcheck(image, (rho, motion), eps=1e-7, atol=1e-5)


def test_gradient_of_the_intrinsics():
    scene = wall(FORWARD_AND_TURNED, size=(7, 9), target_K=camera_matrix(9.0, 8.0, 4.2, 3.1))

    def columns(focal):
        K = scene.target.K * torch.where(
            torch.eye(3).bool()[None], torch.stack([focal, focal, focal / focal]), 1.0
        )
        return project_to_source(K, scene.source, scene.inverse_depth).pixels

    assert gradcheck(columns, (torch.tensor(1.02).double().requires_grad_(),))


def test_gradient_where_points_lie_behind_the_source():
    scene = wall(torch.eye(4).double()[None], size=(4, 5), target_K=camera_matrix(9.0, 8.0, 4.2, 3.1))
    # Nearer than 2 m is behind a camera 2 m ahead.
    rho = torch.linspace(0.3, 0.7, 20).double().view(1, 1, 4, 5).requires_grad_()
    motion = torch.tensor([[0.02, -0.01, 0.03, 0.1, -0.2, -2.0]]).double().requires_grad_()

    def places(rho, motion):
        T = pose.T_from_axis_angle(motion[:, :3], motion[:, 3:])
        projection = project_to_source(scene.target.K, PosedView(scene.source.view, T), rho)
        return projection.pixels, projection.relative_depth

    assert not places(rho, motion)[1].gt(0).all()
    assert places(rho, motion)[1].gt(0).any()
    assert gradcheck(places, (rho, motion), eps=1e-8, atol=1e-4)


def test_the_gradient_at_zero_rotation_is_the_generators():
    axis_angle = torch.zeros(3).double()
    jacobian = torch.autograd.functional.jacobian(
        lambda w: pose.T_from_axis_angle(w, torch.zeros(3).double())[:3, :3], axis_angle
    )
    for axis, (i, j) in enumerate([(2, 1), (0, 2), (1, 0)]):
        generator = torch.zeros(3, 3).double()
        generator[i, j], generator[j, i] = 1, -1
        torch.testing.assert_close(jacobian[..., axis], generator)


def test_pose_closed_forms():
    quarter = pose.T_from_axis_angle(
        torch.tensor([0, torch.pi / 2, 0], dtype=torch.float64), torch.zeros(3).double()
    )
    forward = torch.tensor([0.0, 0.0, 1.0, 1.0]).double()
    torch.testing.assert_close(quarter @ forward, torch.tensor([1.0, 0, 0, 1]).double(), atol=1e-12, rtol=0)
    eye = torch.eye(4).double()[None]
    torch.testing.assert_close(pose.inverse_pose(FORWARD_AND_TURNED) @ FORWARD_AND_TURNED, eye)
    torch.testing.assert_close(
        pose.axis_angle_from_T(FORWARD_AND_TURNED),
        torch.tensor([[0.02, -0.05, 0.03]]).double(),
        atol=1e-9,
        rtol=0,
    )


def test_inverse_depth_closed_forms():
    activation = torch.tensor([0.0, 0.5, 1.0]).double()
    rho = inverse_depth.inverse_depth_from_sigmoid(activation, 0.1, 100.0)
    torch.testing.assert_close(rho, torch.tensor([0.01, 5.005, 10.0]).double())
    depth = inverse_depth.depth_from_inverse_depth(rho)
    torch.testing.assert_close(depth[1], torch.tensor(0.1998).double(), atol=1e-5, rtol=0)
    assert inverse_depth.sigmoid_from_inverse_depth(5.005, 0.1, 100.0) == pytest.approx(0.5)
    assert torch.isfinite(inverse_depth.depth_from_inverse_depth(torch.zeros(1)))


def test_inverse_intrinsics_is_the_inverse():
    K = camera_matrix(721.5, 720.1, 609.6, 172.9)
    torch.testing.assert_close(camera.inverse_intrinsics(K) @ K, torch.eye(3).double()[None])


def test_bfloat16_autocast_does_not_reach_the_geometry():
    scene = wall(FORWARD_AND_TURNED)
    view = View(scene.source.view.image.float(), scene.source.view.K.float())
    source = PosedView(view, FORWARD_AND_TURNED.float())
    rho = scene.inverse_depth.float()
    expected = project_to_source(scene.target.K.float(), source, rho).pixels
    with torch.autocast("cpu", dtype=torch.bfloat16):
        lowered = project_to_source(scene.target.K.float(), source, rho).pixels
    assert torch.equal(expected, lowered)


@pytest.mark.parametrize("case", ["a", "b"])
def test_golden_view_synthesis(case):
    numbers = {k[2:]: v for k, v in golden("view_synthesis").items() if k.startswith(f"{case}_")}
    source = PosedView(View(numbers["source"], numbers["K"]), numbers["T_target_to_source"])
    rho = 1 / numbers["depth"]
    projection = project_to_source(numbers["K"], source, rho)
    u, v = projection.pixels.unbind(-1)
    height, width = rho.shape[-2:]
    valid = (projection.relative_depth[:, 0] > 0) & (u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1)
    assert torch.equal(valid, numbers["valid"])
    assert (projection.valid[:, 0] | ~valid).all(), "the slack only adds pixels"
    torch.testing.assert_close(u[valid], numbers["u"][valid], atol=1e-4, rtol=0)
    torch.testing.assert_close(v[valid], numbers["v"][valid], atol=1e-4, rtol=0)
    z = (projection.relative_depth / rho)[:, 0]
    torch.testing.assert_close(z[valid], numbers["z_source"][valid], atol=0, rtol=1e-6)
    image = sample(numbers["source"], projection.pixels)
    inside = valid[:, None].expand_as(image)
    torch.testing.assert_close(image[inside], numbers["synthesized_border"][inside], atol=1e-5, rtol=0)


def golden_intrinsics() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Ours and theirs for every stored case."""
    pairs = []
    for case in json.loads(shared("golden/intrinsics.json").read_text())["cases"]:
        K = torch.tensor(case["K_in"], dtype=torch.float64)
        if case["op"] == "pyramid":
            for level in case["levels"]:
                theirs = torch.tensor(level["K"], dtype=torch.float64)
                pairs.append((camera.resize_intrinsics(K, case["size_in"], level["size"]), theirs))
            continue
        if "resize" in case["op"]:
            K = camera.resize_intrinsics(K, case["size_in"], case.get("resize_to", case["size_out"]))
        if "crop" in case["op"]:
            K = camera.crop_intrinsics(K, *case["top_left_row_col"])
        if "flip" in case["op"]:
            K = camera.flip_intrinsics(K, case["size_out"][1])
        pairs.append((K, torch.tensor(case["K_out"], dtype=torch.float64)))
    return pairs


def test_golden_intrinsics():
    pairs = golden_intrinsics()
    assert len(pairs) >= 42
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=0)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf, 1e30])
def test_coordinates_that_are_no_place_harm_nothing(value):
    """torch's own gradient there writes outside the image, and ends the process."""
    image = torch.rand(1, 3, 64, 128, requires_grad=True)
    pixels = torch.full((1, 64, 128, 2), value, requires_grad=True)
    sample(image, pixels).sum().backward()
    assert torch.isfinite(image.grad).all()
    assert pixels.grad.abs().max() == 0


@pytest.mark.parametrize("factors", [(2, 2), (8, 4), (3, 2)])
@pytest.mark.parametrize("size", [(6, 5), (1, 2)])
def test_upsampling_has_the_gradient_of_interpolation(size, factors):
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(2, 1, *size, generator=generator, dtype=torch.float64, requires_grad=True)
    larger = (size[0] * factors[0], size[1] * factors[1])
    plain = torch.nn.functional.interpolate(values, larger, mode="bilinear", align_corners=False)
    weights = torch.rand(plain.shape, generator=generator, dtype=torch.float64)
    made = upsample(values, larger)
    assert torch.equal(made, plain)
    found, expected = (torch.autograd.grad((one * weights).sum(), values)[0] for one in (made, plain))
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
