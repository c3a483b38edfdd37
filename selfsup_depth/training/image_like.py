"""Pictures, arrays and tensors as one kind of picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from selfsup_depth.errors import DataError

ImageLike = Image.Image | NDArray[Any] | Tensor


def is_stack(image: ImageLike) -> bool:
    """Whether this holds several images, not one."""
    return not isinstance(image, Image.Image) and image.ndim == 4


def pictures_from(image: ImageLike) -> list[Image.Image]:
    """One image or several as RGB pictures; see Predictor.predict.

    Raises:
        DataError: this is not an image.
    """
    if isinstance(image, Image.Image):
        return [image.convert("RGB")]
    pixels = np.asarray(
        image.detach().cpu().movedim(-3, -1) if isinstance(image, Tensor) and image.ndim > 2 else image
    )
    if pixels.ndim == 2:
        pixels = pixels[..., None].repeat(3, axis=-1)
    if pixels.ndim not in (3, 4) or pixels.shape[-1] != 3 or not pixels.size:
        raise DataError(
            f"not an image: shape {tuple(image.shape)}; give (H, W, 3) arrays or (3, H, W) tensors"
        )
    highest = 1 if np.issubdtype(pixels.dtype, np.floating) else 255
    if not ((pixels >= 0) & (pixels <= highest)).all():
        raise DataError(
            f"image values outside 0 to {highest}; give 0 to 1 as floats or 0 to 255 as whole numbers"
        )
    eight_bits = (pixels * (255 / highest)).round().astype(np.uint8)
    return [Image.fromarray(one) for one in (eight_bits if eight_bits.ndim == 4 else eight_bits[None])]
