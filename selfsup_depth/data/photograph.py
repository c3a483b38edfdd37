"""A photograph of a data set, wherever it is read from: a file of its own, a frame of a video, a half."""

from __future__ import annotations

import abc
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from selfsup_depth.errors import DataError

# (H, W, 3) RGB.
Pixels = NDArray[np.uint8]


class Photograph(abc.ABC):
    """One image, read only when it is needed: a file of its own, or one frame of a video.

    Instances travel to the loader's worker processes, so they hold paths and numbers only.

    Attributes:
        path: the file that it is in.
    """

    path: Path

    @property
    @abc.abstractmethod
    def collection(self) -> Path:
        """What its neighbours are in, too: a folder, or a video."""

    @abc.abstractmethod
    def read(self) -> Image.Image:
        """The image as 8-bit RGB.

        Raises:
            DataError: the file is missing or not what it should be.
        """

    def pixels(self, size: tuple[int, int], reduction: int = 1) -> Pixels:
        """What `read` reads, to be written to: where there is a faster way to it, by that.

        Args:
            size: height and width that it must have.
            reduction: 2, 4 or 8 = each side may come so many times shorter, rounded up, where the
                format makes that easier; pixels then are means of squares from the upper left on.

        Raises:
            DataError: as `read`, or it has another size.
        """
        pixels = np.array(self.read())
        check_size(pixels.shape[:2], size, self)
        return pixels

    def check(self, size: tuple[int, int]) -> None:  # noqa: B027 (a frame of a video has no header)
        """Refuse what can be seen to be wrong without decoding.

        Args:
            size: height and width that it must have.

        Raises:
            DataError: as `read`, or it has another size.
        """

    def identity(self) -> tuple[str, ...]:
        """What a computation from this image is filed under; changes when the file does.

        Raises:
            DataError: the file is missing.
        """
        try:
            stat = self.path.stat()
        except OSError as error:
            raise DataError(f"image cannot be opened, in {self.path}; restore the file") from error
        return str(self.path.resolve()), str(stat.st_size), str(stat.st_mtime_ns)

    def __str__(self) -> str:
        return str(self.path)


def check_size(found: tuple[int, ...], size: tuple[int, int], where: Photograph) -> None:
    """Refuse an image that is not as large as the others of its camera: K is of their pixels.

    Args:
        found: height and width of the image.
        size: what they must be.
        where: the image.

    Raises:
        DataError: naming both sizes.
    """
    if found != size:
        what = f"image is {found[1]}x{found[0]}, the camera's {size[1]}x{size[0]}"
        raise DataError(f"{what}, in {where}; restore it")
