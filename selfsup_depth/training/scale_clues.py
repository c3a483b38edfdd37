"""What tells the scale of a network: lengths in metres beside what the network says of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from selfsup_depth.data.images import read_rgb
from selfsup_depth.data.text_files import parse_numbers, read_lines, words_of
from selfsup_depth.data.two_view_geometry import MotionSettings, follow_corners
from selfsup_depth.errors import DataError
from selfsup_depth.evaluation.ground_plane import height_above_ground
from selfsup_depth.geometry.point_cloud import unproject

Array = NDArray[np.float64]

# Of the image's rows and columns, where a car's or a walker's camera sees ground.
GROUND = (slice(0.6, 0.95), slice(0.3, 0.7))
# Metres; what is far below has no inverse.
SHORTEST = 1e-6
# Of a rectified pair: rows must agree, and a disparity below two pixels says too little.
MAX_ROW_DIFFERENCE, LEAST_DISPARITY = 1.0, 2.0


class Clues(NamedTuple):
    """Lengths as predicted and as measured, as inverses: that is what the network says.

    predicted: (n,) inverse lengths in the network's unit.
    measured: (n,) 1/m.
    """

    predicted: Array
    measured: Array


class Seen(NamedTuple):
    """An image and what the network says of it.

    path: of the image.
    inverse_depth: (H, W) in the network's unit, float64.
    K: (3, 3) in its pixels.
    """

    path: Path
    inverse_depth: Array
    K: Array


See = Callable[[Path], Seen]


class NamedNumbers(NamedTuple):
    """A line: an image and numbers.

    where: FILE:LINE.
    """

    path: Path
    numbers: list[float]
    where: str


def clues_from_height(images: Sequence[Path], see: See, metres: float) -> Clues:
    """From the height of the camera above level ground, which each image shows in front.

    Raises:
        DataError: no image shows it.
    """
    heights = np.array([_height(see(path)) for path in images])
    found = heights[np.isfinite(heights)]
    if not len(found):
        raise DataError("no level ground found in any image; give --scale-from points=FILE, for instance")
    return Clues(1 / found, np.full(len(found), 1 / metres))


def _height(seen: Seen) -> float:
    size = seen.inverse_depth.shape
    rows, columns = (
        slice(int(part.start * length), int(part.stop * length), max(1, length // 100))
        for part, length in zip(GROUND, size, strict=True)
    )
    return height_above_ground(_points(seen)[rows, columns].reshape(-1, 3))


def clues_from_baseline(images: Sequence[Path], see: See, metres: float, right: Path) -> Clues:
    """From the right images of a rectified pair with the same focal length, by followed corners.

    Args:
        images: left ones.
        see: asks the network.
        metres: between the two cameras.
        right: folder of the right images, which have the names of the left ones.

    Raises:
        DataError: an image has no partner, or no corner has a disparity.
    """
    parts = [_disparity_clues(see(path), right / path.name, metres) for path in images]
    clues = Clues(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    if not len(clues.predicted):
        raise DataError(
            f"no corner was found in both images, in {right}; are they rectified, left and right?"
        )
    return clues


def _disparity_clues(seen: Seen, right: Path, metres: float) -> Clues:
    left, other = (read_rgb(path).convert("L") for path in (seen.path, right))
    if left.size != other.size:
        raise DataError(f"{other.width}x{other.height}, the left image is of another size, in {right}")
    points, partners = follow_corners(_bytes(left), _bytes(other), MotionSettings())
    disparity, rows = (points - partners).T
    kept = (np.abs(rows) < MAX_ROW_DIFFERENCE) & (disparity > LEAST_DISPARITY)
    column, row = points[kept].round().astype(int).T
    inverse_metres = disparity[kept] / (seen.K[0, 0] * metres)
    return Clues(seen.inverse_depth[row, column], inverse_metres)


def clues_from_distances(lines: Sequence[NamedNumbers], see: See) -> Clues:
    """From measured distances between two points each: IMAGE column row column row METRES.

    Raises:
        DataError: a point lies outside its image, or a distance is none.
    """
    predicted = []
    for line in lines:
        points = _points(see(line.path))
        first, second = (points[_pixel(line.numbers[i : i + 2], points, line.where)] for i in (0, 2))
        predicted.append(1 / max(float(np.linalg.norm(first - second)), 1e-9))
    return Clues(np.array(predicted), np.array([1 / line.numbers[-1] for line in lines]))


def clues_from_points(lines: Sequence[NamedNumbers], see: See) -> Clues:
    """From measured depth of single points: IMAGE column row METRES.

    Raises:
        DataError: a point lies outside its image, or a depth is none.
    """
    maps = {path: see(path).inverse_depth for path in {line.path for line in lines}}
    predicted = [maps[line.path][_pixel(line.numbers[:2], maps[line.path], line.where)] for line in lines]
    return Clues(np.array(predicted), np.array([1 / line.numbers[-1] for line in lines]))


def read_named_numbers(file: Path, images: Sequence[Path], count: int) -> list[NamedNumbers]:
    """Lines of an image's name and numbers, the last of which is metres.

    Args:
        file: text; lines that begin with # are comments.
        images: that may be meant, by their file names.
        count: of numbers.

    Raises:
        DataError: a line is something else, or names no image.
    """
    by_name = {path.name: path for path in images}
    found = []
    for number, line in read_lines(file, "measurements"):
        if line.startswith("#"):
            continue
        words = words_of(line)
        num_of_name = max(1, len(words) - count)
        name, where = " ".join(words[:num_of_name]), f"{file}:{number}"
        if name not in by_name:
            raise DataError(
                f"no image of --input is named {name[:60]}, in {where}; write NAME.png and numbers"
            )
        numbers = parse_numbers(" ".join(words[num_of_name:]), where, count)
        if numbers[-1] < SHORTEST:
            raise DataError(f"{numbers[-1]:g} metres, in {where}; a length is positive")
        found.append(NamedNumbers(by_name[name], numbers, where))
    if not found:
        raise DataError(f"no measurement, in {file}; write NAME.png and {count} numbers a line")
    return found


def _points(seen: Seen) -> Array:
    """(H, W, 3) points of an image's pixels."""
    inverse_depth = torch.from_numpy(seen.inverse_depth)[None, None]
    points: Array = unproject(inverse_depth, torch.from_numpy(seen.K)[None])[0].movedim(0, -1).numpy()
    return points


def _pixel(numbers: Sequence[float], image: Array, where: str) -> tuple[int, int]:
    column, row = (round(number) for number in numbers)
    height, width = image.shape[:2]
    if not (0 <= column < width and 0 <= row < height):
        raise DataError(f"pixel {column} {row} lies outside {width}x{height}, in {where}; column comes first")
    return row, column


def _bytes(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image, np.uint8)
