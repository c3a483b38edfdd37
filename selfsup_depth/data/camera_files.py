"""Intrinsics from files beside the images: camera.yaml, a KITTI calibration, or COLMAP's cameras.txt.

The nearest folder that has one of them counts. Two in one folder must agree.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from selfsup_depth.data.calibration import (
    check_intrinsics,
    check_principal_point,
    image_size,
    read_calibration,
)
from selfsup_depth.data.intrinsics import UNKNOWN_INTRINSICS
from selfsup_depth.data.recording import Matrix
from selfsup_depth.data.text_files import parse_numbers, read_lines
from selfsup_depth.errors import DataError
from selfsup_depth.geometry.camera import resize_intrinsics
from selfsup_depth.suggestions import did_you_mean

_CAMERA_KEYS = ("focal", "fx", "fy", "cx", "cy", "width", "height")
# COLMAP's models without distortion: how many focal lengths each has.
_COLMAP_MODELS = {"SIMPLE_PINHOLE": 1, "PINHOLE": 2}
# Sides of an image that was resized to whole pixels differ by less than this from their share.
_SAME_SHAPE = 0.01


class StatedCamera(NamedTuple):
    """Intrinsics as a file states them.

    K: (3, 3) pixels.
    size: height and width of the images that they are for, None = not said.
    where: FILE:LINE.
    """

    K: Matrix
    size: tuple[int, int] | None
    where: str

    def for_images(self, size: tuple[int, int], rotation: int = 0) -> Matrix:
        """The intrinsics of images of this size.

        Args:
            size: height and width of the upright images.
            rotation: degrees by which stored images were turned anticlockwise to stand upright;
                a file that is for the stored ones is turned with them.

        Raises:
            DataError: the file is for images of another shape, or K is none.
        """
        K, of = self.K, self.size or size
        if rotation % 180 and of == size[::-1] != size:
            K, of = turned_intrinsics(K, of, rotation), size
        if abs(of[0] * size[1] / (of[1] * size[0]) - 1) > _SAME_SHAPE:
            what = f"images are {size[1]}x{size[0]}, the camera is for {of[1]}x{of[0]}"
            raise DataError(f"{what}, in {self.where}; give the camera of the images as they are stored")
        check_intrinsics(K, self.where)
        check_principal_point(K, of, self.where)
        return K if of == size else resize_intrinsics(torch.from_numpy(K), of, size).numpy()


def turned_intrinsics(K: Matrix, size: tuple[int, int], rotation: int) -> Matrix:
    """Intrinsics of an image that was turned anticlockwise by 90 or 270 degrees.

    Args:
        K: (3, 3) of the image before.
        size: its height and width.
        rotation: 90 or 270.
    """
    (fx, _, cx), (_, fy, cy), _ = K.tolist()
    height, width = size
    centre = (cy, width - 1 - cx) if rotation % 360 == 90 else (height - 1 - cy, cx)
    return np.array([[fy, 0, centre[0]], [0, fx, centre[1]], [0, 0, 1]])


def find_intrinsics(
    folders: Iterable[Path], size: tuple[int, int], rotation: int = 0, prefix: str = ""
) -> Matrix:
    """Intrinsics from the first of the folders that has a camera file; NaN if none has.

    Args:
        folders: nearest first.
        size: height and width of the upright images.
        rotation: see `StatedCamera.for_images`.
        prefix: before the files' names, for one of several videos in a folder.

    Raises:
        DataError: a file cannot be used, or two in one folder disagree.
    """
    for folder in folders:
        found = [
            (stated, stated.for_images(size, rotation))
            for name, read in _READERS.items()
            if (folder / (prefix + name)).exists()
            for stated in [read(folder / (prefix + name))]
        ]
        for stated, K in found[1:]:
            if not np.allclose(K, found[0][1], rtol=1e-3, atol=0.5):
                raise DataError(
                    f"intrinsics disagree with those of {found[0][0].where}, in {stated.where}; keep one"
                )
        if found:
            return found[0][1]
    return UNKNOWN_INTRINSICS


def _read_camera_yaml(path: Path) -> StatedCamera:
    """Lines "fx: NUMBER" and so on, pixel centres at integers; cx and cy may be left out."""
    file = read_calibration(path)
    if any(file.values.pop("distortion", ())):
        raise DataError(f"the lens distorts, in {path}; undistort first: selfsup-depth data undistort")
    for key in file.values:
        if key not in _CAMERA_KEYS:
            raise DataError(f"unknown {key}, in {file.where(key)}; {did_you_mean(key, _CAMERA_KEYS)}")
    stated = {key: float(file.array(key, 1)[0]) for key in file.values}
    for key in ("width", "height"):
        if key not in stated:
            raise DataError(f"no {key}, in {path}; say the size of the images that the camera is for")
    fx = stated.get("fx", stated.get("focal"))
    if fx is None or ("focal" in stated and "fx" in stated):
        raise DataError(f"no fx, or focal beside it, in {path}; write fx and fy, or focal for both")
    height, width = image_size(stated["width"], stated["height"], file.where("width"))
    cx, cy = stated.get("cx", (width - 1) / 2), stated.get("cy", (height - 1) / 2)
    K = np.array([[fx, 0, cx], [0, stated.get("fy", fx), cy], [0, 0, 1]])
    return StatedCamera(K, (height, width), str(path))


def _read_kitti(path: Path) -> StatedCamera:
    """The left colour camera of a KITTI calibration, else the left grey one."""
    file = read_calibration(path)
    key = next((key for key in ("P_rect_02", "P2", "P_rect_00", "P0") if key in file.values), "P2")
    K, _ = file.projection(key)
    size_key = key.replace("P_rect", "S_rect")
    if size_key == key or size_key not in file.values:
        return StatedCamera(K, None, file.where(key))
    return StatedCamera(K, file.size(size_key), file.where(key))


def _read_colmap(path: Path) -> StatedCamera:
    """The one camera of COLMAP's text model; its first pixel's centre is at (0.5, 0.5)."""
    lines = [(number, line) for number, line in read_lines(path, "camera list") if not line.startswith("#")]
    if len(lines) != 1:
        raise DataError(f"{len(lines)} cameras, not one, in {path}; put each camera's images in a folder")
    number, line = lines[0]
    where, words = f"{path}:{number}", line.split()
    if len(words) < 2 or words[1] not in _COLMAP_MODELS:
        model, known = (words[1] if len(words) > 1 else line)[:40], " or ".join(_COLMAP_MODELS)
        raise DataError(f"camera model {model} is not {known}, in {where}; undistort the images first")
    num_focals = _COLMAP_MODELS[words[1]]
    width, height, *focals, cx, cy = parse_numbers(" ".join(words[2:]), where, count=4 + num_focals)
    K = np.array([[focals[0], 0, cx - 0.5], [0, focals[-1], cy - 0.5], [0, 0, 1]])
    return StatedCamera(K, image_size(width, height, where), where)


_READERS = {
    "camera.yaml": _read_camera_yaml,
    "calib.txt": _read_kitti,
    "calib_cam_to_cam.txt": _read_kitti,
    "cameras.txt": _read_colmap,
}


def read_camera_file(path: Path) -> StatedCamera:
    """Intrinsics from a file of any name: camera.yaml's format by its ending, else as it looks.

    Raises:
        DataError: it cannot be used.
    """
    reader = _READERS.get(path.name)
    if reader is None and path.suffix.lower() in (".yaml", ".yml"):
        reader = _read_camera_yaml
    if reader is not None:
        return reader(path)
    lines = [line for _, line in read_lines(path, "camera file") if not line.startswith("#")]
    if len(lines) == len(UNKNOWN_INTRINSICS) and not any(":" in line for line in lines):
        return _read_matrix(path)
    return (_read_kitti if any(":" in line for line in lines) else _read_colmap)(path)


def _read_matrix(path: Path) -> StatedCamera:
    """Three lines of three numbers, for images as they are."""
    lines = [entry for entry in read_lines(path, "camera file") if not entry[1].startswith("#")]
    K = np.array([parse_numbers(line, f"{path}:{number}", count=3) for number, line in lines])
    if np.any(K[1:, 0]) or K[0, 1] or K[2].tolist() != [0, 0, 1]:
        raise DataError(f"not fx 0 cx, 0 fy cy, 0 0 1, in {path}; write K in pixels, without skew")
    return StatedCamera(K, None, str(path))
