"""Frames written as cameras without distortion would have taken them, alone or as rectified pairs."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from selfsup_depth.data.images import PHOTOGRAPH_SUFFIXES, ImageFile, first_size
from selfsup_depth.data.lens import Lens, rectification, undistortion
from selfsup_depth.data.natural_order import natural_order
from selfsup_depth.data.new_folder import folder_at_once, refuse_existing
from selfsup_depth.data.photograph import check_size
from selfsup_depth.data.recording import Matrix
from selfsup_depth.data.rig_file import read_rig
from selfsup_depth.errors import DataError

# What belongs to the frames whatever their lens; poses are of the camera's own axes.
_OF_A_RIG = ("timestamps.txt", "speed.csv", "speed.gpx")
_OF_A_CAMERA = (*_OF_A_RIG, "poses.txt")


def rectify(root: Path, output: Path, calibration: Path | None = None) -> int:
    """Write left/, right/ and camera.yaml of a rig as rectified pairs.

    Args:
        root: the folder with left/ and right/.
        output: folder to make.
        calibration: the cameras; not given, camera.yaml under the root.

    Returns:
        How many pairs were written.

    Raises:
        DataError: an image or the calibration cannot be used, or an image has no other side.
        ConfigError: the folder exists.
        StorageError: it cannot be written.
    """
    refuse_existing(output)
    left, right = _images(root / "left"), _images(root / "right")
    for file in left:
        if not any(other.stem == file.stem for other in right):
            raise DataError(f"no right image for {file.name}, in {root / 'right'}; restore it")
    size = first_size([*left, *right])
    rig = read_rig(calibration or root / "camera.yaml", {})
    new = rectification(rig, size)
    with folder_at_once(output) as folder:
        for lens, files, side in ((new.left, left, "left"), (new.right, right, "right")):
            _write_images(lens, files, size, folder / side)
        said = _camera_lines(new.left.new_K) | _camera_lines(new.right.new_K, "right_") | _size_lines(size)
        _write_lines(folder, said | {"T": " ".join(map(repr, new.T_left_to_right.tolist()))})
        _copy(root, folder, _OF_A_RIG)
    return len(left)


def undistort(root: Path, output: Path, calibration: Path | None = None) -> int:
    """Write a folder of frames without the distortion of their lens, and camera.yaml for them.

    Args:
        root: the folder with the frames.
        output: folder to make.
        calibration: the camera; not given, camera.yaml in the folder.

    Returns:
        How many frames were written.

    Raises:
        DataError: an image or the calibration cannot be used.
        ConfigError: the folder exists.
        StorageError: it cannot be written.
    """
    refuse_existing(output)
    files = _images(root)
    size = first_size(files)
    lens = undistortion(read_rig(calibration or root / "camera.yaml", {}), size)
    with folder_at_once(output) as folder:
        _write_images(lens, files, size, folder)
        _write_lines(folder, _camera_lines(lens.new_K) | _size_lines(size))
        _copy(root, folder, _OF_A_CAMERA)
    return len(files)


def _images(folder: Path) -> list[Path]:
    """Photographs of a folder in the order of their numbers.

    Raises:
        DataError: there is none.
    """
    files = folder.iterdir() if folder.is_dir() else ()
    images = [file for file in files if file.suffix.lower() in PHOTOGRAPH_SUFFIXES and file.stem != "mask"]
    if not images:
        raise DataError(f"no images, in {folder}; give the folder with the frames")
    return sorted(images, key=natural_order)


def _write_images(lens: Lens, files: Iterable[Path], size: tuple[int, int], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    columns, rows = lens.maps(size)
    for file in tqdm(list(files), f"writing {folder.name}", unit="image", disable=None):
        picture = ImageFile(file).read()
        check_size((picture.height, picture.width), size, ImageFile(file))
        corrected = cv2.remap(np.asarray(picture), columns, rows, cv2.INTER_CUBIC)
        Image.fromarray(corrected).save(folder / f"{file.stem}.png")


def _camera_lines(K: Matrix, prefix: str = "") -> dict[str, str]:
    values = {"fx": K[0, 0], "fy": K[1, 1], "cx": K[0, 2], "cy": K[1, 2]}
    return {prefix + key: repr(float(value)) for key, value in values.items()}


def _size_lines(size: tuple[int, int]) -> dict[str, str]:
    return {"width": str(size[1]), "height": str(size[0])}


def _write_lines(folder: Path, said: Mapping[str, str]) -> None:
    text = "".join(f"{key}: {value}\n" for key, value in said.items())
    (folder / "camera.yaml").write_text(text, encoding="utf-8")


def _copy(root: Path, folder: Path, names: Iterable[str]) -> None:
    for name in names:
        if (root / name).exists():
            shutil.copyfile(root / name, folder / name)
