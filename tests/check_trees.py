"""A drive that training can learn from, and what may be wrong with one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

FRAMES = 12
PAIRS = 5
SIZE = (128, 416)
Picture = np.ndarray
Change = Callable[[Picture, int], Picture]


def images_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in (".png", ".jpg"))


def change(folder: Path, how: Change, frames: Sequence[int] = range(FRAMES)) -> None:
    """Rewrite the images of one camera; `how` is given the image and its number."""
    files = images_of(folder)
    for number in frames:
        image = np.asarray(Image.open(files[number]))
        Image.fromarray(np.clip(how(image, number), 0, 255).astype(np.uint8)).save(files[number])


def swap(first: Path, second: Path) -> None:
    aside = first.with_name("aside")
    first.rename(aside)
    second.rename(first)
    aside.rename(second)


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def warped(image: Picture, H: np.ndarray) -> Picture:
    size = image.shape[1], image.shape[0]
    return cv2.warpPerspective(image, H, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def turned(image: Picture, K: np.ndarray, degrees: float, axis: int = 1) -> Picture:
    """The image as the camera would have taken it, turned about its y (axis 1) or z (axis 2) axis."""
    turn = np.zeros(3)
    turn[axis] = np.radians(degrees)
    return warped(image, K @ cv2.Rodrigues(turn)[0] @ np.linalg.inv(K))


def nearer(image: Picture, factor: float) -> Picture:
    """The image enlarged about its middle."""
    height, width = image.shape[:2]
    return warped(
        image,
        np.array([[factor, 0, (1 - factor) * width / 2], [0, factor, (1 - factor) * height / 2], [0, 0, 1]]),
    )


def blocks(seed: int) -> Picture:
    """A picture of something else."""
    coarse = np.random.default_rng(seed).integers(0, 255, (16, 52, 3), np.uint8)
    return cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_NEAREST)


def with_noise(image: Picture, number: int) -> Picture:
    return image + np.random.default_rng(number).normal(0, 2, image.shape)


def frame_folder(drive: Path, root: Path, K: np.ndarray) -> Path:
    """The left frames of a drive of KITTI raw as a plain folder with its camera, times and speeds."""
    scene = root / "scene"
    scene.mkdir(parents=True)
    for number, image in enumerate(images_of(next(drive.glob("*/*/image_02")))):
        shutil.copy(image, scene / f"{number:04d}{image.suffix}")
    write_camera(root, K)
    (scene / "timestamps.txt").write_text("".join(f"{number / 10:.3f}\n" for number in range(FRAMES)))
    write_speeds(scene)
    return root


def write_camera(root: Path, K: np.ndarray, size: tuple[int, int] = SIZE) -> None:
    lines = {"width": size[1], "height": size[0], "fx": K[0, 0], "fy": K[1, 1], "cx": K[0, 2], "cy": K[1, 2]}
    (root / "camera.yaml").write_text("".join(f"{key}: {value:.10g}\n" for key, value in lines.items()))


def write_speeds(scene: Path, speed: float = 10.0, start: float = -1.0, end: float = 3.0) -> None:
    times = np.arange(start, end, 0.5)
    (scene / "speed.csv").write_text("".join(f"{time:.2f},{speed:.3f}\n" for time in times))


def write_poses(scene: Path, metres: float = 1.0) -> None:
    """A camera that moves straight ahead by so much a frame."""
    lines = [f"1 0 0 0 0 1 0 0 0 0 1 {metres * number:.6f}\n" for number in range(FRAMES)]
    (scene / "poses.txt").write_text("".join(lines))


def plain_pairs(drive: Path, root: Path, K: np.ndarray, baseline: float) -> Path:
    for folder, side in (("image_02", "left"), ("image_03", "right")):
        (root / side).mkdir(parents=True)
        for image in images_of(next(drive.glob(f"*/*/{folder}")))[:PAIRS]:
            shutil.copy(image, root / side / image.name)
    lines = f"focal: {K[0, 0]:.10g}\ncx: {K[0, 2]:.10g}\ncy: {K[1, 2]:.10g}\nbaseline: {baseline}\n"
    (root / "camera.yaml").write_text(lines)
    return root
