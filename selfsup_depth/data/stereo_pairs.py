"""Rectified stereo pairs: KITTI stereo 2015, or two plain folders left/ and right/."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import numpy as np

from selfsup_depth.data.calibration import (
    CalibrationFile,
    check_intrinsics,
    check_principal_point,
    read_calibration,
)
from selfsup_depth.data.depth_files import DisparityPng
from selfsup_depth.data.images import PHOTOGRAPH_SUFFIXES, ImageFile, first_size
from selfsup_depth.data.layout import Layout, by_one_name, check_root
from selfsup_depth.data.recording import Camera, Frame, Matrix, Recording
from selfsup_depth.data.timestamps import NOMINAL_FRAMES_PER_SECOND
from selfsup_depth.errors import ConfigError, DataError

_KITTI_SIDES = {"l": ("image_2", "P_rect_02"), "r": ("image_3", "P_rect_03")}
_KITTI_NAME = re.compile(r"(\d+)_(\d+)", re.ASCII)
_PLAIN_SIDES = {"l": "left", "r": "right"}
_EXPECTED = "training/image_2 and training/image_3 (KITTI stereo 2015), or left/ and right/"


class StereoPairs(Layout):
    """Rectified stereo pairs, each a recording of its own.

    KITTI stereo 2015 (Menze and Geiger 2015): training/image_2 and image_3 with disparities in
    training/disp_noc_0 or disp_occ_0; the calibration is training/calib_cam_to_cam/NUMBER.txt
    for each pair, or one calib_cam_to_cam*.txt under the root for all. Its frames are 10 and
    11, a tenth of a second apart.

    Plain folders: left/NAME and right/NAME, frame 0; the camera is given by the options or by
    lines "focal: NUMBER", "cx: ...", "cy: ...", "baseline: ..." in camera.yaml or camera.txt.

    Args:
        disparity: which of KITTI's disparity maps is the measured depth: "non_occluded" of
            pixels that both cameras see, "occluded" of all.
        focal: focal length of plain pairs, pixels of the stored images.
        cx: column of the principal point; not given, the image's centre.
        cy: row of the principal point; not given, the image's centre.
        baseline: distance of the two cameras of plain pairs, metres.
    """

    def __init__(
        self,
        disparity: Literal["non_occluded", "occluded"] = "non_occluded",
        focal: float | None = None,
        cx: float | None = None,
        cy: float | None = None,
        baseline: float | None = None,
    ) -> None:
        self.disparity = disparity
        self.camera = {"focal": focal, "cx": cx, "cy": cy, "baseline": baseline}

    def recordings(self, root: Path) -> list[Recording]:
        """Every pair, also where the right image is missing."""
        check_root(root, lambda folder: _is_kitti(folder) or _is_plain(folder), _EXPECTED)
        return self._kitti(root) if _is_kitti(root) else self._plain(root)

    def _kitti(self, root: Path) -> list[Recording]:
        training = root / "training"
        scenes: dict[str, dict[str, dict[int, Path]]] = {}
        for side, (folder, _) in _KITTI_SIDES.items():
            for name, image in _pictures(training / folder).items():
                if match := _KITTI_NAME.fullmatch(name):
                    scenes.setdefault(match[1], {}).setdefault(side, {})[int(match[2])] = image
        shared = _shared_calibration(root)
        recordings = []
        for scene, images in sorted(scenes.items()):
            calibration = shared or read_calibration(training / "calib_cam_to_cam" / f"{scene}.txt")
            recordings.append(Recording(scene, self._kitti_cameras(training, calibration, images)))
        return recordings

    def _kitti_cameras(
        self, training: Path, calibration: CalibrationFile, images: dict[str, dict[int, Path]]
    ) -> dict[str, Camera]:
        projections = {side: calibration.projection(key) for side, (_, key) in _KITTI_SIDES.items()}
        baseline = float(projections["l"][1][0, 3] - projections["r"][1][0, 3])
        maps = training / ("disp_noc_0" if self.disparity == "non_occluded" else "disp_occ_0")
        cameras = {}
        for side, files in images.items():
            K, T_rig_to_camera = projections[side]
            frames = {}
            for index, image in sorted(files.items()):
                disparity = maps / f"{image.stem}.png"
                measured = None
                if side == "l" and disparity.exists():
                    measured = DisparityPng(disparity, float(K[0, 0]), baseline, self.disparity)
                frames[index] = Frame(
                    index, ImageFile(image), index / NOMINAL_FRAMES_PER_SECOND, measured=measured
                )
            where = calibration.where(_KITTI_SIDES[side][1])
            # An image that cannot be opened is as large as the others until it is looked at.
            others = [path for both in images.values() for path in both.values()]
            size = first_size([*files.values(), *others])
            cameras[side] = _camera(K, size, T_rig_to_camera, frames, where)
        return cameras

    def _plain(self, root: Path) -> list[Recording]:
        images = {side: _pictures(root / folder) for side, folder in _PLAIN_SIDES.items()}
        given, where = self._plain_camera(root)
        recordings = []
        for name in sorted(images["l"].keys() | images["r"].keys()):
            cameras = {}
            for side, files in images.items():
                if name in files:
                    others = [both[name] for both in images.values() if name in both]
                    size = first_size([files[name], *others])
                    K = _plain_intrinsics(given, size)
                    T_rig_to_camera = np.eye(4)
                    T_rig_to_camera[0, 3] = -given["baseline"] if side == "r" else 0.0
                    frames: dict[int, Frame] = {0: Frame(0, ImageFile(files[name]), 0.0)}
                    cameras[side] = _camera(K, size, T_rig_to_camera, frames, where)
            recordings.append(Recording(name, cameras))
        return recordings

    def _plain_camera(self, root: Path) -> tuple[dict[str, float], str]:
        """Focal, cx, cy and baseline from the camera file, overruled by the options; and where from."""
        found: dict[str, float] = {}
        where = "the options of the layout"
        path = next((root / name for name in ("camera.yaml", "camera.txt") if (root / name).exists()), None)
        if path is not None:
            calibration = read_calibration(path)
            found = {key: float(calibration.array(key, 1)[0]) for key in calibration.values}
            where = str(path)
            if unknown := found.keys() - self.camera.keys():
                known = ", ".join(self.camera)
                raise DataError(f"unknown {', '.join(sorted(unknown))}, in {path}; known are {known}")
        found |= {key: value for key, value in self.camera.items() if value is not None}
        for key in ("focal", "baseline"):
            if key not in found:
                raise ConfigError(
                    f"the {key} of these pairs is not known, in {root}; "
                    f"write a camera.yaml there or give --data.layout.init_args.{key}"
                )
        return found, where


def _is_kitti(folder: Path) -> bool:
    return (folder / "training" / "image_2").is_dir()


def _is_plain(folder: Path) -> bool:
    return (folder / "left").is_dir() and (folder / "right").is_dir()


def _pictures(folder: Path) -> dict[str, Path]:
    """Photographs of a folder by name without suffix."""
    files = sorted(folder.iterdir()) if folder.is_dir() else ()
    return by_one_name((path.stem, path) for path in files if path.suffix.lower() in PHOTOGRAPH_SUFFIXES)


def _shared_calibration(root: Path) -> CalibrationFile | None:
    """The one calibration file for all pairs, if there is one."""
    files = sorted(root.glob("calib_cam_to_cam*.txt"))
    if len(files) > 1:
        raise DataError(f"{files[0].name} and {files[1].name} are both for all pairs, in {root}; keep one")
    return read_calibration(files[0]) if files else None


def _plain_intrinsics(given: dict[str, float], size: tuple[int, int]) -> Matrix:
    height, width = size
    cx, cy = given.get("cx", (width - 1) / 2), given.get("cy", (height - 1) / 2)
    return np.array([[given["focal"], 0, cx], [0, given["focal"], cy], [0, 0, 1]])


def _camera(
    K: Matrix, size: tuple[int, int], T_rig_to_camera: Matrix, frames: dict[int, Frame], where: str
) -> Camera:
    check_intrinsics(K, where)
    check_principal_point(K, size, where)
    return Camera(K, size, T_rig_to_camera, frames)
