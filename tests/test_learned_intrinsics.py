"""Cameras that are learned from the images: what determines them, and where they go."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from scenes import camera_matrix, shared, wall
from torch import Tensor

import selfsup_depth
from selfsup_depth.geometry.camera import resize_intrinsics
from selfsup_depth.geometry.pose import T_from_axis_angle
from selfsup_depth.geometry.view_synthesis import synthesize
from selfsup_depth.losses.photometric import Photometric
from selfsup_depth.structures import Batch, DepthEstimate, PosedView, View
from selfsup_depth.training.learned_intrinsics import LearnedCamera

SIZE = (48, 80)
TRUTH = camera_matrix(60.0, 58.0, 37.0, 25.5)


def error_at(K: Tensor, target: View, source: PosedView, inverse_depth: Tensor) -> Tensor:
    """The photometric loss with one camera for both views."""
    posed = PosedView(View(source.view.image, K), source.T_target_to_source)
    synthesis = synthesize(View(target.image, K), posed, inverse_depth)
    estimate = DepthEstimate(0, inverse_depth, [synthesis], [posed], [], [])
    return Photometric(auto_mask=False)(Batch(target, [], [], []), [estimate])


def motion(turn: tuple[float, float, float], way: tuple[float, float, float]) -> Tensor:
    return T_from_axis_angle(torch.tensor([turn]).double(), torch.tensor([way]).double())


def test_the_camera_is_found_where_depth_and_a_turn_are_known():
    """From a focal length a fifth too long and a centre some pixels off, to 2 per cent."""
    scene = wall(motion((0.03, 0.08, 0.02), (0.3, -0.1, -0.5)), target_K=TRUTH, size=SIZE)
    focal = torch.tensor([72.0, 70.0]).double().requires_grad_()
    centre = torch.tensor([39.5, 23.5]).double().requires_grad_()
    optimizer = torch.optim.Adam([focal, centre], lr=0.3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, total_iters=250)
    for _ in range(250):
        K = torch.eye(3).double()[None].repeat(1, 1, 1)
        K[:, 0, 0], K[:, 1, 1] = focal
        K[:, 0, 2], K[:, 1, 2] = centre
        loss = error_at(K, scene.target, scene.source, scene.inverse_depth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    torch.testing.assert_close(focal.detach(), torch.tensor([60.0, 58.0]).double(), rtol=0.02, atol=0)
    torch.testing.assert_close(centre.detach(), torch.tensor([37.0, 25.5]).double(), rtol=0, atol=0.02 * 60)


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_without_a_turn_the_focal_length_is_undetermined(factor):
    """A longer lens and a farther scene give the same pictures of a camera that moves sideways."""
    longer = TRUTH * torch.tensor([[factor, 1, 1], [1, factor, 1], [1, 1, 1]]).double()
    straight = wall(motion((0, 0, 0), (0.3, -0.1, 0)), target_K=TRUTH, size=SIZE)
    true, other = (
        error_at(K, straight.target, straight.source, straight.inverse_depth / scale)
        for K, scale in [(TRUTH, 1.0), (longer, factor)]
    )
    torch.testing.assert_close(true, other)
    turned = wall(motion((0, 0.2, 0), (0.3, -0.1, 0)), target_K=TRUTH, size=SIZE)
    true, other = (
        error_at(K, turned.target, turned.source, turned.inverse_depth / scale)
        for K, scale in [(TRUTH, 1.0), (longer, factor)]
    )
    assert other > 2 * true


def test_the_focal_length_is_reported_in_pixels_of_the_stored_images():
    for case in json.loads(shared("golden/intrinsics.json").read_text())["cases"]:
        if case["op"] != "resize":
            continue
        stored, seen = tuple(case["size_in"]), tuple(case["size_out"])
        K, K_stored = (torch.tensor(case[key], dtype=torch.float64) for key in ("K_out", "K_in"))
        back = resize_intrinsics(K, seen, stored)
        torch.testing.assert_close(back, K_stored, atol=1e-9, rtol=0)
        words = LearnedCamera(K, seen, back, K_stored, stored).report()
        assert f"focal {K[0, 0]:.1f} x {K[1, 1]:.1f}, centre {K[0, 2]:.1f}, {K[1, 2]:.1f} px of" in words
        if stored == (375, 1242):
            assert words.count("focal 721.5 x 721.5, centre 609.6, 172.9 px of 1242x375") == 2


def test_a_run_learns_reports_and_records_its_camera(train, tmp_path, capsys):
    flags = ["--data.two_view_motion=false", "--model.geometric_start.steps=0"]
    flags += ["--model.pose_net.learned_intrinsics=true", "--data.flip=true"]
    run = tmp_path / "run"
    assert train(run, *flags, method="monodepth2_mono") == 0
    found = json.loads((run / "evaluation.json").read_text())["intrinsics"]
    assert found["size"] == [32, 64]
    assert found["size_stored"] == [40, 60]
    # Next to untrained: 0.7 of the width, in the stored images' pixels 60 / 64 of that.
    assert found["K"][0][0] == pytest.approx(0.7 * 64, rel=0.1)
    assert found["K_stored"][0][0] == pytest.approx(found["K"][0][0] * 60 / 64)
    assert found["K_stored"][1][1] == pytest.approx(found["K"][1][1] * 40 / 32)
    printed = capsys.readouterr().out
    assert f"focal {found['K_stored'][0][0]:.1f} x {found['K_stored'][1][1]:.1f}" in printed
    assert "the data say focal 50.0 x 50.0" in printed

    for name in ("last.ckpt", "best.ckpt"):
        checkpoint = torch.load(run / "checkpoints" / name, weights_only=True)
        assert checkpoint["selfsup_depth"]["intrinsics"]["size"] == [32, 64]
    assert checkpoint["selfsup_depth"]["intrinsics"]["K"] != torch.eye(3).tolist()
    predictor = selfsup_depth.load(run / "checkpoints" / "last.ckpt")
    prediction = predictor.predict(torch.rand(3, 80, 120))
    expected = resize_intrinsics(torch.tensor(found["K_stored"]), (40, 60), (80, 120)).double().numpy()
    np.testing.assert_allclose(prediction.K[0], expected, rtol=1e-4)
    own = np.diag([9.0, 9.0, 1.0])
    assert np.array_equal(predictor.predict(torch.rand(3, 80, 120), own).K[0], own)
