"""Writes drives as KITTI raw lays them out (Geiger et al. 2013), and what a simulation knows besides.

DATE/calib_{cam_to_cam,velo_to_cam,imu_to_velo}.txt
DATE/DATE_drive_NNNN_sync/
    image_02|03/data/N.png, timestamps.txt     left and right colour camera
    image_00|01/timestamps.txt                  the grey cameras took no pictures
    oxts/data/N.txt, velodyne_points/data/N.bin and their timestamps
    proj_depth/groundtruth/image_02|03/N.png    metres * 256 in 16 bits, 0 = none or beyond 80 m
    motion/image_02|03/N.png                    255 where a moving object is seen
    occlusion/image_02|03/N.png                 255 where the rig's other camera does not see the point
    poses/image_02.txt                          3x4 T_first_from_camera, row by row, one line a frame
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from selfsup_depth.data.synthetic_trajectory import Array, rotation

MAX_DEPTH = 80.0
CAMERA_NUMBERS = ("02", "03")

_AXES = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])  # velodyne, imu: x forward, y left, z up
_EARTH_RADIUS = 6378137.0  # metres, as the development kit takes it
_LATITUDE, _LONGITUDE, _ALTITUDE = 49.0, 8.43, 115.0


def _rigid(R: Array, t: Iterable[float]) -> Array:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, list(t)
    return T


# The instruments stand about where KITTI's do, each a little askew, so that a reader that
# leaves out a rotation is found out.
_R_RECT = rotation(0.010, 0.004, -0.007)
_T_CAM0_FROM_VELODYNE = _rigid(rotation(-0.004, 0.008, 0.005) @ _AXES, (-0.004, -0.076, -0.272))
_T_VELODYNE_FROM_IMU = _rigid(rotation(0.001, -0.002, 0.012), (-0.81, 0.32, -0.80))
_CAM2_FROM_CAM0 = 0.06  # metres that camera 2 stands to the left of camera 0


@dataclass(frozen=True)
class Rig:
    """The instruments of one day.

    K: (3, 3) intrinsics of all cameras, pixel centres at integers.
    size: (height, width) of their pictures.
    baseline: metres from camera 2 to camera 3.
    """

    K: Array
    size: tuple[int, int]
    baseline: float

    @property
    def T_cam2_from_velodyne(self) -> Array:
        """(4, 4) velodyne to left camera, metres."""
        shift = _rigid(_R_RECT, (_CAM2_FROM_CAM0, 0, 0))
        return np.asarray(shift @ _T_CAM0_FROM_VELODYNE)

    @property
    def T_cam2_from_imu(self) -> Array:
        """(4, 4) inertial unit to left camera, metres."""
        return np.asarray(self.T_cam2_from_velodyne @ _T_VELODYNE_FROM_IMU)


@dataclass(frozen=True)
class CameraFrame:
    """What one camera knows at one moment.

    image: (H, W, 3) uint8 RGB.
    depth: (H, W) metres, infinite for the sky.
    moving: (H, W) bool, a moving object is seen.
    hidden: (H, W) bool, the other camera of the rig does not see the point.
    """

    image: NDArray[np.uint8]
    depth: Array
    moving: NDArray[np.bool_]
    hidden: NDArray[np.bool_]


def write_calibration(day: Path, rig: Rig) -> None:
    """The three calibration files of a day."""
    height, width = rig.size
    shifts = (0.0, rig.baseline, -_CAM2_FROM_CAM0, rig.baseline - _CAM2_FROM_CAM0)
    lines = ["calib_time: 01-Jan-2026 12:00:00", f"corner_dist: {_numbers([0.0995])}"]
    for number, shift in enumerate(shifts):
        P = rig.K @ np.column_stack([np.eye(3), [-shift, 0, 0]])
        values: dict[str, ArrayLike] = {
            "S": [width, height],
            "K": rig.K,
            "D": np.zeros(5),
            "R": np.eye(3),
            "T": [-shift, 0, 0],
        }
        values |= {"S_rect": [width, height], "R_rect": _R_RECT if number == 0 else np.eye(3), "P_rect": P}
        lines += [f"{key}_0{number}: {_numbers(value)}" for key, value in values.items()]
    _write_lines(day / "calib_cam_to_cam.txt", lines)
    for name, T in (("velo_to_cam", _T_CAM0_FROM_VELODYNE), ("imu_to_velo", _T_VELODYNE_FROM_IMU)):
        lines = ["calib_time: 01-Jan-2026 12:00:00", f"R: {_numbers(T[:3, :3])}", f"T: {_numbers(T[:3, 3])}"]
        _write_lines(day / f"calib_{name}.txt", lines)


def write_timestamps(drive: Path, date: str, num_frames: int, interval: float) -> None:
    """Times of every instrument: all are triggered together, `interval` seconds apart."""
    day = date.replace("_", "-")
    clock = [divmod(round(index * interval * 1e9), 10**9) for index in range(num_frames)]
    lines = [f"{day} {12 + s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}.{ns:09d}" for s, ns in clock]
    for name in ("image_00", "image_01", "image_02", "image_03", "oxts", "velodyne_points"):
        _write_lines(drive / name / "timestamps.txt", lines)
    for name in ("timestamps_start", "timestamps_end"):
        _write_lines(drive / "velodyne_points" / f"{name}.txt", lines)


def write_motion(drive: Path, pose: Callable[[float], Array], rig: Rig, seconds: list[float]) -> None:
    """Poses of the left camera, and the packets that the inertial unit would have sent.

    pose: (4, 4) T_world_from_camera at any time; x right, y down, z forward.
    """
    poses = [np.linalg.inv(pose(seconds[0])) @ pose(t) for t in seconds]
    _write_lines(drive / "poses" / "image_02.txt", [_numbers(T[:3]) for T in poses])
    for index, t in enumerate(seconds):
        packet = _oxts_packet(lambda time: _AXES_WORLD @ pose(time) @ rig.T_cam2_from_imu, t)
        _write_lines(drive / "oxts" / "data" / f"{index:010d}.txt", [_numbers(packet[:25]) + " 4 10 4 4 4"])


def write_camera(drive: Path, number: str, index: int, frame: CameraFrame) -> None:
    """Picture, depth and masks of one camera, "02" or "03"."""
    name, camera = f"{index:010d}.png", f"image_{number}"
    depth = np.where(frame.depth <= MAX_DEPTH, np.maximum(np.round(frame.depth * 256), 1), 0)
    _save(drive / camera / "data" / name, frame.image)
    _save(drive / "proj_depth" / "groundtruth" / camera / name, depth.astype(np.uint16))
    _save(drive / "motion" / camera / name, frame.moving * np.uint8(255))
    _save(drive / "occlusion" / camera / name, frame.hidden * np.uint8(255))


def write_scan(drive: Path, index: int, points: Array) -> None:
    """(n, 4) x, y, z in the velodyne's frame, metres, and reflectance."""
    path = drive / "velodyne_points" / "data" / f"{index:010d}.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    points.astype("<f4").tofile(path)


# World x right, y down, z forward -> x east, y north, z up.
_AXES_WORLD = _rigid(_AXES.T, (0, 0, 0))


def _oxts_packet(pose: Callable[[float], Array], t: float) -> list[float]:
    """The first 25 numbers of an oxts packet.

    pose: (4, 4) T_world_from_imu at any time, the world's x east, y north and z up.
    """
    T, step = pose(t), 0.02
    before, after = pose(t - step), pose(t + step)
    R, (east, north, up) = T[:3, :3], T[:3, 3]
    velocity = (after[:3, 3] - before[:3, 3]) / (2 * step)
    acceleration = R.T @ ((after[:3, 3] - 2 * T[:3, 3] + before[:3, 3]) / step**2 + [0, 0, 9.81])
    turn = before[:3, :3].T @ after[:3, :3] / (2 * step)
    rates = [(turn[2, 1] - turn[1, 2]) / 2, (turn[0, 2] - turn[2, 0]) / 2, (turn[1, 0] - turn[0, 1]) / 2]
    # Mercator's projection as the development kit inverts it, scaled for the first latitude.
    scale = np.cos(np.deg2rad(_LATITUDE)) * _EARTH_RADIUS
    mercator = np.log(np.tan(np.deg2rad(90 + _LATITUDE) / 2)) + north / scale
    latitude = np.rad2deg(2 * np.arctan(np.exp(mercator))) - 90
    place = [latitude, _LONGITUDE + np.rad2deg(east / scale), _ALTITUDE + up]
    angles = [np.arctan2(R[2, 1], R[2, 2]), -np.arcsin(R[2, 0]), np.arctan2(R[1, 0], R[0, 0])]
    ahead = R.T @ velocity
    return [
        *place,
        *angles,
        velocity[1],
        velocity[0],
        *ahead,
        *acceleration,
        *acceleration,
        *rates,
        *rates,
        0.05,
        0.02,
    ]


def _numbers(values: ArrayLike) -> str:
    """Numbers with all their digits, so that nothing is lost between what was rendered and what is read."""
    return " ".join(f"{float(value):.17g}" for value in np.ravel(np.asarray(values, dtype=float)))


def _write_lines(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def _save(path: Path, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, compress_level=2)
