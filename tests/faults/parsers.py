"""Every reader of files, with a file that it accepts and what must hold of whatever it accepts."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import data_trees as trees
import numpy as np
import torch
from faults import network_parsers, own_parsers
from faults.parser import Parser, finite
from faults.workshop import SEAL, TINY
from PIL import Image

from selfsup_depth.data import kitti_odometry, kitti_oxts, kitti_raw
from selfsup_depth.data.calibration import read_calibration
from selfsup_depth.data.depth_files import read_uint16
from selfsup_depth.data.images import MAX_PIXELS, read_rgb
from selfsup_depth.data.splits import read_split
from selfsup_depth.data.timestamps import read_times, read_timestamps
from selfsup_depth.data.velodyne import project_velodyne, read_scan
from selfsup_depth.training.checkpoint import read_checkpoint
from selfsup_depth.training.stored_maps import read_depth
from selfsup_depth.training.yaml_file import read_yaml


def split(path: Path) -> None:
    for line in read_split(path):
        inside = (Path("/root") / line.folder).resolve()
        assert inside.is_relative_to("/root")
        assert line.frame >= 0
        assert line.side in "lr"


def calibration(key: str, sized: bool) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        file = read_calibration(path)
        K, T = file.projection(key)
        finite(K, T)
        assert K[0, 0] > 0
        assert K[1, 1] > 0
        if sized:
            finite(file.rotation("R_rect_00"))
            assert min(file.size("S_rect_02")) > 0

    return read


def rigid(path: Path) -> None:
    finite(kitti_raw._read_rigid(path))


def poses(path: Path) -> None:
    finite(*kitti_odometry._read_poses(path, 3).values())


def packet(path: Path) -> None:
    """Whose numbers may be unknown, but not absurd."""
    assert not abs(kitti_oxts._read_oxts(path).lat) >= 90


def packets(path: Path) -> None:
    """Of a whole folder, whose only packet this is."""
    for found in kitti_oxts.read_packets(path.parent).values():
        finite(found.speed, found.T_world_from_imu)


def depth_map(path: Path) -> None:
    assert read_uint16(path).ndim == 2


def photograph(path: Path) -> None:
    picture = read_rgb(path)
    assert picture.mode == "RGB"
    assert picture.width * picture.height <= MAX_PIXELS


def scan(path: Path) -> None:
    with np.errstate(all="ignore"):
        finite(project_velodyne(read_scan(path)[:, :3], np.eye(3, 4) * 20, (20, 30), "camera_z"))


def array(path: Path) -> None:
    assert read_depth(path).ndim == 2


def config(path: Path) -> None:
    assert isinstance(read_yaml(path)[0], dict)


def sealed_anew(path: Path) -> None:
    """What is inside the seal is damaged: the seal is made to fit, as an attacker would."""
    content = path.read_bytes()
    path.write_bytes(content + SEAL + hashlib.sha256(content).hexdigest().encode())
    assert isinstance(read_checkpoint(path), dict)


def image_bytes(picture: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def checkpoint_bytes() -> bytes:
    record = {
        "config": {"model": {}, "data": {}},
        "versions": {},
        "scale": {"kind": "metric", "unit": "metre"},
        "size": [32, 64],
        "depth_range": [0.1, 100.0],
    }
    file = io.BytesIO()
    torch.save({"state_dict": {"weight": torch.ones(8)}, "selfsup_depth": record}, file)
    return file.getvalue()


def sealed_bytes() -> bytes:
    content = checkpoint_bytes()
    return content + SEAL + hashlib.sha256(content).hexdigest().encode()


def npy_bytes() -> bytes:
    file = io.BytesIO()
    np.save(file, np.ones((4, 5), np.float32))
    return file.getvalue()


def container(path: Path) -> None:
    read_checkpoint(path)
    assert path.read_bytes() == sealed_bytes(), "a damaged checkpoint was read"


ODOMETRY_CALIB = "".join(f"P{n}: {trees.projection(0.5 * (n % 2))}\n" for n in range(4))
POSES = "".join(f"1 0 0 0 0 1 0 0 0 0 1 {i}\n" for i in range(3))
OXTS = "49.0 8.4 112.8 0.03 0.001 -0.6 -6 8 10.2 0.05 -0.1" + " 0.01" * 14 + " 4 10 4 4 6\n"
STAMPS = "".join(f"2011-09-26 13:10:5{i}.175862102\n" for i in range(3))
RIGID = f"R: {trees.numbers(np.eye(3))}\nT: 0.1 -0.2 0.3\n"
TURN = Image.Exif()
TURN[0x0112] = 6

PARSERS = {
    "split": Parser(lambda: b"2011_09_26/drive_0001_sync 12 l\na/b 0000000003 r\n", split),
    "calib raw": Parser(lambda: trees.cam_to_cam().encode(), calibration("P_rect_02", sized=True)),
    "calib rigid": Parser(lambda: RIGID.encode(), rigid),
    "calib odometry": Parser(lambda: ODOMETRY_CALIB.encode(), calibration("P2", sized=False)),
    "poses": Parser(lambda: POSES.encode(), poses),
    "oxts": Parser(lambda: OXTS.encode(), packet),
    "oxts pose": Parser(lambda: OXTS.encode(), packets, "/0000000000.txt"),
    "timestamps": Parser(lambda: STAMPS.encode(), lambda path: finite(read_timestamps(path, 2))),
    "times": Parser(lambda: b"0.0e+00\n1.0e-01\n0.2\n", lambda path: finite(read_times(path, 2))),
    "velodyne": Parser(lambda: np.linspace(-9, 9, 32).astype("<f4").tobytes(), scan, ".bin"),
    "depth PNG": Parser(
        lambda: image_bytes(Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30)), "PNG"),
        depth_map, ".png", 0.1,
    ),
    "image PNG": Parser(lambda: image_bytes(trees.picture(1, (20, 30)), "PNG"), photograph, ".png", 0.1),
    "image JPEG": Parser(lambda: image_bytes(trees.picture(1, (20, 30)), "JPEG"), photograph, ".jpg", 0.1),
    "image TIFF": Parser(lambda: image_bytes(trees.picture(1, (20, 30)), "TIFF"), photograph, ".tif", 0.1),
    "prediction .npy": Parser(npy_bytes, array, ".npy", 0.1),
    "YAML config": Parser(TINY.encode, config, ".yaml", 0.1),
    "checkpoint, sealed anew": Parser(checkpoint_bytes, sealed_anew, ".ckpt", 0.1),
    "checkpoint container": Parser(sealed_bytes, container, ".ckpt", 0.1),
    **own_parsers.PARSERS,
    **network_parsers.PARSERS,
}  # fmt: skip
