"""Depth errors: golden numbers, closed forms, and nothing averaged in that was not measured."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.multiprocessing as multiprocessing
from torch.nn import functional as F

from selfsup_depth.errors import ConfigError, DataError, NumericError
from selfsup_depth.evaluation.depth_errors import REPORTED, errors_of_image
from selfsup_depth.evaluation.depth_evaluation import DepthEvaluation
from selfsup_depth.evaluation.depth_metrics import ConstantBaseline, DepthMetrics
from selfsup_depth.evaluation.exhibits import EarlierFrame, ImageContext
from selfsup_depth.evaluation.protocols import GARG_CROP, PROTOCOLS, Protocol, protocol_named
from selfsup_depth.evaluation.sampling import sample_at
from selfsup_depth.evaluation.table import table_of_errors

GOLDEN = Path(__file__).resolve().parents[2] / "shared" / "golden" / "depth_metrics.npz"
EIGEN_CROP = (0.3324324, 0.91351351, 0.0359477, 0.96405229)
METRIC, EIGEN, KITTI_METRIC = PROTOCOLS["metric"], PROTOCOLS["kitti_eigen"], PROTOCOLS["kitti_metric"]

# Numbers made under a name must stay those of that name.
PINNED = {
    "kitti_eigen": "307c6f51",
    "kitti_eigen_crop": "d649e66a",
    "kitti_eigen_improved": "14f44379",
    "kitti_benchmark": "a29d956e",
    "kitti_stereo_2015": "3d16019e",
    "monodepth_v1": "83ff34a4",
    "packnet_kitti": "ece64dcc",
    "sc_depth": "22a1d73b",
    "ddad": "4ca33e3c",
    "make3d": "c322e8d6",
    "cityscapes": "cbc5c3ba",
    "nyu": "4948cf54",
    "kitti_metric": "21de6fdb",
    "metric": "6e6c6fd5",
}


@pytest.fixture
def measured():
    """A sparse measurement of a street (375, 1242): near below, far above."""
    generator = torch.Generator().manual_seed(0)
    depth = torch.linspace(60, 4, 375)[:, None].expand(375, 1242) * (
        0.8 + 0.4 * torch.rand(1242, generator=generator)
    )
    return depth * (torch.rand(375, 1242, generator=generator) < 0.05)


def evaluate(inverse_depth, measured, protocol):
    metrics = DepthMetrics(protocol)
    metrics.update(inverse_depth[None, None], measured[None, None])
    return metrics.compute()


def scene(seed, size=(40, 64), coarse=(12, 20)):
    """A random prediction at low resolution and a random sparse measurement."""
    generator = torch.Generator().manual_seed(seed)
    inverse_depth = 0.02 + 0.2 * torch.rand(coarse, generator=generator)
    depth = 2 + 60 * torch.rand(size, generator=generator)
    return inverse_depth, depth * (torch.rand(size, generator=generator) < 0.3)


def variant(name):
    """The protocol of one of the golden file's variants."""
    crop, scale = name.split("_")
    crops = {"nocrop": None, "garg": GARG_CROP, "eigen": EIGEN_CROP}
    within = "positive" if crop == "nocrop" else "clamp"
    return Protocol(name, 1e-3, 80.0, within, crops[crop], scale, "camera_z")


VARIANTS = [f"{crop}_{scale}" for crop in ("nocrop", "garg", "eigen") for scale in ("metric", "median")]


@pytest.mark.skipif(not GOLDEN.is_file(), reason="needs ../shared/golden/depth_metrics.npz")
class TestGolden:
    @pytest.mark.parametrize("name", VARIANTS)
    def test_dense_maps_of_the_measured_size(self, name):
        golden = np.load(GOLDEN, allow_pickle=False)
        assert tuple(golden["metric_names"]) == REPORTED
        for index in range(4):
            result = errors_of_image(
                torch.from_numpy(golden["small_pred_inverse_depth"][index]),
                torch.from_numpy(golden["small_gt"][index]),
                variant(name),
            )
            np.testing.assert_allclose(result.errors[:7], golden[f"small_{name}"][index], rtol=1e-9)
            np.testing.assert_allclose(result.scale, golden[f"small_{name}_ratio"][index], rtol=1e-9)

    @pytest.mark.parametrize("name", VARIANTS)
    def test_sparse_kitti_sizes_and_their_mean(self, name):
        golden = np.load(GOLDEN, allow_pickle=False)
        metrics = DepthMetrics(variant(name))
        ratios = []
        for size in ("375x1242", "370x1224", "376x1241"):
            key = f"kitti_{size}"
            depth = np.zeros(tuple(golden[f"{key}_size"]), np.float32)
            depth.flat[golden[f"{key}_gt_flat_index"]] = golden[f"{key}_gt_depth"]
            low = torch.from_numpy(golden[f"{key}_pred_inverse_depth_lowres"])
            one = evaluate(low, torch.from_numpy(depth), variant(name))
            np.testing.assert_allclose([one[k] for k in REPORTED], golden[f"{key}_{name}"], rtol=1e-9)
            metrics.update(low[None, None], torch.from_numpy(depth)[None, None])
            ratios.append(golden[f"{key}_{name}_ratio"])
        mean = metrics.compute()
        expected = golden[f"kitti_mean_over_images_{name}"]
        np.testing.assert_allclose([mean[k] for k in REPORTED], expected, rtol=1e-9)
        if name.endswith("median"):
            np.testing.assert_allclose(mean["scale_median"], np.median(ratios), rtol=1e-6)
            np.testing.assert_allclose(mean["scale_std"], np.std(ratios / np.median(ratios)), rtol=1e-5)
        else:
            assert "scale_median" not in mean

    def test_metric_is_the_golden_variant_without_crop(self):
        assert dataclasses.replace(variant("nocrop_metric"), name="metric") == METRIC


@pytest.mark.parametrize(
    ("size", "rows", "columns"),
    [
        ((375, 1242), (153, 371), (44, 1197)),
        ((370, 1224), (151, 366), (43, 1180)),
        ((376, 1241), (153, 372), (44, 1196)),
        ((374, 1238), (152, 370), (44, 1193)),
    ],
)
def test_crop_is_truncated_to_whole_pixels(size, rows, columns):
    assert EIGEN.crop_box(*size) == (*rows, *columns)
    assert METRIC.crop_box(*size) == (0, size[0], 0, size[1])


@pytest.mark.parametrize("low", [(24, 80), (13, 37), (375, 1242), (1, 1), (500, 1300)])
def test_sampling_equals_resizing(measured, low):
    values = torch.rand(low, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    resized = F.interpolate(values[None, None], measured.shape, mode="bilinear", align_corners=False)[0, 0]
    rows, columns = (measured + torch.eye(375, 1242)).nonzero(as_tuple=True)
    torch.testing.assert_close(
        sample_at(values, rows, columns, tuple(measured.shape)), resized[rows, columns]
    )


@pytest.mark.parametrize("low", [(24, 80), (13, 37), (1, 1)])
def test_sampling_with_corners_that_meet_equals_resizing(measured, low):
    values = torch.rand(low, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    resized = F.interpolate(values[None, None], measured.shape, mode="bilinear", align_corners=True)[0, 0]
    rows, columns = (measured + torch.eye(375, 1242)).nonzero(as_tuple=True)
    sampled = sample_at(values, rows, columns, tuple(measured.shape), align_corners=True)
    torch.testing.assert_close(sampled, resized[rows, columns])


def of_its_size(measured, protocol):
    """A measured map of the size that the protocol is for."""
    box = protocol.crop_box_of
    return measured if box is None else torch.full((box.height, box.width), 7.5)


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=list(PROTOCOLS))
def test_a_perfect_prediction_has_no_error(measured, protocol):
    measured = of_its_size(measured, protocol)
    errors = evaluate(1 / measured.clamp(min=0.1), measured, protocol)
    for name in ("abs_rel", "sq_rel", "rmse", "rmse_log"):
        assert errors[name] < 1e-5
    assert errors["a1"] == errors["a2"] == errors["a3"] == errors["num_images"] == 1


def test_doubled_depth_is_an_error_in_metres_and_none_after_median_scaling(measured):
    near = measured.clamp(max=39)  # doubled, still within the clamp
    doubled = 0.5 / near.clamp(min=0.1)
    errors = evaluate(doubled, near, KITTI_METRIC)
    assert errors["abs_rel"] == pytest.approx(1, rel=1e-5)
    assert errors["rmse_log"] == pytest.approx(np.log(2), rel=1e-5)
    assert errors["a1"] == errors["a3"] == 0
    scaled = evaluate(doubled, near, EIGEN)
    assert scaled["abs_rel"] < 1e-5
    assert scaled["scale_median"] == pytest.approx(0.5, rel=1e-5)


def test_scaling_comes_before_the_clamp(measured):
    tiny = 1e6 / measured.clamp(min=0.1)  # every depth below a millimetre's tenth
    assert evaluate(tiny, measured, EIGEN)["abs_rel"] < 1e-5


def test_images_weigh_the_same_however_many_pixels_they_have():
    sparse, dense = torch.zeros(20, 20), torch.full((20, 20), 10.0)
    sparse[3, 4] = 10.0
    metrics = DepthMetrics(METRIC)
    metrics.update(torch.tensor([0.05, 0.1])[:, None, None, None], torch.stack([sparse, dense])[:, None])
    assert metrics.compute()["abs_rel"] == pytest.approx(0.5)


def test_an_image_without_a_measured_pixel_is_skipped_and_named():
    _, depth = scene(0)
    metrics = DepthMetrics(METRIC)
    metrics.update(torch.full((2, 1, 1, 1), 0.1), torch.stack([depth, 0 * depth])[:, None], ["good", "empty"])
    alone = evaluate(torch.full((1, 1), 0.1), depth, METRIC)
    assert metrics.compute() == {**alone, "num_skipped": 1}
    assert metrics.skipped_names == ["empty"]
    metrics.reset()
    assert metrics.skipped_names == []
    metrics.update(torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 8, 8))
    assert np.isnan(metrics.compute()["abs_rel"])


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -0.1])
def test_a_prediction_that_is_no_number_is_refused(bad):
    with pytest.raises(NumericError, match="cannot be evaluated"):
        evaluate(torch.full((4, 4), bad), torch.ones(8, 8), METRIC)


def test_depth_that_is_resized_has_no_infinite_neighbour():
    with pytest.raises(NumericError, match="cannot be evaluated"):
        evaluate(torch.zeros(4, 4), torch.ones(8, 8), PROTOCOLS["packnet_kitti"])
    assert evaluate(torch.zeros(4, 4), torch.full((8, 8), 40.0), METRIC)["abs_rel"] == pytest.approx(1)


def test_unmeasured_pixels_may_hold_anything():
    prediction, depth = torch.full((8, 8), 0.1), torch.full((8, 8), 10.0)
    prediction[0, 0] = depth[0, 0] = torch.nan
    depth[7, 7], depth[5, 5] = -3.0, torch.inf
    assert evaluate(prediction, depth, METRIC)["abs_rel"] < 1e-6


def constant_abs_rel(measured, protocol):
    top, bottom, left, right = protocol.crop_box(*measured.shape)
    inside = measured[top:bottom, left:right]
    depths = inside[(inside > 0) & (inside < 80)].double().numpy()
    return (np.abs(depths - np.median(depths)) / depths).mean()


def test_the_baseline_is_the_best_guess_of_one_depth(measured):
    baseline = ConstantBaseline(KITTI_METRIC)
    baseline.update(torch.zeros(1, 1, 8, 8), measured[None, None])
    expected = constant_abs_rel(measured, KITTI_METRIC)
    assert baseline.compute()["abs_rel"] == pytest.approx(expected, rel=1e-9)


def updated(indices, protocol=EIGEN):
    metrics = DepthMetrics(protocol)
    for index in indices:
        inverse_depth, depth = scene(index)
        metrics.update(inverse_depth[None, None], depth[None, None])
    return metrics


def test_one_batch_equals_single_images():
    scenes = [scene(index) for index in range(4)]
    batched = DepthMetrics(EIGEN)
    batched.update(torch.stack([s[0] for s in scenes])[:, None], torch.stack([s[1] for s in scenes])[:, None])
    assert batched.compute() == updated(range(4)).compute()


def metrics_of(indices):
    """Every number of an evaluation of these scenes."""
    evaluation = DepthEvaluation(EIGEN, geometry=True)
    K, T = torch.tensor([[200.0, 0, 100], [0, 200, 60], [0, 0, 1]]), torch.eye(4)
    for index in indices:
        inverse_depth, depth = scene(index)
        before = EarlierFrame(inverse_depth + 0.01 * index, torch.tensor(1.0), K, T)
        known = ImageContext(K=[K], moving=[depth > 20], uncertainty=[inverse_depth.sin()], before=[before])
        evaluation.update(inverse_depth[None, None], depth[None, None], [str(index)], contexts=[known])
    result = evaluation.as_dict()
    assert {image["name"] for image in result["images"]} <= {str(index) for index in indices}
    further = {"uncertainty": result["sparsification"]["uncertainty"]["rmse"]["ause"]}
    further["by_distance"] = sum(error for error in result["by_distance"]["abs_rel"] if error is not None)
    return result["metrics"] | result["baseline"] | further


def evaluate_in_process(rank, folder):
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    shares = [[0, 1], [2, 3, 4]][rank], [[0, 1, 2], []][rank]
    results = [metrics_of(share) for share in shares]
    torch.save(results, f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_give_the_numbers_of_one(tmp_path):
    multiprocessing.spawn(evaluate_in_process, (str(tmp_path),), nprocs=2)
    for rank in range(2):
        uneven, one_sided = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert uneven == pytest.approx(metrics_of(range(5)), rel=1e-12)
        assert one_sided == pytest.approx(metrics_of(range(3)), rel=1e-12)
        assert {"moving_abs_rel", "chamfer_m", "edge_f1_1", "temporal_difference"} < uneven.keys()
        assert {"uncertainty", "by_distance"} < uneven.keys()


def test_protocols_are_told_apart_by_hash_and_numbers_are_pinned():
    assert {name: protocol.hash() for name, protocol in PROTOCOLS.items()} == PINNED
    assert dataclasses.replace(EIGEN, max_depth=50.0).hash() != EIGEN.hash()
    for protocol in PROTOCOLS.values():
        assert protocol.name in protocol.description()
        assert protocol.hash() in protocol.description()
        assert "\n" not in protocol.description()
        assert protocol.as_dict()["hash"] == protocol.hash()


def test_a_misspelt_protocol_is_refused_with_the_nearest_name():
    assert protocol_named("metric") is METRIC
    with pytest.raises(ConfigError, match="did you mean kitti_eigen"):
        protocol_named("kiti_egen")


def test_the_table_lines_up():
    table = table_of_errors({"network": {"abs_rel": 0.125, "a1": 0.9}, "constant depth": {"abs_rel": 0.5}})
    header, network, constant = table.splitlines()
    ends = [line.index(text) + len(text) for line, text in ((header, "abs_rel"), (network, "0.1250"))]
    assert ends == [len(constant)] * 2
    assert header.index("a1") + 2 == len(network)


def test_a_result_holds_the_protocol_the_baseline_and_the_counts():
    evaluation = DepthEvaluation(EIGEN)
    inverse_depth, depth = scene(0)
    evaluation.update(inverse_depth[None, None], depth[None, None], ["a"])
    evaluation.update(inverse_depth[None, None], 0 * depth[None, None], ["b"])
    result = json.loads(json.dumps(evaluation.as_dict(), allow_nan=False))
    assert result["metrics"] == pytest.approx(
        {k: v for k, v in evaluate(inverse_depth, depth, EIGEN).items() if k in result["metrics"]}
        | evaluation.details.compute()
    )
    assert [image["name"] for image in result["images"]] == ["a"]
    assert result["images"][0]["abs_rel"] == pytest.approx(result["metrics"]["abs_rel"])
    assert {"abs_rel", "a3", "scale_median", "scale_std"} <= result["metrics"].keys()
    assert result["baseline"]["abs_rel"] == pytest.approx(constant_abs_rel(depth, EIGEN))
    assert (result["num_images"], result["num_skipped"], result["skipped"]) == (1, 1, ["b"])
    assert result["protocol"]["hash"] == EIGEN.hash()
    assert result["protocol"]["crop"] == list(GARG_CROP)
    report = evaluation.report()
    assert report.startswith(EIGEN.description())
    assert f"{result['metrics']['rmse']:.4f}" in report
    assert "1 image, 1 skipped for want of a measured pixel: b; scale factor" in report


def test_an_evaluation_without_any_measured_pixel_is_refused():
    evaluation = DepthEvaluation(METRIC)
    evaluation.update(torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 4, 4))
    with pytest.raises(DataError, match="none of 1 images"):
        evaluation.as_dict()
