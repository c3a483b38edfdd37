"""Trajectories as text: KITTI's twelve numbers a line, the same after a frame number, and TUM's eight."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from selfsup_depth.data.calibration import check_rotation
from selfsup_depth.data.recording import Frame, Matrix
from selfsup_depth.data.text_files import parse_numbers, read_lines
from selfsup_depth.errors import DataError
from selfsup_depth.structures import Trajectory

KITTI_NUMBERS = 12
TUM_NUMBERS = 8

# How far a stored rotation may be from one: files carry six digits and more.
ROTATION_TOLERANCE = 1e-3

# Metres: beyond the earth, and far from what would overflow.
MAX_POSITION = 1e9


def read_trajectory(path: Path) -> Trajectory:
    """Read a trajectory; the number of words in its first line says which format it has.

    12: the upper three rows of T_world_from_camera, one line a frame from frame 0 on (KITTI).
    13: the same after the frame's number, for files with gaps.
    8: seconds, position, quaternion x y z w (TUM); lines that begin with # are comments.

    Raises:
        DataError: a line is in none of these formats, no rigid motion, or out of order.
    """
    lines = [(number, line) for number, line in read_lines(path, "trajectory") if not line.startswith("#")]
    if not lines:
        raise DataError(f"no pose, in {path}; give a trajectory in KITTI's or TUM's format")
    count = len(lines[0][1].split())
    if count not in (KITTI_NUMBERS, KITTI_NUMBERS + 1, TUM_NUMBERS):
        raise DataError(f"{count} numbers, in {path}:{lines[0][0]}; a line has 12 or 13 (KITTI) or 8 (TUM)")
    read_pose = _pose_of_quaternion if count == TUM_NUMBERS else rigid_motion
    keys: list[float] = []
    poses = []
    for number, line in lines:
        where = f"{path}:{number}"
        numbers = parse_numbers(line, where, count)
        keys.append(float(len(keys)) if count == KITTI_NUMBERS else numbers.pop(0))
        if len(keys) > 1 and keys[-1] <= keys[-2]:
            raise DataError(f"{keys[-1]:g} does not come after {keys[-2]:g}, in {where}; sort the lines")
        poses.append(read_pose(numbers, where))
    keyed_by: Literal["frame", "second"] = "second" if count == TUM_NUMBERS else "frame"
    return Trajectory(np.array(keys), np.stack(poses), keyed_by)


def trajectory_of(frames: Mapping[int, Frame]) -> Trajectory:
    """The path that a recording knows of one of its cameras, by frame number.

    Raises:
        DataError: none of the frames has a pose.
    """
    posed = {
        number: frame.T_world_from_camera
        for number, frame in sorted(frames.items())
        if frame.T_world_from_camera is not None
    }
    if not posed:
        raise DataError("no frame has a pose; choose a recording with poses")
    return Trajectory(np.array(list(posed), dtype=float), np.stack(list(posed.values())), "frame")


def kitti_text(trajectory: Trajectory) -> str:
    """Twelve numbers a frame; after the frame's number where frames are missing."""
    complete = np.array_equal(trajectory.keys, np.arange(len(trajectory.keys)))
    lines = []
    for key, T in zip(trajectory.keys, trajectory.T_world_from_camera, strict=True):
        numbers = " ".join(f"{value:.9e}" for value in T[:3].ravel())
        lines.append(numbers if complete else f"{int(key)} {numbers}")
    return "\n".join(lines) + "\n"


def tum_text(trajectory: Trajectory) -> str:
    """Key, position and quaternion x y z w of every frame."""
    lines = [f"# {trajectory.keyed_by} tx ty tz qx qy qz qw"]
    for key, T in zip(trajectory.keys, trajectory.T_world_from_camera, strict=True):
        numbers = [*T[:3, 3], *_quaternion(T[:3, :3])]
        lines.append(f"{key:.6f} " + " ".join(f"{value:.9f}" for value in numbers))
    return "\n".join(lines) + "\n"


def rigid_motion(numbers: list[float], where: str) -> Matrix:
    """A pose from the twelve numbers of its upper three rows.

    Raises:
        DataError: they are no rigid motion.
    """
    T = np.eye(4)
    T[:3] = np.reshape(numbers, (3, 4))
    check_rotation(T[:3, :3], where)
    _check_position(T[:3, 3], where)
    return T


def _pose_of_quaternion(numbers: list[float], where: str) -> Matrix:
    """Raises: DataError: the quaternion is not of length 1, or the place is nowhere."""
    x, y, z, w = numbers[3:]
    length = math.hypot(*numbers[3:])
    if abs(length - 1) > ROTATION_TOLERANCE:
        raise DataError(f"a quaternion of length {length:.3g}, in {where}; its length must be 1")
    x, y, z, w = (value / length for value in (x, y, z, w))
    T = np.eye(4)
    T[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    T[:3, 3] = numbers[:3]
    _check_position(T[:3, 3], where)
    return T


def _check_position(position: Matrix, where: str) -> None:
    if not (np.abs(position) < MAX_POSITION).all():
        raise DataError(f"a place farther than {MAX_POSITION:g} m away, in {where}; restore the file")


def _quaternion(R: Matrix) -> list[float]:
    """x y z w of a rotation: the eigenvector of Bar-Itzhack's matrix, sound at every angle."""
    (a, b, c), (d, e, f), (g, h, i) = R
    symmetric = np.array(
        [
            [a - e - i, d + b, g + c, h - f],
            [d + b, e - a - i, h + f, c - g],
            [g + c, h + f, i - a - e, d - b],
            [h - f, c - g, d - b, a + e + i],
        ]
    )
    vector = np.linalg.eigh(symmetric / 3)[1][:, -1]
    return [float(value) for value in vector * (np.sign(vector[3]) or 1)]
