"""KITTI stereo 2015: single pairs with disparity."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from selfsup_depth.data.calibration import CalibrationFile, check_principal_point, read_calibration
from selfsup_depth.data.depth_files import DisparityPng
from selfsup_depth.data.images import ImageFile, first_size
from selfsup_depth.data.moving_masks import MovingMask
from selfsup_depth.data.recording import Camera, Frame, Recording
from selfsup_depth.data.timestamps import NOMINAL_FRAMES_PER_SECOND
from selfsup_depth.errors import DataError

Disparity = Literal["non_occluded", "occluded"]

_SIDES = {"l": ("image_2", "P_rect_02"), "r": ("image_3", "P_rect_03")}
_NAME = re.compile(r"(\d+)_(\d+)", re.ASCII)


def is_kitti_stereo(folder: Path) -> bool:
    """Whether a folder is the root of the data set."""
    return (folder / "training" / "image_2").is_dir()


def kitti_pairs(
    root: Path, disparity: Disparity, pictures: Callable[[Path], dict[str, Path]]
) -> list[Recording]:
    """Every scene of the training part (Menze and Geiger 2015).

    Args:
        root: the data set.
        disparity: which of its maps is the measured depth.
        pictures: photographs of a folder by name without suffix.
    """
    training = root / "training"
    scenes: dict[str, dict[str, dict[int, Path]]] = {}
    for side, (folder, _) in _SIDES.items():
        for name, image in pictures(training / folder).items():
            if match := _NAME.fullmatch(name):
                scenes.setdefault(match[1], {}).setdefault(side, {})[int(match[2])] = image
    shared = _shared_calibration(root)
    recordings = []
    for scene, images in sorted(scenes.items()):
        calibration = shared or read_calibration(training / "calib_cam_to_cam" / f"{scene}.txt")
        maps = training / ("disp_noc_0" if disparity == "non_occluded" else "disp_occ_0")
        recordings.append(Recording(scene, _cameras(maps, disparity, calibration, images)))
    return recordings


def _cameras(
    maps: Path, disparity: Disparity, calibration: CalibrationFile, images: dict[str, dict[int, Path]]
) -> dict[str, Camera]:
    projections = {side: calibration.projection(key) for side, (_, key) in _SIDES.items()}
    baseline = float(projections["l"][1][0, 3] - projections["r"][1][0, 3])
    # An image that cannot be opened is as large as the others until it is looked at.
    everything = [path for both in images.values() for path in both.values()]
    cameras = {}
    for side, files in images.items():
        K, T_rig_to_camera = projections[side]
        frames = {}
        for index, image in sorted(files.items()):
            file = maps / f"{image.stem}.png"
            measured, moving = None, None
            if side == "l" and file.exists():
                measured = DisparityPng(file, float(K[0, 0]), baseline, disparity)
                objects = maps.parent / "obj_map" / file.name
                moving = MovingMask(objects) if objects.exists() else None
            seconds = index / NOMINAL_FRAMES_PER_SECOND
            frames[index] = Frame(index, ImageFile(image), seconds, measured=measured, moving=moving)
        size = first_size([*files.values(), *everything])
        check_principal_point(K, size, calibration.where(_SIDES[side][1]))
        cameras[side] = Camera(K, size, T_rig_to_camera, frames)
    return cameras


def _shared_calibration(root: Path) -> CalibrationFile | None:
    """The one calibration file for all pairs, if there is one."""
    files = sorted(root.glob("calib_cam_to_cam*.txt"))
    if len(files) > 1:
        raise DataError(f"{files[0].name} and {files[1].name} are both for all pairs, in {root}; keep one")
    return read_calibration(files[0]) if files else None
