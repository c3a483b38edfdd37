"""KITTI odometry: numbered sequences, grey or colour stereo, poses for some of them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from selfsup_depth.data.calibration import CalibrationFile, check_principal_point, read_calibration
from selfsup_depth.data.images import ImageFile, first_size
from selfsup_depth.data.layout import Layout, check_root, numbered_files
from selfsup_depth.data.recording import Camera, Frame, Matrix, Recording
from selfsup_depth.data.text_files import parse_numbers, read_lines
from selfsup_depth.data.timestamps import read_times
from selfsup_depth.data.trajectory_files import rigid_motion
from selfsup_depth.errors import DataError

EXPECTED = "sequences/00, sequences/01, ... with image_0 or image_2 in them"
_PAIRS = {"colour": {"l": 2, "r": 3}, "grey": {"l": 0, "r": 1}}


class KittiOdometry(Layout):
    """The sequences of KITTI's odometry benchmark (Geiger et al. 2012).

    Args:
        cameras: "colour" reads image_2 and image_3, "grey" reads image_0 and image_1, "auto"
            takes colour for sequences that have it, else grey.
    """

    def __init__(self, cameras: Literal["auto", "colour", "grey"] = "auto") -> None:
        self.cameras = cameras

    def recordings(self, root: Path) -> list[Recording]:
        """Every sequence under `root`."""
        check_root(root, lambda folder: any(folder.glob("sequences/*/image_[0-3]")), EXPECTED)
        sequences = sorted(folder for folder in (root / "sequences").iterdir() if folder.is_dir())
        return [self._recording(root, sequence) for sequence in sequences]

    def _recording(self, root: Path, sequence: Path) -> Recording:
        numbers = self._camera_numbers(sequence)
        images = {side: numbered_files(sequence / f"image_{number}") for side, number in numbers.items()}
        images = {side: files for side, files in images.items() if files}
        if not images:
            return Recording(sequence.name, {})
        count = max(max(files) for files in images.values()) + 1
        seconds = read_times(sequence / "times.txt", count)
        T_world_from_rig = _read_poses(root / "poses" / f"{sequence.name}.txt", count)
        calibration = read_calibration(sequence / "calib.txt")
        cameras = {
            side: _camera(calibration, f"P{numbers[side]}", files, seconds, T_world_from_rig)
            for side, files in images.items()
        }
        return Recording(sequence.name, cameras)

    def _camera_numbers(self, sequence: Path) -> dict[str, int]:
        """Which two of the four cameras to read."""
        if self.cameras != "auto":
            return _PAIRS[self.cameras]
        has_colour = numbered_files(sequence / f"image_{_PAIRS['colour']['l']}")
        return _PAIRS["colour" if has_colour else "grey"]


def _camera(
    calibration: CalibrationFile,
    key: str,
    images: dict[int, Path],
    seconds: list[float],
    T_world_from_rig: dict[int, Matrix],
) -> Camera:
    K, T_rig_to_camera = calibration.projection(key)
    size = first_size(images.values())
    check_principal_point(K, size, calibration.where(key))
    T_camera_to_rig = np.linalg.inv(T_rig_to_camera)
    frames = {}
    for index, image in images.items():
        pose = T_world_from_rig.get(index)
        T_world_from_camera = None if pose is None else pose @ T_camera_to_rig
        frames[index] = Frame(
            index, ImageFile(image), seconds[index], T_world_from_camera=T_world_from_camera
        )
    return Camera(K, size, T_rig_to_camera, frames)


def _read_poses(path: Path, count: int) -> dict[int, Matrix]:
    """Poses of the left grey camera by frame; sequences from 11 on have none.

    Raises:
        DataError: a line is not twelve numbers of a rigid motion, or there are too few lines.
    """
    if not path.exists():
        return {}
    poses = {}
    for index, (number, line) in enumerate(read_lines(path, "pose file")):
        where = f"{path}:{number}"
        poses[index] = rigid_motion(parse_numbers(line, where, count=12), where)
    if len(poses) < count:
        raise DataError(f"{len(poses)} poses for frames up to {count - 1}, in {path}; restore the file")
    return poses
