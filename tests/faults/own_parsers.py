"""Readers of what a user lays beside frames and videos, of videos themselves, and of results."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import data_trees as trees
import numpy as np
import videos
from faults.parser import Parser, finite

from selfsup_depth.commands.evaluate_compare import read_result
from selfsup_depth.data import frame_folder
from selfsup_depth.data.camera_files import find_intrinsics
from selfsup_depth.data.images import MAX_PIXELS
from selfsup_depth.data.speed_log import read_speed_csv
from selfsup_depth.data.trajectory_files import read_trajectory
from selfsup_depth.data.video_reader import VideoFrame
from selfsup_depth.data.video_scan import index_video
from selfsup_depth.evaluation.comparison import compare_results
from selfsup_depth.evaluation.depth_errors import DepthErrors

HEIGHT, WIDTH = trees.SIZE


def camera(path: Path) -> None:
    """The only camera file of its folder."""
    K = find_intrinsics([path.parent], (HEIGHT, WIDTH))
    finite(K)
    assert K[0, 0] > 0
    assert K[1, 1] > 0
    # The first pixel's outer edge is at -0.5; a point inside a larger image may lie beyond its middle.
    assert -0.5 < K[0, 2] < WIDTH
    assert -0.5 < K[1, 2] < HEIGHT


def speeds(path: Path) -> None:
    log = read_speed_csv(path)
    finite(log.seconds)
    assert (np.diff(log.seconds) > 0).all()
    assert not (log.speed < 0).any()
    travelled = [log.travelled(start, end) for start, end in zip(log.seconds, log.seconds[1:], strict=False)]
    assert not np.isinf(travelled).any()


def times(path: Path) -> None:
    seconds = frame_folder._read_times(path, 3)
    finite(seconds)
    assert (np.diff(seconds) > 0).all()


def rigid(T: np.ndarray) -> None:
    finite(T)
    assert np.allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=0.01)
    assert np.array_equal(T[3], [0, 0, 0, 1])


def poses(path: Path) -> None:
    for T in frame_folder._poses(path, [4, 5, 6]).values():
        rigid(T)


def trajectory(path: Path) -> None:
    found = read_trajectory(path)
    assert (np.diff(found.keys) > 0).all()
    for T in found.T_world_from_camera:
        rigid(T)


def result(path: Path) -> None:
    whole = json.loads(result_bytes())
    for difference in compare_results(whole, read_result(path)).values():
        finite(difference.second, difference.mean, difference.interval, difference.better)


def result_bytes() -> bytes:
    image = dict.fromkeys(DepthErrors._fields, 0.5)
    images = [{"name": f"a/{number}.png", **image} for number in range(3)]
    protocol = {"name": "metric", "hash": "0123", "max_depth": 80.0, "description": "as it is"}
    return json.dumps({"metrics": image, "protocol": protocol, "num_images": 3, "images": images}).encode()


def video(path: Path) -> None:
    index = index_video(path, progress=False)
    finite(index.seconds)
    assert (np.diff(index.seconds) > 0).all()
    assert 0 < index.size[0] * index.size[1] <= MAX_PIXELS
    for number in range(len(index.pts)):
        picture = VideoFrame(index, number).read()
        assert (picture.height, picture.width) == index.upright_size


def video_bytes(name: str, codec: str = "libx264", b_frames: int = 2) -> Callable[[], bytes]:
    @cache
    def encoded() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            frames = videos.moving_pattern(4, (32, 48))
            return videos.write_video(Path(folder, name), frames, codec, b_frames=b_frames).read_bytes()

    return encoded


CAMERA = f"fx: 50.0\nfy: 50.5\ncx: 28\ncy: 19\nwidth: {WIDTH}\nheight: {HEIGHT}\n"
COLMAP = f"# Camera list\n1 PINHOLE {WIDTH} {HEIGHT} 50.0 50.0 28.5 19.5\n"
CALIB = f"P2: {trees.projection(0.0)}\n"
SPEEDS = "seconds,speed\n0.0,9.5\n0.1,9.75\n0.2,nan\n0.3,10\n"
POSES = "".join(f"1 0 0 0 0 1 0 0 0 0 1 {i}\n" for i in range(3))
NUMBERED = "".join(f"{2 * i} {line}\n" for i, line in enumerate(POSES.splitlines()))
TUM = "# seconds tx ty tz qx qy qz qw\n0.0 0 0 0 0 0 0 1\n0.1 0 0 1.5 0 0.6 0 0.8\n0.3 0 0 3 0 0 0 -1\n"
STAMPS = "".join(f"2011-09-26 13:10:5{i}.175862102\n" for i in range(3))

PARSERS = {
    "camera.yaml": Parser(CAMERA.encode, camera, "/camera.yaml"),
    "cameras.txt of COLMAP": Parser(COLMAP.encode, camera, "/cameras.txt"),
    "calib.txt": Parser(CALIB.encode, camera, "/calib.txt"),
    "speed.csv": Parser(SPEEDS.encode, speeds, ".csv"),
    "timestamps.txt, dates": Parser(STAMPS.encode, times),
    "timestamps.txt, seconds": Parser("0.0\n0.1\n2e-1\n".encode, times),
    "poses.txt": Parser(POSES.encode, poses),
    "trajectory of KITTI": Parser(NUMBERED.encode, trajectory),
    "trajectory of TUM": Parser(TUM.encode, trajectory),
    "result .json": Parser(result_bytes, result, ".json", 0.1),
    "video .mp4": Parser(video_bytes("v.mp4"), video, ".mp4", 0.02),
    "video .mkv": Parser(video_bytes("v.mkv"), video, ".mkv", 0.02),
    "video .avi": Parser(video_bytes("v.avi", "mpeg4", b_frames=0), video, ".avi", 0.02),
}
