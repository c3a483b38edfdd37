"""Rectified pairs have common rows and true depths, undistorted frames a plain camera; none is turned."""

from __future__ import annotations

from pathlib import Path

import check_trees as trees
import cv2
import numpy as np
import pytest
from PIL import Image

from selfsup_depth.cli import main
from selfsup_depth.data.check.pairs import measure_pair
from selfsup_depth.data.frame_folder import FrameFolder
from selfsup_depth.data.lens import rectification
from selfsup_depth.data.rig_file import read_rig
from selfsup_depth.data.selection import Example
from selfsup_depth.data.stereo_pairs import StereoPairs

SIZE = (240, 320)  # height, width
K = np.array([[280.0, 0, 165], [0, 282.0, 118], [0, 0, 1]])
K_RIGHT = np.array([[290.0, 0, 150], [0, 288.0, 125], [0, 0, 1]])
DISTORTION = np.array([-0.25, 0.08, 0.001, -0.002, -0.01])
DISTORTION_RIGHT = np.array([-0.22, 0.07, 0.001, -0.001, -0.01])
R = cv2.Rodrigues(np.array([0.02, -0.05, 0.03]))[0]
PLACES = {"horizontal": (-0.2, 0.01, 0.005), "vertical": (0.01, -0.2, 0.004)}
DISTANCE = 3.0


def numbers(values) -> str:
    return " ".join(repr(float(value)) for value in np.ravel(values))


def calibration(path: Path, place, turn=R) -> Path:
    lines = [
        f"{name}: {value}"
        for name, value in zip(("fx", "fy", "cx", "cy"), (K[0, 0], K[1, 1], K[0, 2], K[1, 2]), strict=True)
    ]
    right = (K_RIGHT[0, 0], K_RIGHT[1, 1], K_RIGHT[0, 2], K_RIGHT[1, 2])
    lines += [f"right_{name}: {value}" for name, value in zip(("fx", "fy", "cx", "cy"), right, strict=True)]
    lines += [f"distortion: {numbers(DISTORTION)}", f"right_distortion: {numbers(DISTORTION_RIGHT)}"]
    path.write_text("\n".join([*lines, f"R: {numbers(turn)}", f"T: {numbers(place)}", ""]))
    return path


def texture() -> np.ndarray:
    rough = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    return cv2.resize(rough, SIZE[::-1], interpolation=cv2.INTER_CUBIC)


def raw(ideal: np.ndarray, camera: np.ndarray, distortion: np.ndarray) -> np.ndarray:
    """What the lens makes of an image without distortion."""
    row, column = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float64)
    pixels = np.stack([column, row], -1).reshape(-1, 1, 2)
    straight = cv2.undistortPoints(pixels, camera, distortion, P=camera).reshape(*SIZE, 2).astype(np.float32)
    return cv2.remap(ideal, straight, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def raw_pair(root: Path, place) -> Path:
    """Raw photographs of a wall that faces the left camera."""
    left = texture()
    moved = R + np.outer(place, (0, 0, 1)) / DISTANCE
    right = trees.warped(left, K_RIGHT @ moved @ np.linalg.inv(K))
    for side, image, camera, distortion in (
        ("left", left, K, DISTORTION),
        ("right", right, K_RIGHT, DISTORTION_RIGHT),
    ):
        (root / side).mkdir(parents=True)
        Image.fromarray(raw(image, camera, distortion)).save(root / side / "0.png")
    calibration(root / "camera.yaml", place)
    return root


def corrected(pixels: np.ndarray, lens) -> np.ndarray:
    """Where the new image shows (N, 1, 2) pixels of the old one."""
    many = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-10)
    made = cv2.undistortPoints(pixels, lens.K, lens.distortion, R=lens.R, P=lens.new_K, criteria=many)
    return made[:, 0]


@pytest.mark.parametrize("name", PLACES)
def test_points_stand_in_common_rows_at_their_depth(name, tmp_path):
    rig = rectification(read_rig(calibration(tmp_path / "camera.yaml", PLACES[name]), {}), SIZE)
    generator = np.random.default_rng(1)
    points = np.column_stack([generator.uniform(-0.6, 0.6, (200, 2)), generator.uniform(2, 8, 200)])
    in_right = points @ R.T + PLACES[name]
    seen = []
    for lens, seen_points, camera, distortion in (
        (rig.left, points, K, DISTORTION),
        (rig.right, in_right, K_RIGHT, DISTORTION_RIGHT),
    ):
        pixels, _ = cv2.projectPoints(seen_points, np.zeros(3), np.zeros(3), camera, distortion)
        seen.append(corrected(pixels, lens))
    left, right = seen
    along = 1 if name == "vertical" else 0
    np.testing.assert_allclose(left[:, 1 - along], right[:, 1 - along], atol=1e-3)
    # Depth along the new axis from disparity, less what the principal points differ by.
    baseline = -rig.T_left_to_right[along]
    apart = rig.left.new_K[along, 2] - rig.right.new_K[along, 2]
    depth = rig.left.new_K[along, along] * baseline / (left[:, along] - right[:, along] - apart)
    np.testing.assert_allclose(depth, (points @ rig.left.R.T)[:, 2], rtol=1e-4)
    assert baseline == pytest.approx(np.linalg.norm(PLACES[name]))


@pytest.mark.parametrize("name", PLACES)
def test_no_image_is_turned_round(name, tmp_path):
    rig = rectification(read_rig(calibration(tmp_path / "camera.yaml", PLACES[name]), {}), SIZE)
    for lens in (rig.left, rig.right):
        assert np.diag(lens.R).min() > 0.9
        assert np.diag(lens.new_K).min() > 0


@pytest.mark.parametrize("name", PLACES)
def test_a_raw_pair_becomes_one_that_trains(name, tmp_path, capfd):
    root = raw_pair(tmp_path / "raw", PLACES[name])
    (root / "speed.csv").write_text("0,1\n1,1\n")
    assert main(["data", "rectify", str(root), f"--output={tmp_path / 'new'}"]) == 0
    assert "1 pairs" in capfd.readouterr().out
    (recording,) = StereoPairs().recordings(tmp_path / "new")
    pair = measure_pair(Example(recording, "l", 0))
    assert len(pair.across) > 60
    assert np.median(np.abs(pair.across)) < 0.25
    assert np.median(pair.depth) == pytest.approx(DISTANCE, rel=0.03)
    assert (tmp_path / "new/speed.csv").exists()


def test_the_raw_pair_itself_is_not_taken_for_a_rectified_one(tmp_path, capfd):
    root = raw_pair(tmp_path / "raw", PLACES["horizontal"])
    assert main(["data", "check", "--config=conf/data/stereo_pairs.yaml", f"--data.root={root}"]) == 3
    assert "selfsup-depth data rectify" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ((0.2, 0, 0), "stands left of the left one"),
        ((0.01, 0, 0.2), "in front of the other"),
        ((0, 0, 0), "in front of the other, or in its place"),
    ],
)
def test_rigs_that_cannot_be_rectified_are_refused(place, told, tmp_path, capfd):
    root = raw_pair(tmp_path / "raw", PLACES["horizontal"])
    calibration(root / "camera.yaml", place)
    assert main(["data", "rectify", str(root), f"--output={tmp_path / 'new'}"]) == 3
    assert told in capfd.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw"]


def test_a_missing_or_damaged_image_leaves_nothing_behind(tmp_path, capfd):
    root = raw_pair(tmp_path / "raw", PLACES["horizontal"])
    Image.fromarray(texture()).save(root / "left/1.png")
    assert main(["data", "rectify", str(root), f"--output={tmp_path / 'new'}"]) == 3
    assert "no right image for 1.png" in capfd.readouterr().err
    (root / "right/1.png").write_bytes((root / "right/0.png").read_bytes()[:400])
    assert main(["data", "rectify", str(root), f"--output={tmp_path / 'new'}"]) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw"]
    (tmp_path / "new").mkdir()
    assert main(["data", "rectify", str(root), f"--output={tmp_path / 'new'}"]) == 2


def test_undistorted_frames_are_those_of_a_camera_without_distortion(tmp_path):
    ideal = texture()
    root = tmp_path / "raw"
    root.mkdir()
    Image.fromarray(raw(ideal, K, DISTORTION)).save(root / "0.png")
    (root / "timestamps.txt").write_text("0\n")
    names = {"fx": K[0, 0], "fy": K[1, 1], "cx": K[0, 2], "cy": K[1, 2]}
    lines = "".join(f"{key}: {value}\n" for key, value in names.items())
    (root / "camera.yaml").write_text(f"{lines}distortion: {numbers(DISTORTION)}\n")
    assert main(["data", "undistort", str(root), f"--output={tmp_path / 'new'}"]) == 0
    (recording,) = FrameFolder().recordings(tmp_path / "new")
    new_K = recording.cameras["l"].K
    assert (tmp_path / "new/timestamps.txt").read_text() == "0\n"
    # The same picture, looked at by the new camera.
    expected = trees.warped(ideal, new_K @ np.linalg.inv(K))
    made = np.asarray(recording.cameras["l"].frames[0].image.read())
    inner = (slice(20, -20), slice(20, -20))
    difference = np.abs(made.astype(int) - expected)[inner].mean()
    distorted = np.abs(np.asarray(Image.open(root / "0.png")).astype(int) - expected)[inner].mean()
    assert difference < 0.25 * distorted


def test_distorted_frames_are_not_trained_on(tmp_path, capfd):
    Image.fromarray(texture()).save(tmp_path / "0.png")
    (tmp_path / "camera.yaml").write_text("focal: 280\nwidth: 320\nheight: 240\ndistortion: -0.2 0.1 0 0\n")
    assert main(["data", "check", "--config=conf/data/frame_folder.yaml", f"--data.root={tmp_path}"]) == 3
    assert "selfsup-depth data undistort" in capfd.readouterr().err
