"""Folders of frames: their order, times, speeds and cameras, and that they train like the original."""

from __future__ import annotations

import csv
import math
import shutil
from pathlib import Path

import data_trees as trees
import numpy as np
import pytest
from scenes import shared
from videos import moving_pattern, write_video

from selfsup_depth.cli import main
from selfsup_depth.data.camera_files import find_intrinsics, turned_intrinsics
from selfsup_depth.data.frame_folder import FrameFolder, frame_indices
from selfsup_depth.data.kitti_raw import KittiRaw
from selfsup_depth.data.recording import Recording
from selfsup_depth.data.speed_log import SpeedLog, read_speed_csv
from selfsup_depth.data.video_file import VideoFile
from selfsup_depth.errors import DataError

CAMERA = f"fx: {trees.FOCAL}\nfy: 51\ncx: {trees.CX}\ncy: {trees.CY}\nwidth: 60\nheight: 40\n"


def frames(folder: Path, names: tuple[str, ...] = ("8.png", "9.png", "10.png"), size=trees.SIZE) -> Path:
    for number, name in enumerate(names):
        trees.save(trees.picture(number, size), folder / name)
    return folder


def only(root: Path) -> Recording:
    (recording,) = FrameFolder().recordings(root)
    return recording


def refusal(root: Path) -> str:
    with pytest.raises(DataError) as caught:
        FrameFolder().recordings(root)
    message = str(caught.value)
    assert "\n" not in message
    assert "; " in message
    return message


# --- frames and their times


@pytest.mark.parametrize(
    ("names", "indices"),
    [
        (["8", "9", "10"], [8, 9, 10]),
        (["frame_8", "frame_9", "frame_11"], [8, 9, 11]),
        (["0", "3", "9", "12"], [0, 1, 3, 4]),
        (["1305031102.1753", "1305031102.2112", "1305031103.0113"], [0, 1, 2]),
        (["10", "27", "41"], [0, 1, 2]),
        (["first", "second"], [0, 1]),
        (["7"], [7]),
    ],
)
def test_frames_are_numbered_so_that_neighbours_differ_by_one(names, indices):
    assert frame_indices([Path(f"{name}.png") for name in names]) == indices


def test_scenes_and_frames_come_in_natural_order(tmp_path):
    for scene in ("town10", "town9/morning", ".thumbnails"):
        frames(tmp_path / scene)
    trees.save(trees.picture(7), tmp_path / "town10" / "mask.png")
    recordings = FrameFolder().recordings(tmp_path)
    assert [recording.name for recording in recordings] == ["town9/morning", "town10"]
    names = [frame.image.path.name for frame in recordings[1].cameras["l"].frames.values()]
    assert names == ["8.png", "9.png", "10.png"]


def test_times_are_read_in_seconds_or_as_kitti_writes_them(tmp_path, caplog):
    folder = frames(tmp_path / "drive")
    assert [frame.seconds for frame in only(folder).cameras["l"].frames.values()] == [0, 0.1, 0.2]
    assert "assuming 10 frames per second" in caplog.text
    trees.write(folder / "timestamps.txt", "5\n5.25\n7\n")
    assert [frame.seconds for frame in only(folder).cameras["l"].frames.values()] == [5, 5.25, 7]
    trees.write(folder / "timestamps.txt", "".join(f"2020-01-02 10:00:0{i}.5\n" for i in range(3)))
    assert [frame.seconds for frame in only(folder).cameras["l"].frames.values()] == [0.5, 1.5, 2.5]
    trees.write(folder / "timestamps.txt", "5\n5\n7\n")
    assert f"{folder}/timestamps.txt:2" in refusal(folder)
    trees.write(folder / "timestamps.txt", "5\n7\n")
    assert "2 times for 3 frames" in refusal(folder)


# --- speed


def test_speed_is_integrated_between_the_exposures_and_unknown_in_gaps():
    log = SpeedLog(np.array([0.0, 1, 2, 10, 11, 12]), np.array([0.0, 10, 10, 5, math.nan, 5]))
    assert log.travelled(0, 1) == 5
    assert log.travelled(1.5, 0.5) == pytest.approx(0.5 * (5 + 10) * 0.5 + 5)
    assert log.travelled(0.25, 0.75) == pytest.approx(2.5)
    for start, end in ((1.5, 5), (5, 6), (9, 10.5), (10, 10.5), (-1, 1), (11, 13)):
        assert math.isnan(log.travelled(start, end)), (start, end)


def test_speed_goes_before_poses_and_either_is_optional(tmp_path):
    folder = frames(tmp_path / "drive")
    assert math.isnan(only(folder).travelled("l", 8, 9))
    poses = [np.column_stack([np.eye(3), (0, 0, 2.0 * index)]) for index in range(3)]
    trees.write(folder / "poses.txt", "\n".join(map(trees.numbers, poses)) + "\n")
    assert only(folder).travelled("l", 10, 8) == pytest.approx(4)
    trees.write(folder / "speed.csv", "seconds, speed\n0,10\n5,10\n")
    assert math.isnan(SpeedLog(np.array([0.0, 5]), np.array([1.0, 1])).travelled(0, 1))
    assert only(folder).travelled("l", 8, 9) == pytest.approx(2)  # by the poses: the log has a gap
    trees.write(folder / "speed.csv", "0,10\n2,10\n")
    assert only(folder).travelled("l", 8, 9) == pytest.approx(1)
    trees.write(folder / "poses.txt", trees.numbers(poses[0]))
    assert "1 poses for 3 frames" in refusal(folder)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0,1\n0,1\n", "not later than the one before, in {}:2"),
        ("0,1\n1,-1\n", "negative, in {}:2"),
        ("0,1\n1,2,3\n", "expected 2 numbers, found 3, in {}:2"),
        ("0,1\n1,fast\n", "not a finite number, in {}:2"),
        ("0,1\n", "1 speeds, not two or more, in {}"),
    ],
)
def test_a_damaged_speed_file_is_refused_with_its_line(tmp_path, text, told):
    trees.write(tmp_path / "speed.csv", text)
    with pytest.raises(DataError) as caught:
        read_speed_csv(tmp_path / "speed.csv")
    assert told.format(tmp_path / "speed.csv") in str(caught.value)


# --- intrinsics


def test_the_nearest_camera_file_counts_and_each_scene_may_have_its_own(tmp_path):
    frames(tmp_path / "a")
    frames(tmp_path / "b", size=(20, 30))
    trees.write(tmp_path / "camera.yaml", CAMERA)
    trees.write(tmp_path / "b" / "cameras.txt", "# one\n1 PINHOLE 30 20 70 71 15.5 10.5\n")
    near, own = (recording.cameras["l"].K for recording in FrameFolder().recordings(tmp_path))
    np.testing.assert_allclose(near, [[trees.FOCAL, 0, trees.CX], [0, 51, trees.CY], [0, 0, 1]])
    np.testing.assert_allclose(own, [[70, 0, 15], [0, 71, 10], [0, 0, 1]])


def test_a_kitti_calibration_is_that_of_its_left_colour_camera(tmp_path):
    expected = [[trees.FOCAL, 0, trees.CX], [0, trees.FOCAL, trees.CY], [0, 0, 1]]
    trees.write(tmp_path / "calib.txt", f"P0: {trees.projection(0, 9)}\nP2: {trees.projection(0.1)}\n")
    np.testing.assert_allclose(find_intrinsics([tmp_path], trees.SIZE), expected)
    (tmp_path / "calib.txt").rename(tmp_path / "old")
    trees.write(tmp_path / "calib_cam_to_cam.txt", trees.cam_to_cam())
    np.testing.assert_allclose(find_intrinsics([tmp_path], trees.SIZE), expected)


def test_the_camera_of_larger_images_is_resized_with_them(tmp_path):
    trees.write(tmp_path / "camera.yaml", "focal: 100\ncx: 59.5\ncy: 39.5\nwidth: 120\nheight: 80\n")
    expected = [[50, 0, 29.5], [0, 50, 19.5], [0, 0, 1]]
    np.testing.assert_allclose(find_intrinsics([tmp_path], trees.SIZE), expected)
    with pytest.raises(DataError, match=r"images are 60x60, the camera is for 120x80, in .*camera\.yaml"):
        find_intrinsics([tmp_path], (60, 60))


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("camera.yaml", CAMERA + "skew: 1\n", "unknown skew"),
        ("camera.yaml", "fx: 50\n", "no width"),
        ("camera.yaml", "width: 60\nheight: 40\n", "no fx"),
        ("camera.yaml", CAMERA.replace("50.0", "-50"), "not positive"),
        ("camera.yaml", CAMERA.replace("28.0", "280"), "principal point"),
        ("cameras.txt", "1 OPENCV 60 40 50 50 30 20 0.1 0 0 0\n", "undistort"),
        ("cameras.txt", "1 PINHOLE 60 40 50 50 30\n", "cameras.txt:1"),
        ("cameras.txt", "1 PINHOLE 60 40 50 50 30 20\n2 PINHOLE 60 40 50 50 30 20\n", "2 cameras"),
        ("calib.txt", "P9: 1\n", "no P2"),
    ],
)
def test_a_camera_file_that_cannot_be_used_is_refused(tmp_path, name, text, told):
    trees.write(tmp_path / name, text)
    with pytest.raises(DataError) as caught:
        find_intrinsics([tmp_path], trees.SIZE)
    assert told in str(caught.value)
    assert name in str(caught.value)


def test_two_camera_files_that_disagree_are_refused(tmp_path):
    trees.write(tmp_path / "camera.yaml", CAMERA)
    trees.write(tmp_path / "cameras.txt", "1 PINHOLE 60 40 50 51 28.5 19.5\n")
    assert find_intrinsics([tmp_path], trees.SIZE)[0, 0] == 50
    trees.write(tmp_path / "cameras.txt", "1 PINHOLE 60 40 60 51 28.5 19.5\n")
    with pytest.raises(DataError, match=r"disagree .*camera\.yaml, in .*cameras\.txt:1; keep one"):
        find_intrinsics([tmp_path], trees.SIZE)


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (270, 3)])
def test_the_camera_of_a_turned_video_turns_with_it(tmp_path, monkeypatch, rotation, turns):
    """A pixel and the ray through it stay together."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    K = np.array([[50, 0, 28], [0, 60, 19], [0, 0, 1.0]])
    image = np.zeros((40, 60))
    image[7, 11] = 1
    row, column = np.argwhere(np.rot90(image, turns))[0]
    x, y, _ = np.linalg.solve(K, [11, 7, 1])
    ray = {90: (y, -x), 270: (-y, x)}[rotation]
    upright = turned_intrinsics(K, (40, 60), rotation)
    np.testing.assert_allclose(upright @ [*ray, 1], [column, row, 1])
    write_video(tmp_path / "v.mp4", moving_pattern(3, (40, 60)), rotation=rotation)
    trees.write(tmp_path / "v.camera.yaml", CAMERA)
    (recording,) = VideoFile().recordings(tmp_path / "v.mp4")
    expected = turned_intrinsics(np.array([[50, 0, 28], [0, 51, 19], [0, 0, 1.0]]), (40, 60), rotation)
    np.testing.assert_allclose(recording.cameras["l"].K, expected)


# --- training


def losses_of(run: Path) -> list[float]:
    with (run / "metrics.csv").open() as file:
        return [float(row["loss/total"]) for row in csv.DictReader(file) if row.get("loss/total")]


def test_frames_of_kitti_train_to_the_same_losses_from_a_plain_folder(tmp_path, tiny):
    """As through the KITTI reader, also the loss that learns from the speed."""
    root = shared("data/kitti_raw_0013")
    (recording,) = KittiRaw().recordings(root)
    camera, folder = recording.cameras["l"], tmp_path / "plain"
    folder.mkdir()
    chosen = [camera.frames[index] for index in range(12)]
    for frame in chosen:
        shutil.copy(frame.image.path, folder)
    (fx, _, cx), (_, fy, cy), _ = camera.K.tolist()
    height, width = camera.size
    numbers = {"fx": fx, "fy": fy, "cx": cx, "cy": cy, "width": width, "height": height}
    trees.write(folder / "camera.yaml", "".join(f"{key}: {value!r}\n" for key, value in numbers.items()))
    trees.write(folder / "timestamps.txt", "".join(f"{frame.seconds!r}\n" for frame in chosen))
    trees.write(folder / "speed.csv", "".join(f"{frame.seconds!r},{frame.speed!r}\n" for frame in chosen))
    split = tmp_path / "split"
    trees.write(split / "train.txt", "".join(f"{recording.name} {i} l\n" for i in range(1, 11)))
    curves = []
    for data, place in (("kitti_raw", root), ("frame_folder", folder)):
        run = tmp_path / data
        options = [f"--config=data/{data}.yaml", f"--config={tiny}", f"--data.root={place}", f"--run={run}"]
        options += [f"--data.split={split}"] if data == "kitti_raw" else []
        assert main(["train", "--config=method/velocity.yaml", *options, "--data.stereo=false"]) == 0
        curves.append(losses_of(run))
    assert len(curves[0]) == 4
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-6)
