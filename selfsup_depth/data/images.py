"""Photographs from files, with every way a file can be bad said in one line."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from selfsup_depth.data.photograph import Photograph, Pixels, check_size
from selfsup_depth.errors import DataError, first_line

# Pillow opens 40 formats, some of which start other programs; photographs need these.
PHOTOGRAPH_FORMATS = ("PNG", "JPEG", "BMP", "PPM", "WEBP", "TIFF")
PHOTOGRAPH_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".webp", ".tif", ".tiff")

# A file of 140 kB can claim 144 Mpixel and fill the memory; looked at before decoding.
MAX_PIXELS = 64 * 10**6

# One and three channels of eight bits, with or without alpha; anything deeper would be
# clipped to 255 without a word.
_EIGHT_BIT_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"}

# What Pillow's readers of damaged files are seen to raise, or could by what they do with numbers.
_DECODING_ERRORS = (
    *(OSError, ValueError, SyntaxError, EOFError, struct.error),
    *(TypeError, LookupError, ArithmeticError),
)


@contextmanager
def open_picture(path: Path, formats: tuple[str, ...]) -> Iterator[Image.Image]:
    """Open a picture without decoding it; what fails inside becomes a DataError.

    Args:
        path: the file.
        formats: names of the formats that are allowed, as Pillow calls them.
    """
    try:
        with Image.open(path, formats=formats) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            yield picture
    except Image.DecompressionBombError as error:
        limit = MAX_PIXELS // 10**6
        raise DataError(f"image has more than {limit} megapixels, in {path}; resize it") from error
    except UnidentifiedImageError as error:
        raise DataError(f"not a {' or '.join(formats)} image, in {path}; download it again") from error
    except _DECODING_ERRORS as error:
        raise _refusal(error, path) from error


def _refusal(error: Exception, path: Path) -> DataError:
    """What the operating system or a decoder says, in our words."""
    number = error.errno if isinstance(error, OSError) else None
    if number is None:
        reason = first_line(error)[:80]
        return DataError(f"image cannot be decoded ({reason}), in {path}; download it again")
    if path.is_symlink() and number in (errno.ENOENT, errno.ELOOP):
        return DataError(f"image is a link to {os.readlink(path)}, where no file is, in {path}; restore it")
    if number == errno.ENOENT:
        return DataError(f"image is missing, in {path}; restore the file")
    return DataError(f"image cannot be read ({os.strerror(number)}), in {path}; check its permissions")


def read_rgb(path: Path, turn: bool = True) -> Image.Image:
    """Read a photograph as 8-bit RGB; grey becomes three equal channels, alpha is dropped.

    Args:
        path: the file.
        turn: turn it as its note on how the camera was held (EXIF) says. If false such a file
            is refused, because whether a calibration is for it or for the turned one is unknown.

    Raises:
        DataError: missing, unreadable, truncated, too large, deeper than 8 bits, or turned.
    """
    with open_picture(path, PHOTOGRAPH_FORMATS) as picture:
        _check_depth(picture, path)
        if not turn:
            _refuse_turned(picture, path)
        return ImageOps.exif_transpose(picture).convert("RGB")


@dataclass(frozen=True)
class ImageFile(Photograph):
    """A photograph in a file of its own."""

    path: Path

    @property
    def collection(self) -> Path:
        """The folder it is in."""
        return self.path.parent

    def read(self) -> Image.Image:
        """The image; refused if it is stored turned, see `read_rgb`."""
        return read_rgb(self.path, turn=False)

    def pixels(self, size: tuple[int, int], reduction: int = 1) -> Pixels:
        """The image; JPEGs in colour by OpenCV, to the same values in three quarters of the time.

        Those are reduced before they are made: of a block of 8x8 only so many frequencies are.
        """
        with open_picture(self.path, PHOTOGRAPH_FORMATS) as picture:
            _check_depth(picture, self.path)
            _refuse_turned(picture, self.path)
            check_size((picture.height, picture.width), size, self)
            if (picture.format, picture.mode) == ("JPEG", "RGB"):
                decoded = _by_opencv(self.path, reduction)
                if decoded is not None and decoded.shape[:2] == tuple(-(-side // reduction) for side in size):
                    return decoded
            return np.array(picture.convert("RGB"))

    def check(self, size: tuple[int, int]) -> None:
        """Refuse what the header shows; nothing is decoded."""
        with open_picture(self.path, PHOTOGRAPH_FORMATS) as picture:
            _check_depth(picture, self.path)
            # Pillow decodes a whole PNG to find a note that may stand behind the pixels.
            if picture.format != "PNG" or "exif" in picture.info:
                _refuse_turned(picture, self.path)
            check_size((picture.height, picture.width), size, self)


_REDUCED = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}


def _by_opencv(path: Path, reduction: int) -> Pixels | None:
    """A file, decoded; none if OpenCV cannot, as when it is cut off: Pillow says why."""
    try:
        decoded = cv2.imdecode(np.fromfile(path, np.uint8), _REDUCED.get(reduction, cv2.IMREAD_COLOR_RGB))
        if reduction > 1 and decoded is not None:
            decoded = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
    except cv2.error:
        return None
    return None if decoded is None else decoded.astype(np.uint8, copy=False)


def _refuse_turned(picture: Image.Image, path: Path) -> None:
    if picture.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        raise DataError(f"image is stored turned (EXIF orientation), in {path}; save it upright")


def _check_depth(picture: Image.Image, path: Path) -> None:
    # Pillow gives three channels of 16 bits the name of three of 8, and keeps the upper half.
    deep = picture.mode not in _EIGHT_BIT_MODES or any(map(_is_deep, getattr(picture, "tile", ())))
    if deep:
        raise DataError(f"image is not 8-bit (mode {picture.mode}), in {path}; convert it to 8-bit RGB")


def _is_deep(tile: tuple[Any, ...]) -> bool:
    """Whether what is stored has more than 8 bits: "RGB;16B", or PPM's ("RGB", 65535)."""
    codec, stored = tile[0], tile[-1] if isinstance(tile[-1], tuple) else (tile[-1],)
    return ";16" in str(stored[0]) or (codec.startswith("ppm") and max(stored[1:], default=0) > 255)


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of a photograph, from its header alone."""
    with open_picture(path, PHOTOGRAPH_FORMATS) as picture:
        return picture.height, picture.width


def first_size(paths: Iterable[Path]) -> tuple[int, int]:
    """Height and width of the first photograph that can be opened: one bad file is not all.

    Raises:
        DataError: none can; naming the first.
    """
    refusals: list[DataError] = []
    for path in paths:
        try:
            return image_size(path)
        except DataError as error:
            refusals.append(error)
    raise refusals[0]
