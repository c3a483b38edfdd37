"""Deep3D: the right view as an expectation of shifted left ones, and depth read from it."""

from __future__ import annotations

import pytest
import torch
from scenes import camera_matrix, wall
from torch import Tensor

from selfsup_depth.errors import ConfigError
from selfsup_depth.geometry.camera import flip_intrinsics
from selfsup_depth.geometry.pose import T_from_axis_angle, flip_pose
from selfsup_depth.losses.photometric import Photometric
from selfsup_depth.modules.deep3d import Deep3D, render, rig_of
from selfsup_depth.networks.deep3d import Deep3DNet
from selfsup_depth.structures import Batch, PosedView, View

SIZE = (32, 64)
BASELINE = 0.5
FOCAL = 60.0


def moved(x: float) -> Tensor:
    return T_from_axis_angle(torch.zeros(1, 3).double(), torch.tensor([[x, 0, 0]], dtype=torch.float64))


def one_hot(index: Tensor, num_levels: int) -> Tensor:
    """(B, H, W) to (B, num_levels, H, W) of probabilities, float64."""
    return torch.nn.functional.one_hot(index, num_levels).permute(0, 3, 1, 2).double()


def pair(image: Tensor, cx_right: float = 31.5) -> tuple[View, PosedView]:
    """The right camera, whose image is not read, and the left one beside it."""
    right = View(torch.zeros_like(image), camera_matrix(FOCAL, FOCAL, cx_right, 15.5))
    left = View(image, camera_matrix(FOCAL, FOCAL, 31.5, 15.5))
    return right, PosedView(left, moved(BASELINE))


def noise(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(2)).double()


def stereo_batch(distance: float = 6.0) -> Batch:
    """A wall seen from the left; its picture from the right is the source."""
    scene = wall(moved(-BASELINE), distance, SIZE, camera_matrix(FOCAL, FOCAL, 31.5, 15.5))
    return Batch(scene.target, [], [scene.source], [])


def as_float32(batch: Batch) -> Batch:
    def single(view: View) -> View:
        return View(view.image.float(), view.K.float())

    source = batch.stereo[0]
    posed = PosedView(single(source.view), source.T_target_to_source.float())
    return Batch(single(batch.target), [], [posed], [])


@pytest.mark.parametrize("shift", [0, 1, 7])
@pytest.mark.parametrize("apart", [0, 3])
def test_one_probable_level_is_one_shift(shift, apart):
    """What is at column u in the right image is at u + focal * baseline / depth in the left."""
    left = noise(1, 3, *SIZE)
    levels = torch.arange(8).double() / (FOCAL * BASELINE)
    certain = one_hot(torch.full((1, *SIZE), shift), 8)
    rendering = render(*pair(left, 31.5 - apart), certain, levels)
    visible = SIZE[1] - shift - apart
    torch.testing.assert_close(rendering.image[..., :visible], left[..., shift + apart :])
    assert rendering.valid[..., :visible].all()
    assert not rendering.valid[..., visible:].any()


def test_the_rendering_is_the_expectation_of_the_copies():
    left, levels = noise(1, 3, *SIZE), torch.tensor([0.0, 0.1, 0.2]).double()
    probabilities = torch.softmax(noise(1, 3, *SIZE), dim=1)
    copies = [render(*pair(left), one_hot(torch.full((1, *SIZE), k), 3), levels).image for k in range(3)]
    expected = sum(probabilities[:, k : k + 1] * copies[k] for k in range(3))
    torch.testing.assert_close(render(*pair(left), probabilities, levels).image, expected)


def test_every_example_shifts_by_its_own_focal_length_and_baseline():
    left = noise(2, 3, *SIZE)
    right, _ = pair(left)
    K = torch.cat([right.K, camera_matrix(90.0, 90.0, 31.5, 15.5)])
    T = torch.cat([moved(BASELINE), moved(0.4)])
    level = torch.tensor([0.0, 0.25]).double()  # 7.5 and 9 pixels
    certain = one_hot(torch.ones(2, *SIZE, dtype=torch.long), 2)
    image = render(View(right.image, K), PosedView(View(left, K), T), certain, level).image
    torch.testing.assert_close(image[0, :, :, :56], (left[0, :, :, 7:63] + left[0, :, :, 8:]) / 2)
    torch.testing.assert_close(image[1, :, :, :55], left[1, :, :, 9:])


def test_the_renderer_is_differentiable_exactly():
    left, levels = noise(1, 3, 4, 12), torch.arange(3).double() / 45
    torch.autograd.gradcheck(
        lambda p: render(*pair(left), p, levels).image, noise(1, 3, 4, 12).requires_grad_()
    )


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.1, 1.25])
def test_the_rendering_is_best_at_the_true_depth(factor):
    module = Deep3D(Deep3DNet(width=0.125), {})
    batch = module.arrange(stereo_batch())
    levels = torch.tensor([1 / 6, 1 / 6 / factor]).double()

    def error(level: int) -> Tensor:
        certain = one_hot(torch.full((1, *SIZE), level), 2)
        rendering = render(batch.target, batch.stereo[0], certain, levels)
        return ((rendering.image - batch.target.image).abs() * rendering.valid).mean()

    assert error(0) < 0.02
    assert error(0) < 0.7 * error(1)


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_right_view_is_rendered_from_the_left_also_of_a_mirrored_pair(mirrored):
    batch = stereo_batch()
    source = batch.stereo[0]
    if mirrored:

        def mirror(view: View) -> View:
            return View(view.image.flip(-1), flip_intrinsics(view.K, SIZE[1]))

        flipped = PosedView(mirror(source.view), flip_pose(source.T_target_to_source))
        batch = Batch(mirror(batch.target), [], [flipped], [])
    arranged = Deep3D(Deep3DNet(width=0.125), {}).arrange(batch)
    assert arranged.stereo[0].T_target_to_source[0, 0, 3].item() == pytest.approx(BASELINE)
    # A mirrored left image is a right one.
    expected = batch.target.image if mirrored else source.view.image
    torch.testing.assert_close(arranged.target.image, expected)


def test_depth_is_said_of_the_left_images_own_pixels(monkeypatch):
    """A post that the right view shows at columns 20 to 29, nearer than what is behind it."""
    right, left = pair(noise(1, 3, *SIZE).float(), cx_right=29.5)
    network = Deep3DNet(width=0.125, num_levels=9, spacing=1 / (FOCAL * BASELINE), max_depth=1e9)
    network.rig.copy_(rig_of(right, left))
    index = torch.full((1, *SIZE), 1)
    index[..., 20:30] = 8
    monkeypatch.setattr(network, "probabilities", lambda image: one_hot(index, 9).float())
    inverse_depth = network(left.view.image)[0]
    # 8 and 1 pixels of disparity, and 2 between the principal points.
    near, far = 8 / (FOCAL * BASELINE), 1 / (FOCAL * BASELINE)
    torch.testing.assert_close(inverse_depth[..., 30:40], torch.full((1, 1, 32, 10), near))
    for columns in (slice(3, 23), slice(40, 64)):
        said = inverse_depth[..., columns]
        torch.testing.assert_close(said, torch.full_like(said, far))


def test_training_finds_the_distance_of_a_wall_and_keeps_the_rig():
    torch.manual_seed(0)
    network = Deep3DNet(width=0.125, norm="group", num_levels=17, spacing=0.02)
    module = Deep3D(network, {"photometric": Photometric(ssim_weight=0, auto_mask=False)})
    batch = module.arrange(as_float32(stereo_batch(5.0)))
    optimizer = torch.optim.Adam(module.parameters(), lr=3e-3)
    for _ in range(40):
        loss = sum(module.objective(batch, module.estimate(batch)).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.testing.assert_close(module.state_dict()["depth_net.rig"], torch.tensor([30 / 64, 0.0]))
    depth = 1 / module.eval().predict_inverse_depth(batch.stereo[0].view.image)
    assert (depth.median() - 5).abs() < 0.5


def test_impossible_levels_are_refused():
    with pytest.raises(ConfigError, match="in num_levels; use 2 or more"):
        Deep3DNet(width=0.125, num_levels=1)
    with pytest.raises(ConfigError, match="in spacing; use one above 0"):
        Deep3DNet(width=0.125, spacing=0.0)


def test_it_is_as_unsure_as_its_probabilities_are_wide(monkeypatch):
    network = Deep3DNet(width=0.125, norm="group", num_levels=5, spacing=0.1)
    image = torch.zeros(1, 3, *SIZE)
    told = torch.zeros(1, 5, *SIZE)
    told[:, 1], told[:, 3] = 0.5, 0.5
    told[..., 20:] = one_hot(torch.full((1, *SIZE), 2), 5).float()[..., 20:]
    monkeypatch.setattr(network, "probabilities", lambda image: told)
    (unsure,) = network.uncertainty(image)  # nothing is moved before training
    assert unsure.shape == (1, 1, *SIZE)
    torch.testing.assert_close(unsure[..., :20], torch.full((1, 1, 32, 20), 0.1))
    assert unsure[..., 20:].max() < 1e-3
