"""What protocols differ in, each with an answer that is known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from selfsup_depth.errors import DataError
from selfsup_depth.evaluation.alignment import align, median
from selfsup_depth.evaluation.depth_details import DepthDetails, band_names
from selfsup_depth.evaluation.depth_errors import depth_errors, errors_of_image
from selfsup_depth.evaluation.depth_metrics import DepthMetrics
from selfsup_depth.evaluation.flip import join_with_mirrored, predict_with_flip
from selfsup_depth.evaluation.protocols import EIGEN_CROP, PROTOCOLS
from tests.scenes import SHARED

METRIC = PROTOCOLS["metric"]
FLIP_GOLDEN = SHARED / "golden/flip_postprocess.npz"


def scaled(how):
    return dataclasses.replace(METRIC, scale=how)


def depths(count=60, seed=0):
    return 2 + 50 * torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    ("how", "distorted"),
    [
        ("least_squares", lambda z: z / 3),
        ("median", lambda z: z * 7),
        ("shift_and_scale", lambda z: (z - 1.5) / 2),
        ("shift_and_scale_inverse", lambda z: 1 / ((1 / z - 0.001) / 4)),
    ],
)
def test_each_alignment_undoes_its_own_distortion_and_not_that_of_others(how, distorted):
    measured = depths()
    aligned = align(distorted(measured), measured, scaled(how))
    torch.testing.assert_close(aligned.depth, measured)
    assert not torch.allclose(align(distorted(measured), measured, METRIC).depth, measured, rtol=0.1)


def test_least_squares_leaves_less_squared_error_than_the_median():
    measured, predicted = depths(seed=1), depths(seed=2)
    left = {
        how: float((align(predicted, measured, scaled(how)).depth - measured).square().sum())
        for how in ("least_squares", "median", "shift_and_scale")
    }
    assert left["shift_and_scale"] < left["least_squares"] < left["median"]


def test_a_constant_prediction_is_shifted_to_the_mean():
    measured = depths()
    aligned = align(torch.full_like(measured, 3.0), measured, scaled("shift_and_scale"))
    torch.testing.assert_close(aligned.depth, measured.mean().expand(60))


def test_inverse_depth_that_is_shifted_below_zero_is_as_far_as_can_be_said():
    measured = torch.tensor([[1.0, 100.0, 1.1, 90.0]])
    # Anti-correlated: the fitted line has no positive slope to keep all inverse depths positive.
    predicted = torch.tensor([[0.4, 1.0, 0.3, 0.001]])
    image = errors_of_image(predicted, measured, scaled("shift_and_scale_inverse"))
    assert torch.isfinite(torch.stack(image.errors)).all()
    assert image.predicted.max() <= METRIC.max_depth


def test_of_two_middle_values_the_lower_or_the_mean():
    values = torch.tensor([1.0, 2.0, 4.0, 100.0])
    assert median(values, "lower") == 2
    assert median(values) == 3


@pytest.mark.parametrize("name", ["packnet_kitti", "sc_depth"])
def test_depth_that_is_resized_is_another_number_than_inverse_depth(name):
    coarse = torch.tensor([[0.5, 0.02]])
    protocol = dataclasses.replace(PROTOCOLS[name], crop=None, scale="metric")
    measured = torch.full((1, 8), 20.0)
    # Halfway between 2 m and 50 m lie 26 m by depth and 3.8 m by inverse depth.
    depth = errors_of_image(coarse, measured, protocol).predicted
    inverse = errors_of_image(coarse, measured, METRIC).predicted
    assert depth[3:5].mean() == pytest.approx(26, abs=1e-6)
    assert (depth[2:6] > inverse[2:6] + 1).all()
    at_corner = {"packnet_kitti": 2 + 48 / 7, "sc_depth": 2.0}[name]
    assert depth[1] == pytest.approx(at_corner, abs=1e-6)


def test_clamping_first_changes_what_is_scaled():
    measured = torch.tensor([[10.0, 20.0, 40.0]])
    predicted = torch.tensor([[1000.0, 2000.0, 4000.0]])
    after = dataclasses.replace(METRIC, scale="median")
    before = dataclasses.replace(after, clamp="before")
    assert errors_of_image(1 / predicted, measured, after).errors.abs_rel < 1e-6
    assert errors_of_image(1 / predicted, measured, before).errors.abs_rel == pytest.approx(0.5, abs=1e-6)


def test_boxes_are_for_one_size():
    assert PROTOCOLS["nyu"].crop_box(480, 640) == (45, 471, 41, 601)
    assert PROTOCOLS["cityscapes"].crop_box(1024, 2048) == (256, 768, 192, 1856)
    assert PROTOCOLS["kitti_eigen_crop"].crop == EIGEN_CROP
    with pytest.raises(DataError, match="nyu is for 640x480"):
        PROTOCOLS["nyu"].crop_box(375, 1242)


def test_further_errors_by_hand():
    errors = depth_errors(torch.tensor([10.0, 40.0]).double(), torch.tensor([20.0, 40.0]).double())
    assert errors.mae == pytest.approx(5)
    assert errors.log10 == pytest.approx(np.log10(2) / 2)
    assert errors.silog == pytest.approx(100 * np.log(2) / 2)
    assert errors.irmse == pytest.approx(1000 * 0.05 / np.sqrt(2))
    assert errors.sq_rel_benchmark == pytest.approx(0.125)
    twice = depth_errors(2 * depths(), depths())
    assert twice.silog == pytest.approx(0, abs=1e-9)


@pytest.mark.skipif(not FLIP_GOLDEN.is_file(), reason="needs ../shared/golden/flip_postprocess.npz")
@pytest.mark.parametrize("case", "abc")
def test_joining_with_the_mirrored_prediction_as_published(case):
    golden = np.load(FLIP_GOLDEN, allow_pickle=False)
    direct = torch.from_numpy(golden[f"{case}_disp"])[:, None]
    mirrored = torch.from_numpy(golden[f"{case}_disp_of_mirrored_image"])[:, None].flip(-1)
    joined = join_with_mirrored(direct, mirrored)[:, 0]
    np.testing.assert_allclose(joined, golden[f"{case}_post_processed"], atol=5e-7)


def test_a_network_without_a_favourite_side_is_left_as_it_is():
    image = torch.rand(2, 3, 8, 40, generator=torch.Generator().manual_seed(0))
    joined, apart = predict_with_flip(lambda x: x.mean(1, keepdim=True), image)
    torch.testing.assert_close(joined, image.mean(1, keepdim=True))
    assert apart.max() == 0


def details(predicted, measured, rig=()):
    metrics, beside = DepthMetrics(METRIC), DepthDetails(METRIC)
    metrics.update(1 / predicted, measured)
    beside.update(metrics.images, 1 / predicted, rig)
    return beside.compute()


def test_errors_by_distance_and_holes_are_counted_where_they_are():
    assert band_names(METRIC) == ["0_10", "10_20", "20_40", "40_80"]
    measured = torch.tensor([[5.0, 10.0], [30.0, 100.0]])[None, None]
    predicted = torch.tensor([[5.5, 8.0], [30.0, 79.0]])[None, None]
    found = details(predicted, measured)
    # The lower bound belongs to the band; beyond the largest depth there is none; none from 40 m.
    assert found == pytest.approx(
        {"abs_rel_0_10": 0.1, "abs_rel_10_20": 0.2, "abs_rel_20_40": 0.0, "hole_percent": 50.0}, abs=1e-6
    )


def test_an_image_without_a_band_does_not_pull_it_down():
    near, far = torch.full((1, 1, 2, 2), 5.0), torch.full((1, 1, 2, 2), 50.0)
    found = details(torch.cat([near * 1.2, far]), torch.cat([near, far]))
    assert found["abs_rel_0_10"] == pytest.approx(0.2)


def test_disparities_are_wrong_by_three_pixels_and_by_five_per_cent():
    rig = 400.0
    disparity = torch.tensor([100.0, 100.0, 10.0, 10.0])
    said = torch.tensor([104.0, 106.0, 12.5, 14.0])
    found = details((rig / said)[None, None, None], (rig / disparity)[None, None, None], [rig])
    assert found["bad3_percent"] == pytest.approx(75)
    assert found["d1_percent"] == pytest.approx(50)
    assert found["disparity_error_px"] == pytest.approx((4 + 6 + 2.5 + 4) / 4)
    assert "d1_percent" not in details(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2))
