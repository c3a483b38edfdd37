"""Tiny data sets on disk, in the layouts that are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (40, 60)  # height, width
FOCAL, CX, CY = 50.0, 28.0, 19.0
BASELINE = 0.5
SPEED = 10.0
DAY = "2020_01_02"
DRIVE = f"{DAY}/{DAY}_drive_0001_sync"


def picture(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """A smooth random photograph."""
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)
    return Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC)


def save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def numbers(values: object) -> str:
    return " ".join(f"{value:.12e}" for value in np.ravel(values))


def projection(baseline: float, focal: float = FOCAL) -> str:
    """A KITTI projection matrix of a camera `baseline` metres to the right."""
    return numbers([[focal, 0, CX, -focal * baseline], [0, focal, CY, 0], [0, 0, 1, 0]])


def cam_to_cam(focal: float = FOCAL, baseline: float = BASELINE) -> str:
    lines = ["calib_time: 09-Jan-2012 13:57:47", "corner_dist: 9.95e-02"]
    for number in range(4):
        lines += [
            f"S_rect_0{number}: {numbers((SIZE[1], SIZE[0]))}",
            f"R_rect_0{number}: {numbers(np.eye(3))}",
            f"P_rect_0{number}: {projection(baseline * (number % 2), focal)}",
        ]
    return "\n".join(lines) + "\n"


def kitti_raw(
    root: Path,
    num_frames: int = 6,
    sides: str = "lr",
    suffix: str = "png",
    oxts: bool = True,
    scans: bool = True,
) -> Path:
    """A drive straight ahead at SPEED, one frame a tenth of a second."""
    day, drive = root / DAY, root / DRIVE
    write(day / "calib_cam_to_cam.txt", cam_to_cam())
    # Camera axes are right, down, forward; the laser's and the inertial unit's forward, left, up.
    rotation = numbers([[0, -1, 0], [0, 0, -1], [1, 0, 0]])
    write(day / "calib_velo_to_cam.txt", f"R: {rotation}\nT: {numbers((0, -0.1, -0.3))}\n")
    write(day / "calib_imu_to_velo.txt", f"R: {numbers(np.eye(3))}\nT: {numbers((-0.8, 0.3, -0.8))}\n")
    for index in range(num_frames):
        for side in sides:
            folder = drive / {"l": "image_02", "r": "image_03"}[side]
            save(picture(index + 100 * (side == "r")), folder / "data" / f"{index:010d}.{suffix}")
        if oxts:
            write_oxts(drive, index)
        if scans:
            write_scan(drive / "velodyne_points" / "data" / f"{index:010d}.bin")
    stamps = "".join(f"2020-01-02 10:00:{i // 10:02d}.{i % 10}00000000\n" for i in range(num_frames))
    for side in sides:
        write(drive / {"l": "image_02", "r": "image_03"}[side] / "timestamps.txt", stamps)
    return root


def write_oxts(drive: Path, index: int, speed: float = SPEED) -> None:
    """The car drives east (yaw 0) along the equator."""
    degrees = np.degrees(index * SPEED / 10 / 6378137.0)
    fields = [0.0, degrees, 100.0, 0, 0, 0, 0, speed, speed, 0, 0] + [0.0] * 14 + [4, 10, 4, 4, 6]
    write(drive / "oxts" / "data" / f"{index:010d}.txt", " ".join(str(field) for field in fields) + "\n")


def write_scan(path: Path) -> None:
    """A wall 8 m ahead of the laser."""
    y, z = np.meshgrid(np.linspace(-4, 4, 60), np.linspace(-2, 2, 20))
    points = np.stack([np.full_like(y, 8.0), y, z, np.ones_like(y)], -1).astype("<f4")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(points.tobytes())


def kitti_odometry(
    root: Path, num_frames: int = 5, keys: tuple[str, ...] = ("P0", "P1"), poses: bool = True
) -> Path:
    sequence = root / "sequences" / "09"
    write(
        sequence / "calib.txt",
        "".join(f"{key}: {projection(BASELINE * (int(key[1]) % 2))}\n" for key in keys),
    )
    for index in range(num_frames):
        for key in keys:
            save(picture(index).convert("L"), sequence / f"image_{key[1]}" / f"{index:06d}.png")
    if poses:
        lines = [numbers(np.column_stack([np.eye(3), (0, 0, 2.0 * index)])) for index in range(num_frames)]
        write(root / "poses" / "09.txt", "\n".join(lines) + "\n")
    return root


def kitti_stereo(root: Path, scenes: tuple[str, ...] = ("000001", "000002"), shared: bool = True) -> Path:
    training = root / "training"
    for number, scene in enumerate(scenes):
        save(picture(number), training / "image_2" / f"{scene}_10.png")
        save(picture(number + 50), training / "image_3" / f"{scene}_10.png")
        disparity = np.zeros(SIZE, np.uint16)
        disparity[10:20, 10:20] = 5 * 256
        save(Image.fromarray(disparity), training / "disp_noc_0" / f"{scene}_10.png")
        if not shared:
            write(training / "calib_cam_to_cam" / f"{scene}.txt", cam_to_cam(focal=FOCAL + number))
    if shared:
        write(root / "calib_cam_to_cam.txt", cam_to_cam())
    return root


def plain_pairs(root: Path, num_pairs: int = 3) -> Path:
    for number in range(num_pairs):
        save(picture(number), root / "left" / f"pair{number}.png")
        save(picture(number + 50), root / "right" / f"pair{number}.png")
    write(root / "camera.yaml", f"focal: {FOCAL}\ncx: {CX}\ncy: {CY}\nbaseline: {BASELINE}\n")
    return root
