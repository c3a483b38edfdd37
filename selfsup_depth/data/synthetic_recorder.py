"""Records a synthetic drive with all instruments of a rig."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from selfsup_depth.data.kitti_raw_writer import MAX_DEPTH, CameraFrame, Rig, write_camera, write_scan
from selfsup_depth.data.synthetic_options import SyntheticOptions
from selfsup_depth.data.synthetic_render import World, photograph, scan
from selfsup_depth.data.synthetic_sensor import Pinhole, Scanner
from selfsup_depth.data.synthetic_trajectory import FRAME_SECONDS, Array
from selfsup_depth.data.synthetic_world import DriveWorld

# Scanner axes: x right, y down, z forward; velodyne axes: x forward, y left, z up.
_T_VELODYNE_FROM_SCANNER = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


def rig_of(options: SyntheticOptions, number: int) -> Rig:
    """One of the rigs that the options ask for, its cameras' principal point in the middle."""
    height, width = options.size(number)
    focal = options.focal_lengths[number] * width
    K = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])
    return Rig(K, (height, width), options.baseline)


@dataclass(frozen=True)
class Recorder:
    """Photographs and scans a world frame by frame.

    world: of the drive.
    rig: the instruments.
    lighting_change: amplitude of the exposure's change.
    """

    world: DriveWorld
    rig: Rig
    lighting_change: float

    def record(self, drive: Path, index: int) -> None:
        """Write one frame of every instrument but the inertial unit into a drive's folder."""
        seconds = index * FRAME_SECONDS
        world, T_left = self.world.at(seconds), self.world.trajectory.pose(seconds)
        T_left_from_right = np.eye(4)
        T_left_from_right[0, 3] = self.rig.baseline
        camera = Pinhole(self.rig.K, *self.rig.size)
        left, right = (photograph(camera, T, world) for T in (T_left, T_left @ T_left_from_right))
        gain = 1 + self.lighting_change * np.sin(2 * np.pi * (seconds / 2.3 + self.world.phase))
        disparity = self.rig.baseline * self.rig.K[0, 0]  # of a point at 1 m, pixels
        for number, view, other, sign in (("02", left, right, 1), ("03", right, left, -1)):
            frame = CameraFrame(
                image=(view.colours * gain).clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy(),
                depth=(1 / view.inverse_depth.double()).numpy(),
                moving=(view.mover > 0).numpy(),
                hidden=hidden(view.inverse_depth, other.inverse_depth, sign * disparity).numpy(),
            )
            write_camera(drive, number, index, frame)
        write_scan(drive, index, self._scan(world, T_left))

    def _scan(self, world: World, T_world_from_camera: Array) -> Array:
        """(n, 4) points in the velodyne's frame, of the sector that the cameras see."""
        half_view = np.arctan(self.rig.size[1] / 2 / self.rig.K[0, 0])
        T = T_world_from_camera @ self.rig.T_cam2_from_velodyne @ _T_VELODYNE_FROM_SCANNER
        points = scan(Scanner(half_view + np.deg2rad(5)), T, world, MAX_DEPTH)
        points[:, :3] = points[:, :3] @ _T_VELODYNE_FROM_SCANNER[:3, :3].T
        return points


def hidden(inverse_depth: Tensor, other: Tensor, disparity_per_inverse_depth: float) -> Tensor:
    """Where a rectified camera sees points that the other one does not.

    Args:
        inverse_depth: (H, W) of the camera, 1/m, 0 for the sky.
        other: (H, W) of the other one.
        disparity_per_inverse_depth: focal length times baseline, negative if the other camera
            stands to the left.

    Returns:
        (H, W) bool: the point lies outside the other picture, or behind what that one shows
        there. Right but for the pixels along the outline of what is in front.
    """
    width = inverse_depth.shape[1]
    column = torch.arange(width) - disparity_per_inverse_depth * inverse_depth
    outside = (column < -0.5) | (column > width - 0.5)
    column = column.clamp(0, width - 1)
    left = column.floor().clamp(max=width - 2).long()
    shown = other.gather(1, left).lerp(other.gather(1, left + 1), column - left)
    return outside | (shown > inverse_depth * 1.03 + 1e-3)
