"""Trajectories: the motion that a network says of each two frames, added up to a known path."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import stored_networks
import torch
from known_network import SIZE, Brightness, predict
from PIL import Image
from videos import write_video

from selfsup_depth.data.recording import Frame
from selfsup_depth.data.timestamps import times_of_frames
from selfsup_depth.data.trajectory_files import read_trajectory, trajectory_of
from selfsup_depth.errors import DataError
from selfsup_depth.evaluation.odometry import evaluate_odometry
from selfsup_depth.geometry.pose import T_from_axis_angle
from selfsup_depth.networks.motion import PoseNetwork
from selfsup_depth.structures import Motion

NUM_FRAMES = 12
TURN = 2 * math.pi / 16  # of the camera to the right, for each frame
AHEAD = 2.0


class Clock(PoseNetwork):
    """Reads the time from the brightness, and says how a car in a roundabout moves in that time."""

    def look(self, image):
        return (image.mean(dim=(1, 2, 3)) * 255 / 10).round()

    def forward(self, first, second):
        steps = (second - first)[:, None]
        turn = torch.tensor([[0.0, -TURN, 0.0]]) * steps  # points turn against the camera
        # Ahead along the chord, seen from the first camera.
        chord = AHEAD * torch.sin(steps * TURN / 2) / math.sin(TURN / 2)
        ahead = torch.cat(
            [torch.sin(steps * TURN / 2), torch.zeros_like(steps), torch.cos(steps * TURN / 2)], 1
        )
        T = T_from_axis_angle(turn, torch.zeros(len(first), 3))
        T[:, :3, 3] = -(T[:, :3, :3] @ (chord * ahead)[:, :, None])[:, :, 0]
        return Motion(T)


@pytest.fixture
def seeing_motion(monkeypatch):
    """The network of the fixture `checkpoint` has a network of motion, too."""
    monkeypatch.setattr(Brightness, "pose_net", Clock(), raising=False)


def positions_of_frames(num_frames=NUM_FRAMES):
    """Where a camera is that starts forward along z on a circle to the right."""
    angles = TURN * np.arange(num_frames)
    radius = AHEAD / (2 * math.sin(TURN / 2))
    # The first chord points half a turn to the right of the first view.
    return radius * np.stack([1 - np.cos(angles), 0 * angles, np.sin(angles)], axis=1)


def write_frames(folder, num_frames=NUM_FRAMES, first=0):
    folder.mkdir(parents=True)
    for number in range(num_frames):
        Image.new("RGB", (120, 40), (10 * number,) * 3).save(folder / f"{first + number:06d}.png")
    return folder


@pytest.mark.parametrize("batch_size", [1, 5])
def test_a_known_motion_becomes_its_path(checkpoint, seeing_motion, tmp_path, batch_size, capsys):
    write_frames(tmp_path / "in")
    given = ["--input", tmp_path / "in", "--output", tmp_path / "out", "--poses", "--batch-size", batch_size]
    assert predict(*checkpoint("metric"), *given) == 0
    assert (
        f"path: {tmp_path / 'out' / 'poses_kitti.txt'} (KITTI), poses_tum.txt (TUM)"
        in capsys.readouterr().out
    )
    path = read_trajectory(tmp_path / "out" / "poses_kitti.txt")
    np.testing.assert_array_equal(path.keys, np.arange(NUM_FRAMES))
    np.testing.assert_allclose(path.positions, positions_of_frames(), atol=1e-4)
    # After a quarter of the roundabout the camera looks to the right: its z is the world's x.
    np.testing.assert_allclose(path.T_world_from_camera[4, :3, 2], [1, 0, 0], atol=1e-5)
    by_time = read_trajectory(tmp_path / "out" / "poses_tum.txt")
    np.testing.assert_allclose(by_time.keys, np.arange(NUM_FRAMES) / 10)
    np.testing.assert_allclose(by_time.T_world_from_camera, path.T_world_from_camera, atol=1e-6)
    about = json.loads((tmp_path / "out" / "poses_tum.txt").read_text().splitlines()[0].split(maxsplit=2)[2])
    assert (about["scale"], about["training_size"]) == ("metric", list(SIZE))


def test_a_path_without_scale_says_so_and_fits_up_to_one_factor(checkpoint, seeing_motion, tmp_path):
    write_frames(tmp_path / "in", first=7)
    given = ["--input", tmp_path / "in", "--poses", "--output"]
    assert predict(*checkpoint("relative"), *given, tmp_path / "out") == 0
    assert {path.name for path in (tmp_path / "out").glob("poses*")} == {
        "poses_relative_kitti.txt",
        "poses_relative_tum.txt",
    }
    path = read_trajectory(tmp_path / "out" / "poses_relative_kitti.txt")
    np.testing.assert_array_equal(path.keys, 7 + np.arange(NUM_FRAMES))
    assert predict(*checkpoint("relative"), *given, tmp_path / "metric", "--scale", 3) == 0
    scaled = read_trajectory(tmp_path / "metric" / "poses_kitti.txt")
    np.testing.assert_allclose(scaled.positions, 3 * path.positions, atol=1e-6)
    assert evaluate_odometry(scaled, path, "sim3").metrics["ate_rmse_m"] < 1e-6


def test_a_frame_that_cannot_be_read_is_stepped_over(checkpoint, seeing_motion, tmp_path):
    folder = write_frames(tmp_path / "in")
    (folder / "000004.png").write_bytes(b"nothing")
    (folder / "timestamps.txt").write_text("".join(f"{100 + 0.5 * i}\n" for i in range(NUM_FRAMES)))
    given = ["--input", folder, "--output", tmp_path / "out", "--poses", "--batch-size", 2]
    assert predict(*checkpoint("metric"), *given) == 3
    path = read_trajectory(tmp_path / "out" / "poses_kitti.txt")
    left = np.delete(np.arange(NUM_FRAMES), 4)
    np.testing.assert_array_equal(path.keys, left)
    np.testing.assert_allclose(path.positions, positions_of_frames()[left], atol=1e-4)
    np.testing.assert_allclose(read_trajectory(tmp_path / "out" / "poses_tum.txt").keys, 100 + 0.5 * left)


def test_each_folder_and_each_video_has_a_path_of_its_own(checkpoint, seeing_motion, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, count in (("a", 5), ("b", 3)):
        write_frames(tmp_path / "in" / name, count)
    frames = (np.full((40, 120, 3), 10 * number, np.uint8) for number in range(4))
    write_video(tmp_path / "in" / "a" / "drive.mp4", frames, milliseconds=[0, 100, 200, 300])
    given = ["--input", tmp_path / "in" / "*" / "*", "--output", tmp_path / "out", "--poses"]
    assert predict(*checkpoint("metric"), *given) == 0
    for place, count in (("a/poses", 5), ("b/poses", 3), ("a/drive_poses", 4)):
        path = read_trajectory(tmp_path / "out" / f"{place}_kitti.txt")
        np.testing.assert_allclose(path.positions, positions_of_frames(count), atol=1e-4)
    by_time = read_trajectory(tmp_path / "out" / "a" / "drive_poses_tum.txt")
    np.testing.assert_allclose(by_time.keys, [0, 0.1, 0.2, 0.3])


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_the_network_of_motion_in_a_checkpoint_is_the_one_that_is_asked(tmp_path, norm):
    """Untrained, it drives straight ahead, by as much as it was told to assume."""
    pose_net = {"class_path": "PoseNet", "width": 0.125, "norm": norm, "first_motion": [0.0, 0.0, 1.5]}
    run = stored_networks.checkpoint(tmp_path / "run.ckpt", stored_networks.BATCH_NORM, pose_net)
    given = ["--checkpoint", run, "--input", write_frames(tmp_path / "in", 4), "--output", tmp_path / "out"]
    assert predict(*given, "--poses") == 0
    path = read_trajectory(tmp_path / "out" / "poses_kitti.txt")
    ahead = np.arange(4)[:, None] * [[0.0, 0.0, 1.5]]
    np.testing.assert_allclose(path.positions, ahead, atol=0.2)


def test_without_a_network_of_motion_poses_are_refused(checkpoint, tmp_path, capsys):
    given = ["--input", write_frames(tmp_path / "in"), "--output", tmp_path / "out", "--poses"]
    assert predict(*checkpoint("metric"), *given) == 2
    assert "trained on video, or leave out --poses" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_times_that_do_not_go_on_are_refused_before_anything_is_predicted(
    checkpoint, seeing_motion, tmp_path, capsys
):
    folder = write_frames(tmp_path / "in", 3)
    (folder / "timestamps.txt").write_text("0\n2\n1\n")
    given = ["--input", folder, "--output", tmp_path / "out", "--poses"]
    assert predict(*checkpoint("metric"), *given) == 3
    assert "time does not go on" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_times_are_those_of_the_frames_numbers(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "timestamps.txt").write_text(
        "".join(f"2011-09-26 13:02:{i:02d}.000000000\n" for i in range(9))
    )
    assert times_of_frames(tmp_path / "data", [2, 5]) == [2, 5]
    assert times_of_frames(tmp_path, list(range(9))) == list(range(9))
    (tmp_path / "data" / "timestamps.txt").write_text("0.5\n0.75\n")
    assert times_of_frames(tmp_path / "data", [2, 5]) == [0.5, 0.75]
    with pytest.raises(DataError, match="2 times for images up to number 5"):
        times_of_frames(tmp_path / "data", [2, 3, 5])


def test_a_recordings_path_is_that_of_its_posed_frames():
    poses = {2: np.eye(4), 5: np.diag([1.0, 1, 1, 1])}
    frames = {i: Frame(i, None, i / 10, T_world_from_camera=poses.get(i)) for i in (5, 2, 3)}
    assert trajectory_of(frames).keys.tolist() == [2, 5]
    with pytest.raises(DataError, match="no frame has a pose"):
        trajectory_of({3: frames[3]})
