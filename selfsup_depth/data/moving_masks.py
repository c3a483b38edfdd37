"""Masks of what moves, beside measured depth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selfsup_depth.data.images import open_picture
from selfsup_depth.errors import DataError


@dataclass(frozen=True)
class MovingMask:
    """A grey PNG of the measured map's size, 0 where what is seen stands still.

    KITTI stereo 2015 numbers the moving objects (obj_map), a mask of 255 is as good.
    """

    path: Path

    def read(self, size: tuple[int, int]) -> NDArray[np.bool_]:
        """(H0, W0) true where what is seen moves.

        Args:
            size: height and width of the measured map.

        Raises:
            DataError: the file cannot be read, or has another size or colours.
        """
        with open_picture(self.path, ("PNG",)) as picture:
            mask = np.asarray(picture)
        if mask.shape != size:
            raise DataError(
                f"mask is {'x'.join(map(str, mask.shape[1::-1]))}, the measured map {size[1]}x{size[0]}, "
                f"or it is not grey, in {self.path}; restore it"
            )
        return mask > 0
