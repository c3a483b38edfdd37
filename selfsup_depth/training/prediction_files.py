"""A prediction as files: depth in 16-bit PNG, a picture of inverse depth, arrays."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from selfsup_depth.training.colour import picture_of_inverse_depth
from selfsup_depth.training.prediction import Prediction
from selfsup_depth.training.storage import write_bytes

# KITTI's format: metres times 256 in 16 bits, 0 = none; holds 0.004 to 255.996.
STEPS_PER_METRE = 256


def names_written(stem: Path, scale: str, npy: bool) -> list[Path]:
    """The files that `write_prediction` writes: depth, picture and, if wanted, the array."""
    relative = "" if scale == "metric" else "_relative"
    names = [f"{stem.name}{relative}_depth.png", f"{stem.name}_inverse_depth.png"]
    return [stem.with_name(name) for name in [*names, f"{stem.name}{relative}.npy"][: 3 if npy else 2]]


def write_prediction(prediction: Prediction, stem: Path, npy: bool = False) -> list[Path]:
    """Write a prediction; each file appears whole or not at all.

    Args:
        prediction: of one image.
        stem: path of the files without the ends of their names. Depth without a scale says
            `relative` in its name, so that nobody takes it for metres.
        npy: write depth as a float32 array, too: beyond 256 m, and without rounding.

    Returns:
        The files.

    Raises:
        StorageError: a file cannot be written.
    """
    files = names_written(stem, prediction.scale, npy)
    picture = picture_of_inverse_depth(torch.from_numpy(prediction.inverse_depth)[None])
    contents = [
        png_bytes(uint16_from_depth(prediction.depth)),
        png_bytes(picture.movedim(0, -1).numpy()),
        npy_bytes(prediction.depth) if npy else b"",
    ]
    for file, content in zip(files, contents, strict=False):
        write_bytes(file, content)
    return files


def uint16_from_depth(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Depth in steps of 1/256 m; what is farther than 16 bits reach becomes the farthest."""
    return (depth * np.float32(STEPS_PER_METRE)).round().clip(1, np.iinfo(np.uint16).max).astype(np.uint16)


def png_bytes(pixels: NDArray[Any]) -> bytes:
    """A PNG file of (H, W) uint16 or (H, W, 3) uint8."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=3)
    return file.getvalue()


def npy_bytes(values: NDArray[Any]) -> bytes:
    """A NumPy file of one array."""
    file = io.BytesIO()
    np.save(file, values, allow_pickle=False)
    return file.getvalue()
