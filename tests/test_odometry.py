"""Paths against paths: the published tools' numbers, and motions with a known answer."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from selfsup_depth.cli import main
from selfsup_depth.data.trajectory_files import kitti_text, read_trajectory, tum_text
from selfsup_depth.errors import DataError
from selfsup_depth.evaluation.odometry import evaluate_odometry, snippet_errors
from selfsup_depth.evaluation.trajectory import align, common_frames, umeyama
from selfsup_depth.structures import Trajectory
from selfsup_depth.training.path_picture import picture_of_paths
from tests.scenes import SHARED

POSES = SHARED / "data/kitti_odometry_poses"
GOLDEN = SHARED / "golden/odometry.json"
KITTI_NAMES = {"none": "none", "scale": "scale", "se3": "6dof", "sim3": "7dof", "sim3_scale": "scale_7dof"}

needs_golden = pytest.mark.skipif(
    not (GOLDEN.exists() and POSES.exists()), reason="shared/golden/odometry.json and its poses are absent"
)


def turn(angle, axis=1):
    """4x4 rotation about an axis, radians."""
    a, b = [i for i in range(3) if i != axis]
    T = np.eye(4)
    T[a, a] = T[b, b] = math.cos(angle)
    T[a, b], T[b, a] = -math.sin(angle), math.sin(angle)
    return T


def drive(steps, angle=0.01, metres=1.0, keys=None):
    """A camera that goes forward by `metres` and turns by `angle` at every step."""
    step = turn(angle)
    step[2, 3] = metres
    T = [np.eye(4)]
    for _ in range(steps):
        T.append(T[-1] @ step)
    keys = np.arange(steps + 1.0) if keys is None else np.asarray(keys, float)
    return Trajectory(keys, np.stack(T), "frame")


def moved(path, T=None, scale=1.0):
    """The same path in another world, and larger."""
    poses = path.T_world_from_camera.copy()
    poses[:, :3, 3] *= scale
    return path._replace(T_world_from_camera=(np.eye(4) if T is None else T) @ poses)


@pytest.fixture(scope="module")
def golden():
    return json.loads(GOLDEN.read_text())


@pytest.fixture(scope="module")
def sequence_09():
    return read_trajectory(POSES / "example_0/09.txt"), read_trajectory(POSES / "gt/09.txt")


@needs_golden
@pytest.mark.parametrize("alignment", KITTI_NAMES)
def test_the_numbers_of_kitti_odom_eval(alignment, golden, sequence_09):
    metrics = evaluate_odometry(*sequence_09, alignment).metrics
    wanted = golden["kitti_odom_eval"][KITTI_NAMES[alignment]]
    for mine, theirs in {
        "t_err_percent": "t_err_percent",
        "r_err_deg_per_100m": "r_err_deg_per_100m",
        "ate_rmse_m": "ate_rmse_m",
        "rpe_trans_m": "rpe_trans_mean_m",
        "rpe_rot_acos_deg": "rpe_rot_mean_deg",
    }.items():
        assert metrics[mine] == pytest.approx(wanted[theirs], rel=1e-6), mine


@needs_golden
def test_segments_of_each_length(golden, sequence_09):
    per_length = evaluate_odometry(*sequence_09, "sim3").per_length
    wanted = golden["kitti_odom_eval"]["7dof"]["per_length"]
    assert {str(length): found["segments"] for length, found in per_length.items()} == {
        length: found["segments"] for length, found in wanted.items()
    }
    assert per_length[300]["t_err_percent"] == pytest.approx(wanted["300"]["t_err_percent"], rel=1e-6)


@needs_golden
@pytest.mark.parametrize("alignment", ["none", "se3", "sim3"])
def test_the_numbers_of_evo(alignment, golden, sequence_09):
    metrics = evaluate_odometry(*sequence_09, alignment, origin="stored").metrics
    wanted = golden["evo"][alignment]
    assert metrics["ate_rmse_m"] == pytest.approx(wanted["ate_rmse_m"], rel=1e-9)
    assert metrics["rpe_trans_m"] == pytest.approx(wanted["rpe_trans_mean"], rel=1e-7)
    assert metrics["rpe_trans_rmse_m"] == pytest.approx(wanted["rpe_trans_rmse"], rel=1e-7)
    # evo makes the rounded rotations proper first
    assert metrics["rpe_rot_deg"] == pytest.approx(wanted["rpe_rot_deg_mean"], rel=1e-6)
    assert metrics["rpe_rot_rmse_deg"] == pytest.approx(wanted["rpe_rot_deg_rmse"], rel=1e-6)


@needs_golden
def test_snippets_by_the_rule_of_sfm_learner(golden, sequence_09):
    wanted = golden["snippet_ate_5_frames"]["sfmlearner"]
    estimated, reference = common_frames(*sequence_09)
    errors = snippet_errors(estimated.T_world_from_camera, reference.T_world_from_camera)
    assert len(errors) == wanted["snippets"]
    np.testing.assert_allclose(errors[:10], wanted["first_10"], rtol=1e-6)
    metrics = evaluate_odometry(*sequence_09, "none").metrics
    assert metrics["snippet_ate_mean"] == pytest.approx(wanted["mean"], rel=1e-6)
    assert metrics["snippet_ate_std"] == pytest.approx(wanted["std"], rel=1e-6)


@needs_golden
def test_the_command_writes_the_same_numbers(golden, tmp_path, capsys):
    files = ["--estimated", POSES / "example_0/09.txt", "--reference", POSES / "gt/09.txt"]
    results = ["--json", tmp_path / "a/09.json", "--plot", tmp_path / "a/09.png"]
    assert main(["evaluate", "odometry", *map(str, [*files, *results, "--align", "scale"])]) == 0
    result = json.loads((tmp_path / "a/09.json").read_text())
    wanted = golden["kitti_odom_eval"]["scale"]
    assert result["metrics"]["ate_rmse_m"] == pytest.approx(wanted["ate_rmse_m"], rel=1e-6)
    assert result["protocol"]["align"] == "scale"
    assert (result["num_frames"], result["num_reference"]) == (1589, 1591)
    shown = capsys.readouterr().out
    assert "t_err_percent 2.8664" in shown
    assert "SfM-Learner" in shown
    assert sorted(file.name for file in (tmp_path / "a").iterdir()) == ["09.json", "09.png"]


def test_a_similar_path_is_perfect_after_its_alignment_only():
    reference = drive(30)
    elsewhere = turn(0.4, axis=0) @ turn(1.1)
    elsewhere[:3, 3] = [3, -2, 5]
    similar = moved(reference, elsewhere, scale=1.0)
    found = umeyama(similar.positions, reference.positions, with_scale=True)
    assert found.scale == pytest.approx(1)
    np.testing.assert_allclose(found.R @ elsewhere[:3, :3], np.eye(3), atol=1e-9)
    larger = moved(moved(reference, scale=2.5), elsewhere)
    laid_over = align(larger, reference, "sim3")
    np.testing.assert_allclose(laid_over.T_world_from_camera, reference.T_world_from_camera, atol=1e-9)
    assert evaluate_odometry(larger, reference, "se3").metrics["ate_rmse_m"] > 1
    assert evaluate_odometry(larger, reference, "scale").metrics["ate_rmse_m"] < 1e-9


def test_a_mirrored_path_is_not_laid_over_by_a_reflection():
    reference = drive(60, angle=0.05)
    mirror = np.diag([-1.0, 1, 1, 1])
    mirrored = reference._replace(T_world_from_camera=mirror @ reference.T_world_from_camera @ mirror)
    wobble = np.sin(np.arange(61.0))
    for path in (reference, mirrored):
        path.T_world_from_camera[:, 1, 3] = wobble
    assert np.linalg.det(umeyama(mirrored.positions, reference.positions, with_scale=True).R) > 0


def test_a_path_that_is_too_long_by_a_tenth_has_a_segment_error_of_a_tenth():
    reference = drive(400, angle=0.0)
    evaluation = evaluate_odometry(moved(reference, scale=1.1), reference, "none")
    metrics = evaluation.metrics
    # A segment ends at the first frame beyond its length: 101 frames of a metre for 100 m.
    assert evaluation.per_length[100]["t_err_percent"] == pytest.approx(10.1)
    assert metrics["rpe_trans_m"] == pytest.approx(0.1)
    assert metrics["snippet_ate_mean"] == pytest.approx(0, abs=1e-12)


def test_a_constant_drift_of_rotation_is_found():
    straight, turning = drive(250, angle=0.0), drive(250, angle=math.radians(0.02))
    metrics = evaluate_odometry(turning, straight, "none").metrics
    assert metrics["rpe_rot_deg"] == pytest.approx(0.02, rel=1e-6)
    assert metrics["r_err_deg_per_100m"] == pytest.approx(2, rel=0.011)


def test_a_short_path_has_no_segments_and_says_so(tmp_path, capsys):
    for name, angle in (("a", 0.01), ("b", 0.02)):
        (tmp_path / f"{name}.txt").write_text(kitti_text(drive(20, angle)))
    files = [
        "--estimated",
        tmp_path / "a.txt",
        "--reference",
        tmp_path / "b.txt",
        "--json",
        tmp_path / "r.json",
    ]
    assert main(["evaluate", "odometry", *map(str, files)]) == 0
    assert "t_err_percent none" in capsys.readouterr().out
    assert "t_err_percent" not in json.loads((tmp_path / "r.json").read_text())["metrics"]


def test_files_with_gaps_are_compared_at_the_frames_of_both(tmp_path):
    whole = drive(40)
    kept = np.array([0, 2, 3, 7, 11, 25, 40])
    part = whole._replace(keys=whole.keys[kept], T_world_from_camera=whole.T_world_from_camera[kept])
    (tmp_path / "part.txt").write_text(kitti_text(part))
    estimated, reference = common_frames(read_trajectory(tmp_path / "part.txt"), whole)
    assert estimated.keys.tolist() == kept.tolist()
    np.testing.assert_allclose(estimated.T_world_from_camera, reference.T_world_from_camera, atol=1e-8)


def test_seconds_are_matched_to_the_nearest_each_once():
    reference = drive(10)._replace(keys=np.arange(11) / 10, keyed_by="second")
    few = drive(3)._replace(keys=np.array([0.001, 0.098, 0.11, 0.55]), keyed_by="second")
    more = drive(4)._replace(keys=np.array([0.001, 0.098, 0.11, 0.4, 0.55]), keyed_by="second")
    mine, truth = common_frames(more, reference)
    assert truth.keys.tolist() == [0, 0.1, 0.4]
    np.testing.assert_array_equal(mine.T_world_from_camera[1], drive(4).T_world_from_camera[1])
    with pytest.raises(DataError, match="2 common seconds of 4"):
        common_frames(few, reference)


def test_tum_files_return_what_was_written(tmp_path):
    # turns of every size, half a turn among them, about every axis and about none of them
    oblique = turn(0.7, 0) @ turn(-0.4, 2)
    turns = [turn(angle, axis) for axis in range(3) for angle in (0, 0.3, 2, math.pi, -3)]
    poses = np.stack([*turns[:10], *(oblique @ T for T in turns[10:])])
    poses[:, :3, 3] = np.arange(45.0).reshape(15, 3)
    path = Trajectory(np.arange(15) / 10 + 1e9, poses, "second")
    (tmp_path / "a.txt").write_text(tum_text(path))
    read = read_trajectory(tmp_path / "a.txt")
    assert read.keyed_by == "second"
    np.testing.assert_allclose(read.keys, path.keys, atol=1e-6)
    np.testing.assert_allclose(read.T_world_from_camera, poses, atol=1e-8)


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("", "no pose"),
        ("1 2 3\n", ":1; a line has 12 or 13"),
        ("1 0 0 0 0 1 0 0 0 0 1 0\n1 0 0 0 0 1 0 0 0 0 1\n", "expected 12 numbers, found 11, in"),
        ("1 0 0 0 0 1 0 0 0 0 -1 0\n", "no rotation"),
        ("1 0 0 0 0 1 0 nan 0 0 1 0\n", "'nan' is not a finite number"),
        ("3 1 0 0 0 0 1 0 0 0 0 1 0\n2 1 0 0 0 0 1 0 0 0 0 1 0\n", "2 does not come after 3"),
        ("0.1 0 0 0 0 0 0 2\n", "a quaternion of length 2"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(text, refusal, tmp_path, capsys):
    (tmp_path / "bad.txt").write_text(text)
    (tmp_path / "good.txt").write_text(kitti_text(drive(5)))
    files = ["--estimated", tmp_path / "bad.txt", "--reference", tmp_path / "good.txt"]
    assert main(["evaluate", "odometry", *map(str, files)]) == 3
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert refusal in error[0]
    assert "bad.txt" in error[0]


def test_what_cannot_be_compared_is_refused():
    still = drive(5, metres=0.0)
    with pytest.raises(DataError, match="never moves"):
        evaluate_odometry(still, drive(5), "sim3")
    with pytest.raises(DataError, match="by frame and the other by second"):
        common_frames(drive(5), drive(5)._replace(keyed_by="second"))


def test_the_picture_shows_both_paths_where_they_are():
    straight, right = drive(50, angle=0.0), drive(50, angle=0.0)
    right.T_world_from_camera[:, 0, 3] += 50.0
    pixels = picture_of_paths({"reference": straight, "estimated": right}).astype(int)
    blue = np.abs(pixels - [0x00, 0x72, 0xB2]).sum(-1) < 30
    orange = np.abs(pixels - [0xE6, 0x9F, 0x00]).sum(-1) < 30
    below_legend = slice(100, None)
    columns = [np.flatnonzero(colour[below_legend].any(0)) for colour in (blue, orange)]
    assert columns[0].max() < 100
    assert columns[1].min() > 800
    assert blue[below_legend].any(1).sum() > 700
