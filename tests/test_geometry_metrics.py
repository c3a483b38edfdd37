"""Points, edges, normals, time and motion: planes, boxes and steps whose errors are known in closed form."""

from __future__ import annotations

import json
import math
import shutil

import data_trees
import numpy as np
import pytest
import torch
from PIL import Image

from selfsup_depth.cli import main
from selfsup_depth.data.moving_masks import MovingMask
from selfsup_depth.data.recording import Camera, Frame, Recording
from selfsup_depth.data.selection import Example
from selfsup_depth.data.stereo_pairs import StereoPairs
from selfsup_depth.errors import DataError
from selfsup_depth.evaluation.depth_edges import DepthEdges
from selfsup_depth.evaluation.depth_errors import errors_of_image
from selfsup_depth.evaluation.exhibits import Exhibit, ImageContext
from selfsup_depth.evaluation.moving_pixels import MovingPixels
from selfsup_depth.evaluation.point_clouds import MAX_POINTS, PointClouds, nearest
from selfsup_depth.evaluation.protocols import PROTOCOLS
from selfsup_depth.evaluation.surface_normals import SurfaceNormals
from selfsup_depth.evaluation.temporal_consistency import TemporalConsistency
from selfsup_depth.training.neighbouring_frames import NeighbouringFrames

METRIC = PROTOCOLS["metric"]
SIZE = (24, 40)
K = torch.tensor([[30.0, 0, 19.5], [0, 30, 11.5], [0, 0, 1]], dtype=torch.float64)


# A camera from which all rays are almost one.
TELE = torch.tensor([[9000.0, 0, 19.5], [0, 9000, 11.5], [0, 0, 1]], dtype=torch.float64)


def found(metric, predicted, measured, **context):
    """What a metric says of one image, both maps (H, W) metres."""
    errors = errors_of_image(1 / predicted, measured, METRIC)
    size = (measured.shape[0], measured.shape[1])
    metric.update(Exhibit("", errors, 1 / predicted, size, ImageContext(K=[K])._replace(**context)))
    return metric.compute()


def wall(metres):
    return torch.full(SIZE, float(metres), dtype=torch.float64)


def slope(*turned):
    """Depth of the plane through (0, 0, 10) whose normal is turned from the view by degrees about x, y."""
    about_x, about_y = (math.radians(angle) for angle in turned)
    normal = torch.tensor([math.sin(about_y), math.sin(about_x) * math.cos(about_y), 0], dtype=torch.float64)
    normal[2] = (1 - normal.square().sum()).sqrt()
    v, u = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    rays = torch.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], torch.ones(SIZE)], dim=-1)
    return 10 * normal[2] / (rays @ normal)


def step(column):
    """10 m left of a column, 20 m from it on."""
    depth = wall(10)
    depth[:, column:] = 20
    return depth


def test_a_wall_that_is_too_far_is_so_by_its_offset():
    far = found(PointClouds(), wall(10.3), wall(10), K=[TELE])
    assert far["chamfer_m"] == pytest.approx(0.3, abs=1e-4)
    assert (far["f_score_0.1"], far["iou_0.1"]) == (0, 0)
    assert (far["f_score_0.5"], far["iou_0.5"]) == (1, 1)
    assert found(PointClouds(), wall(10), wall(10))["chamfer_m"] == 0


def test_a_cloud_that_is_half_right_has_half_the_f_score_and_a_third_of_the_iou():
    predicted = wall(10)
    predicted[:, 20:] = 13  # neighbours on the wall are 0.33 m apart, so none is found from the other half
    half = found(PointClouds(), predicted, wall(10))
    assert half["f_score_0.1"] == pytest.approx(0.5)
    assert half["iou_0.1"] == pytest.approx(1 / 3)


def test_the_nearest_is_found_among_many():
    points = torch.from_numpy(np.random.default_rng(0).uniform(-5, 5, (3000, 3)))
    others = torch.from_numpy(np.random.default_rng(1).uniform(-5, 5, (500, 3)))
    expected = np.linalg.norm(points.numpy()[:, None] - others.numpy(), axis=2).min(1)
    np.testing.assert_allclose(nearest(points, others), expected, rtol=1e-5)
    assert nearest(points, others).numel() <= MAX_POINTS


@pytest.mark.parametrize("turned", [(0.0, 20.0), (-15.0, 0.0), (25.0, 0.0), (0.0, -11.0)])
def test_a_plane_that_is_turned_is_so_by_its_angle(turned):
    errors = found(SurfaceNormals(), slope(*turned), wall(10))
    angle = max(abs(part) for part in turned)
    # Predictions are resized as float64 but for what the reading of a map rounds.
    assert errors["normal_mean_deg"] == pytest.approx(angle, abs=1e-3)
    assert errors["normal_median_deg"] == pytest.approx(angle, abs=1e-3)
    shares = [errors[f"normal_within_{limit:g}"] for limit in (11.25, 22.5, 30.0)]
    assert shares == [float(angle < limit) for limit in (11.25, 22.5, 30.0)]


def test_the_corner_of_a_box_has_faces_and_no_normal_of_its_own():
    box = torch.maximum(slope(0, 45), slope(0, -45))  # its edge is in the middle, running up and down
    errors = found(SurfaceNormals(), wall(10), box)
    assert errors["normal_mean_deg"] == pytest.approx(45, abs=1e-3)
    # A step is no surface either: two walls have no angle between them, wherever it is.
    assert found(SurfaceNormals(), wall(10), step(20))["normal_mean_deg"] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(("columns", "score"), [(0, 1), (1, 0.5), (2, 0), (-1, 0.5)])
def test_an_edge_beside_its_place_is_half_right_by_one_pixel_and_wrong_by_two(columns, score):
    errors = found(DepthEdges(), step(20 + columns), step(20))
    for threshold in ("0.25", "0.5", "1"):
        scores = [errors[f"edge_{kind}_{threshold}"] for kind in ("precision", "recall", "f1")]
        assert scores == pytest.approx([score] * 3)


def test_an_edge_that_is_not_predicted_is_not_recalled_and_has_no_precision():
    errors = found(DepthEdges(), wall(10), step(20))
    assert "edge_precision_1" not in errors
    assert (errors["edge_recall_1"], errors["edge_f1_1"]) == (0, 0)
    # A step of 0.07 m has Sobel's response 0.28 m.
    small = found(DepthEdges(), step(20), wall(10) + 0.07 * (step(20) > 15))
    assert small["edge_recall_0.25"] == 1
    assert "edge_recall_0.5" not in small


def test_where_a_neighbour_was_not_measured_there_is_no_edge_and_no_normal():
    measured = step(20)
    measured[:, ::3] = 0
    assert found(DepthEdges(), step(20), measured) == {}
    assert found(SurfaceNormals(), step(20), measured) == {}
    assert found(PointClouds(), step(20), measured)["chamfer_m"] == pytest.approx(0, abs=1e-6)


def test_without_a_camera_there_are_edges_alone():
    for metric in (PointClouds(), SurfaceNormals()):
        assert found(metric, wall(10), wall(10), K=[]) == {}
    assert found(DepthEdges(), step(20), step(20), K=[])["edge_f1_1"] == 1


def test_what_moves_is_told_apart():
    moving = torch.zeros(SIZE, dtype=torch.bool)
    moving[:, 30:] = True
    predicted = torch.where(moving, 13.0, 11.0)
    errors = found(MovingPixels(), predicted, wall(10), moving=[moving])
    assert errors == pytest.approx(
        {"static_abs_rel": 0.1, "static_a1": 1, "moving_abs_rel": 0.3, "moving_a1": 0}, abs=1e-6
    )
    still = found(MovingPixels(), predicted, wall(10), moving=[torch.zeros_like(moving)])
    assert still.keys() == {"static_abs_rel", "static_a1"}
    assert found(MovingPixels(), predicted, wall(10)) == {}


def ahead(metres):
    """T_world_from_camera of a camera that has gone so far."""
    T = np.eye(4)
    T[2, 3] = metres
    return T


def drive(poses):
    frames = {index: Frame(index, None, 0.1 * index, T_world_from_camera=T) for index, T in poses.items()}
    return Recording("drive", {"l": Camera(K.numpy(), SIZE, np.eye(4), frames)})


def compared(recording, depths, protocol="metric", scales=None):
    """What is found over frames that say one depth each."""
    metric, neighbours = TemporalConsistency(), NeighbouringFrames()
    for index, depth in depths.items():
        example, inverse_depth = Example(recording, "l", index), 1 / wall(depth)
        image = errors_of_image(
            inverse_depth, wall((scales or {}).get(index, 1) * depth), PROTOCOLS[protocol]
        )
        context = ImageContext(before=neighbours.before(example, K))
        metric.update(Exhibit("", image, inverse_depth, SIZE, context))
        neighbours.remember(example, inverse_depth, image)
    return metric.compute()


def test_a_wall_that_comes_nearer_by_what_was_driven_is_consistent_and_one_that_does_not_is_off():
    recording = drive({index: ahead(index) for index in range(3)})
    assert compared(recording, {0: 10, 1: 9, 2: 8})["temporal_difference"] == pytest.approx(0, abs=1e-6)
    frozen = compared(recording, {0: 10, 1: 10})
    assert frozen["temporal_difference"] == pytest.approx(1 / 19, abs=1e-6)


def test_a_scale_that_flickers_is_an_error_and_one_that_stays_is_none():
    recording = drive({0: ahead(0), 1: ahead(1)})
    half = {0: 2, 1: 2}
    steady = compared(recording, {0: 5, 1: 4.5}, "ddad", half)
    assert steady["temporal_difference"] == pytest.approx(0, abs=1e-6)
    # Of 5 and 9 with the factors 2 and 1: both times sqrt(2), 7.07 - 1 against 12.73.
    flickers = compared(recording, {0: 5, 1: 9}, "ddad", {0: 2, 1: 1})
    expected = (9 * 2**0.5 - (5 * 2**0.5 - 1)) / (9 * 2**0.5 + 5 * 2**0.5 - 1)
    assert flickers["temporal_difference"] == pytest.approx(expected, abs=1e-6)


def test_frames_that_do_not_follow_or_have_no_pose_are_not_compared():
    assert compared(drive({0: ahead(0), 2: ahead(2)}), {0: 10, 2: 10}) == {}
    assert compared(drive({0: ahead(0), 1: None}), {0: 10, 1: 10}) == {}


def test_a_mask_of_another_size_is_refused(tmp_path):
    Image.fromarray(np.eye(5, dtype=np.uint8)).save(tmp_path / "mask.png")
    assert MovingMask(tmp_path / "mask.png").read((5, 5)).sum() == 5
    with pytest.raises(DataError, match="mask is 5x5, the measured map 6x5"):
        MovingMask(tmp_path / "mask.png").read((5, 6))


def test_the_objects_of_kitti_stereo_are_masks_of_the_left_image(tmp_path):
    root = data_trees.kitti_stereo(tmp_path, scenes=("000001", "000002"))
    objects = np.zeros(data_trees.SIZE, np.uint8)
    objects[3, 4] = 2
    data_trees.save(Image.fromarray(objects), root / "training" / "obj_map" / "000001_10.png")
    first, second = StereoPairs().recordings(root)
    assert first.cameras["l"].frames[10].moving.read(data_trees.SIZE).nonzero() == ([3], [4])
    others = [first.cameras["r"].frames[10], second.cameras["l"].frames[10]]
    assert [frame.moving for frame in others] == [None, None]


def test_stored_maps_are_compared_in_space_with_a_camera_and_masks(tmp_path, capsys):
    for folder, depth in (("measured", step(20)), ("predicted", step(21))):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "a.npy", depth.numpy().astype(np.float32))
    (tmp_path / "masks").mkdir()
    Image.fromarray((step(20) > 15).byte().numpy()).save(tmp_path / "masks" / "a.png")
    np.savetxt(tmp_path / "K.txt", K.numpy())
    folders = [f"--predictions={tmp_path / 'predicted'}", f"--measured={tmp_path / 'measured'}"]
    command = ["evaluate", "depth", *folders, "--protocol=metric"]
    given = ["--geometry", f"--K={tmp_path / 'K.txt'}", f"--moving={tmp_path / 'masks'}"]
    assert main([*command, *given, f"--json={tmp_path / 'out.json'}"]) == 0
    shown = capsys.readouterr().out
    assert all(f"\n{title}: " in shown for title in ("points", "edges", "normals", "static and moving"))
    metrics = json.loads((tmp_path / "out.json").read_text())["metrics"]
    # One column of 20 that move is at half its depth, none of the others is wrong.
    assert metrics["moving_abs_rel"] == pytest.approx(0.025, abs=1e-6)
    assert metrics["static_abs_rel"] == pytest.approx(0, abs=1e-6)
    assert metrics["edge_f1_1"] == 0.5
    assert main([*command, "--geometry"]) == 2
    assert "give both" in capsys.readouterr().err
    (tmp_path / "masks" / "a.png").unlink()
    assert main([*command, *given]) == 3
    assert "a.png" in capsys.readouterr().err


def test_a_checkpoint_is_compared_in_time_and_with_the_masks_of_its_data(train, drive, tmp_path):
    root = shutil.copytree(drive, tmp_path / "data")
    mask = np.zeros(data_trees.SIZE, np.uint8)
    mask[:, :30] = 255
    for side in ("02", "03"):
        for index in range(8):
            file = root / data_trees.DRIVE / "motion" / f"image_{side}" / f"{index:010d}.png"
            data_trees.save(Image.fromarray(mask), file)
    run, out = tmp_path / "run", tmp_path / "out.json"
    assert train(run, "--trainer.max_steps=1", f"--data.root={root}", method="velocity") == 0
    command = ["evaluate", "depth", f"--checkpoint={run}", "--protocol=kitti_metric", "--geometry"]
    assert main([*command, "--flip", f"--json={out}"]) == 0
    result = json.loads(out.read_text())
    metrics = result["metrics"]
    # What was measured may all lie on one side of the masks.
    assert {"moving_abs_rel", "static_abs_rel"} & metrics.keys()
    assert 0 <= metrics["temporal_difference"] < 1
    assert metrics["chamfer_m"] > 0
    assert result["sparsification"].keys() == {"flip_difference"}
