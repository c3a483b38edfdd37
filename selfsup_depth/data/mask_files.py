"""Which pixels of a camera's images teach something: not its own car's bonnet, not a frame around them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selfsup_depth.data.images import ImageFile, image_size
from selfsup_depth.errors import DataError

_WHITE = 128


def find_mask(path: Path, size: tuple[int, int]) -> Path | None:
    """The mask of a camera's images, if the file is there.

    Args:
        path: a picture in black (does not count) and white (counts).
        size: height and width of the images.

    Raises:
        DataError: it is no picture, has another size, or leaves no pixel.
    """
    if not path.exists():
        return None
    found = image_size(path)
    if found != size:
        what = f"mask is {found[1]}x{found[0]}, the images are {size[1]}x{size[0]}"
        raise DataError(f"{what}, in {path}; draw it on one of them")
    if not read_mask(path).any():
        raise DataError(f"mask is black all over, in {path}; paint white what is to be learned from")
    return path


@lru_cache(maxsize=16)
def read_mask(path: Path) -> NDArray[np.bool_]:
    """(H, W), true where a pixel counts."""
    return np.asarray(np.asarray(ImageFile(path).read().convert("L")) >= _WHITE)
