"""KITTI raw: folders by day and drive, calibration by day, colour cameras 2 (left) and 3.

With kitti_oxts.py alone it knows pykitti, which builds motions and decodes positions. Files are read by
us, because pykitti takes a negative focal length or an empty packet as it is, and wants every
sensor of a drive to be there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pykitti

from selfsup_depth.data.calibration import MAX_METRES, check_principal_point, read_calibration
from selfsup_depth.data.depth_files import DepthPng, annotated_folders
from selfsup_depth.data.images import ImageFile, first_size
from selfsup_depth.data.kitti_oxts import UNKNOWN, Packet, read_packets
from selfsup_depth.data.layout import Layout, check_root, numbered_files
from selfsup_depth.data.moving_masks import MovingMask
from selfsup_depth.data.recording import Camera, DepthSource, Frame, Matrix, Recording
from selfsup_depth.data.timestamps import read_timestamps
from selfsup_depth.data.velodyne import DepthOfPoint, VelodyneDepth
from selfsup_depth.errors import DataError

CAMERA_NUMBERS = {"l": "02", "r": "03"}
_DRIVES = "????_??_??/????_??_??_drive_*_*"
_EXPECTED = "days such as 2011_09_26 with drives such as 2011_09_26_drive_0013_sync in them"


class KittiRaw(Layout):
    """KITTI raw data, synchronised and rectified (Geiger et al. 2013).

    Args:
        measured: where measured depth comes from: "velodyne" projects the laser's points,
            "annotated" reads the depth maps of KITTI's depth benchmark (proj_depth/groundtruth),
            "auto" takes the annotated maps for drives that have them, else the laser.
        velodyne_depth: what the depth of a laser point is: "camera_z" is z in the camera,
            "velodyne_forward_x" is x of the laser, as some published Eigen numbers use.
        annotated_root: folder of the depth benchmark (its train/ and val/), if it is neither
            in the drives' own folders nor under the root.
    """

    def __init__(
        self,
        measured: Literal["auto", "velodyne", "annotated"] = "auto",
        velodyne_depth: DepthOfPoint = "camera_z",
        annotated_root: Path | None = None,
    ) -> None:
        self.measured = measured
        self.velodyne_depth = velodyne_depth
        self.annotated_root = annotated_root

    def recordings(self, root: Path) -> list[Recording]:
        """Every drive under `root`."""
        check_root(root, lambda folder: any(folder.glob(_DRIVES)), _EXPECTED)
        drives = sorted(folder for folder in root.glob(_DRIVES) if folder.is_dir())
        days = {day: _Day.read(day) for day in {drive.parent for drive in drives}}
        return [self._recording(root, drive, days[drive.parent]) for drive in drives]

    def _recording(self, root: Path, drive: Path, day: _Day) -> Recording:
        packets = read_packets(drive / "oxts" / "data")
        cameras = {}
        for side, number in CAMERA_NUMBERS.items():
            if images := numbered_files(drive / f"image_{number}" / "data"):
                cameras[side] = self._camera(root, drive, day.cameras[side], images, packets)
        return Recording(f"{drive.parent.name}/{drive.name}", cameras)

    def _camera(
        self,
        root: Path,
        drive: Path,
        calibrated: _CalibratedCamera,
        images: dict[int, Path],
        packets: dict[int, Packet],
    ) -> Camera:
        calibrated.check_size(images.values())
        seconds = read_timestamps(drive / f"image_{calibrated.number}" / "timestamps.txt", max(images) + 1)
        measured = self._measured(root, drive, calibrated)
        # Synthetic drives know what moves.
        masks = numbered_files(drive / "motion" / f"image_{calibrated.number}", (".png",))
        moving = {index: MovingMask(path) for index, path in masks.items()}
        T_imu_from_camera = np.linalg.inv(calibrated.T_camera_from_imu)
        frames = {}
        for index, image in images.items():
            packet = packets.get(index, UNKNOWN)
            pose = None if packet.T_world_from_imu is None else packet.T_world_from_imu @ T_imu_from_camera
            frames[index] = Frame(
                index,
                ImageFile(image),
                seconds[index],
                packet.speed,
                pose,
                measured.get(index),
                moving.get(index),
            )
        return Camera(calibrated.K, calibrated.size, calibrated.T_rig_to_camera, frames)

    def _measured(self, root: Path, drive: Path, calibrated: _CalibratedCamera) -> dict[int, DepthSource]:
        if self.measured != "velodyne":
            benchmarks = [root, root / "data_depth_annotated"]
            if self.annotated_root is not None:
                benchmarks.insert(0, self.annotated_root)
            for folder in annotated_folders(drive, calibrated.number, benchmarks):
                if maps := numbered_files(folder, (".png",)):
                    return {index: DepthPng(path) for index, path in maps.items()}
        if self.measured == "annotated":
            return {}
        scans = numbered_files(drive / "velodyne_points" / "data", (".bin",))
        P, size = calibrated.P_velodyne_to_image, calibrated.size
        return {index: VelodyneDepth(scan, P, size, self.velodyne_depth) for index, scan in scans.items()}


@dataclass(frozen=True, eq=False)
class _CalibratedCamera:
    number: str
    K: Matrix
    size: tuple[int, int]
    T_rig_to_camera: Matrix
    P_velodyne_to_image: Matrix
    T_camera_from_imu: Matrix
    where: str

    def check_size(self, images: Collection[Path]) -> None:
        """Refuse images of another size than the calibration's: K would be of other pixels."""
        if (found := first_size(images)) != self.size:
            raise DataError(
                f"images are {found[1]}x{found[0]}, but {self.where} is for {self.size[1]}x{self.size[0]}, "
                f"in {next(iter(images)).parent}; give the images as KITTI has them, they are resized here"
            )


@dataclass(frozen=True)
class _Day:
    cameras: dict[str, _CalibratedCamera]

    @classmethod
    def read(cls, day: Path) -> _Day:
        """Calibration of a recording day."""
        rectified = read_calibration(day / "calib_cam_to_cam.txt")
        T_rectify = pykitti.utils.transform_from_rot_trans(rectified.rotation("R_rect_00"), np.zeros(3))
        T_rig_from_velodyne = T_rectify @ _read_rigid(day / "calib_velo_to_cam.txt")
        T_velodyne_from_imu = _read_rigid(day / "calib_imu_to_velo.txt")
        cameras = {}
        for side, number in CAMERA_NUMBERS.items():
            key = f"P_rect_{number}"
            K, T_rig_to_camera = rectified.projection(key)
            size = rectified.size(f"S_rect_{number}")
            check_principal_point(K, size, rectified.where(key))
            T_camera_from_velodyne = T_rig_to_camera @ T_rig_from_velodyne
            cameras[side] = _CalibratedCamera(
                number=number,
                K=K,
                size=size,
                T_rig_to_camera=T_rig_to_camera,
                P_velodyne_to_image=K @ T_camera_from_velodyne[:3],
                T_camera_from_imu=T_camera_from_velodyne @ T_velodyne_from_imu,
                where=rectified.where(key),
            )
        return cls(cameras)


def _read_rigid(path: Path) -> Matrix:
    """The rigid motion (4, 4) of a calibration file."""
    rigid = read_calibration(path)
    T: Matrix = pykitti.utils.transform_from_rot_trans(rigid.rotation("R"), rigid.array("T", 3))
    if not (np.abs(T[:3, 3]) < MAX_METRES).all():
        raise DataError(f"the sensors stand too far apart, in {rigid.where('T')}; restore the file")
    return T
