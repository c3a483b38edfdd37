"""A prediction as files: depth in 16-bit PNG, a picture of inverse depth, array, point cloud."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from selfsup_depth import __version__
from selfsup_depth.training.colour import picture_of_inverse_depth
from selfsup_depth.training.point_clouds import ply_bytes, point_cloud
from selfsup_depth.training.predicted_depth import Facts, Prediction
from selfsup_depth.training.prediction_names import NOTHING_MORE, Wanted, names_written
from selfsup_depth.training.storage import write_bytes

# KITTI's format: metres times 256 in 16 bits, 0 = none; holds 0.004 to 255.996.
STEPS_PER_METRE = 256

# Under which name a file says what it is: JSON in a text chunk of the PNG, a comment of the PLY.
TEXT_KEY = "selfsup_depth"


def write_prediction(
    prediction: Prediction,
    image: Image.Image,
    stem: Path,
    facts: Facts,
    wanted: Wanted = NOTHING_MORE,
    white: float | None = None,
) -> list[Path]:
    """Write a prediction; each file appears whole or not at all.

    Args:
        prediction: of one image.
        image: that image.
        stem: path of the files without the ends of their names. Depth without a scale says
            `relative` in its name, so that nobody takes it for metres.
        facts: of the network.
        wanted: which files more.
        white: see `picture_of_inverse_depth`.

    Returns:
        The files.

    Raises:
        StorageError: a file cannot be written.
    """
    files = names_written(stem, prediction.scale, wanted)
    about = json.dumps(about_prediction(prediction, facts))
    contents = [
        png_bytes(uint16_from_depth(prediction.depth), about),
        png_bytes(picture_of(prediction, white)),
        *([npy_bytes(prediction.depth)] if wanted.npy else []),
        *([cloud_bytes(prediction, image, facts.size, wanted.max_depth, about)] if wanted.ply else []),
    ]
    for file, content in zip(files, contents, strict=True):
        write_bytes(file, content)
    return files


def about_prediction(prediction: Prediction, facts: Facts) -> dict[str, Any]:
    """What a file of depth says about itself."""
    return about_network(facts) | {
        "steps_per_unit": STEPS_PER_METRE,
        "K": prediction.K[0].tolist() if prediction.K else None,
    }


def about_network(facts: Facts) -> dict[str, Any]:
    """What every file says about the network that it is from."""
    return {
        "program": f"selfsup-depth {__version__}",
        "scale": facts.scale,
        "unit": "metre" if facts.scale == "metric" else "unknown",
        "depth_range": list(facts.depth_range),
        "training_size": list(facts.size),
        "training_focal": list(facts.focal),
        "config_sha256": facts.config_sha256,
    }


def cloud_bytes(
    prediction: Prediction, image: Image.Image, size: tuple[int, int], max_depth: float | None, about: str
) -> bytes:
    """A file of the image's point cloud; see `point_cloud`."""
    axes = "camera frame: x right, y down, z forward"
    return ply_bytes(point_cloud(prediction, image, size, max_depth), (axes, f"{TEXT_KEY} {about}"))


def picture_of(prediction: Prediction, white: float | None = None) -> NDArray[np.uint8]:
    """Inverse depth of one image as (H, W, 3) colours; see `picture_of_inverse_depth`."""
    picture = picture_of_inverse_depth(torch.from_numpy(prediction.inverse_depth)[None], white)
    pixels: NDArray[np.uint8] = picture.movedim(0, -1).numpy()
    return pixels


def uint16_from_depth(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Depth in steps of 1/256 m; what is farther than 16 bits reach becomes the farthest."""
    return (depth * np.float32(STEPS_PER_METRE)).round().clip(1, np.iinfo(np.uint16).max).astype(np.uint16)


def png_bytes(pixels: NDArray[Any], about: str = "") -> bytes:
    """A PNG file of (H, W) uint16 or (H, W, 3) uint8, with a text in it."""
    file, text = io.BytesIO(), PngInfo()
    if about:
        text.add_text(TEXT_KEY, about)
    Image.fromarray(pixels).save(file, "PNG", compress_level=3, pnginfo=text)
    return file.getvalue()


def npy_bytes(values: NDArray[Any]) -> bytes:
    """A NumPy file of one array."""
    file = io.BytesIO()
    np.save(file, values, allow_pickle=False)
    return file.getvalue()
