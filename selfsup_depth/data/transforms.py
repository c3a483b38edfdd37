"""Resize, crop and flip: image, intrinsics, depth and motion change together.

One object says how the photographs of an example are framed, and everything that has to follow
does so through it, so that no image can be mirrored while its camera is not.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from selfsup_depth.data.photograph import Pixels
from selfsup_depth.data.recording import Matrix
from selfsup_depth.geometry.camera import crop_intrinsics, flip_intrinsics, resize_intrinsics
from selfsup_depth.geometry.pose import flip_pose
from selfsup_depth.structures import View

# What the decoder of JPEG can do before it makes the pixels, where so many times the pixels of the
# result are left: KITTI's images then differ by a grey level of 255 from those of whole ones.
_REDUCTIONS = 2, 4, 8
_LEAST_LEFT = 4 / 3


def resized(pixels: Pixels, size: tuple[int, int], covered: tuple[float, float] | None = None) -> Tensor:
    """A photograph as bytes (3, H, W), resized by a triangle that grows with the reduction.

    So nothing finer than a pixel is aliased. On bytes this takes a quarter of Pillow's time, which
    would be most of a loader's; said to be channels last, as they are, they need not be rearranged.

    Args:
        pixels: the photograph.
        size: height and width of the result.
        covered: rows and columns that the photograph covers, where its last ones go beyond it;
            not given, all.
    """
    image = torch.from_numpy(pixels)[None].permute(0, 3, 1, 2)
    if covered:
        # The size of the result is rounded down from these; they must not fall short of it.
        factors = [to * (1 + 1e-9) / extent for to, extent in zip(size, covered, strict=True)]
        image = F.interpolate(image, scale_factor=factors, mode="bilinear", antialias=True)
    elif image.shape[2:] != size:
        image = F.interpolate(image, size, mode="bilinear", antialias=True)
    return image[0].contiguous()


def in_unit_range(image: Tensor) -> Tensor:
    """Bytes as colours in [0, 1]; colours as they are."""
    return image if image.is_floating_point() else image.float().div_(255)


class Window(NamedTuple):
    """Part of an image, in its pixels."""

    top: int
    left: int
    height: int
    width: int


class Framing(NamedTuple):
    """How the photographs of one example are cut, resized and mirrored, in this order.

    The cut is relative to the image, so views of different sizes show the same part.

    size: height and width of the result.
    zoom: 1 keeps the whole image, z keeps 1/z of its height and width.
    down, right: where the cut lies, from 0 (top, left) to 1 (bottom, right).
    flip: mirror left to right.
    """

    size: tuple[int, int]
    zoom: float = 1.0
    down: float = 0.5
    right: float = 0.5
    flip: bool = False

    def window(self, size: tuple[int, int]) -> Window:
        """The cut of an image of this height and width; whole pixels, so K follows exactly."""
        height, width = max(1, round(size[0] / self.zoom)), max(1, round(size[1] / self.zoom))
        top, left = round(self.down * (size[0] - height)), round(self.right * (size[1] - width))
        return Window(top, left, height, width)

    def reduction(self, size: tuple[int, int]) -> int:
        """How many times shorter the sides of a photograph may be before it is too small; 1 if it is cut."""
        if self.window(size) != (0, 0, *size):
            return 1
        left = min(stored / to for stored, to in zip(size, self.size, strict=True))
        return max((k for k in _REDUCTIONS if left >= k * _LEAST_LEFT), default=1)

    def view(self, pixels: Pixels, K: Matrix, size: tuple[int, int] | None = None) -> View:
        """A photograph and its camera, framed.

        Args:
            pixels: the photograph, maybe reduced.
            K: (3, 3) in pixels of the photograph.
            size: height and width of the photograph; not given, those of `pixels`.

        Returns:
            image (3, H, W), bytes, and K (3, 3), float32.
        """
        size = size or (pixels.shape[0], pixels.shape[1])
        return self.framed_view(self.pixels(pixels, size), K, size)

    def pixels(self, pixels: Pixels, size: tuple[int, int]) -> Tensor:
        """A photograph, cut and resized but not mirrored, bytes (3, H, W)."""
        if pixels.shape[:2] != size:
            reduction = self.reduction(size)
            return resized(pixels, self.size, (size[0] / reduction, size[1] / reduction))
        top, left, height, width = self.window(size)
        return resized(np.ascontiguousarray(pixels[top : top + height, left : left + width]), self.size)

    def framed_view(self, pixels: Tensor, K: Matrix, size: tuple[int, int]) -> View:
        """What was cut and resized, with its camera; mirrored if that is to be.

        Args:
            pixels: bytes (3, H, W), as `pixels` makes them.
            K: (3, 3) in pixels of the photograph.
            size: height and width of the photograph.
        """
        framed = _framed_intrinsics(K.tobytes(), self.window(size), self.size, self.flip)
        return View(pixels.flip(-1) if self.flip else pixels, framed.clone())

    def depth(self, depth: NDArray[np.float32]) -> NDArray[np.float32]:
        """A measured depth map, framed.

        Each measured point goes to the pixel that it falls into, the nearest where there are
        several: measured depth is sparse, and interpolating would invent points between a car
        and the wall behind it.

        Args:
            depth: (H0, W0) metres in the pixels of the photograph, 0 = none.

        Returns:
            (H, W) metres, 0 = none.
        """
        window = self.window(depth.shape)
        cut = depth[window.top : window.top + window.height, window.left : window.left + window.width]
        row, column = np.nonzero(cut)
        framed = np.full(self.size, np.inf, np.float32)
        to_row = row * self.size[0] // window.height
        to_column = column * self.size[1] // window.width
        np.minimum.at(framed, (to_row, to_column), cut[row, column])
        framed[np.isinf(framed)] = 0
        return framed[:, ::-1].copy() if self.flip else framed

    def mask(self, mask: NDArray[np.bool_]) -> Tensor:
        """Which pixels count, framed: those of whose area every part does.

        Args:
            mask: (H0, W0) in the pixels of the photograph.

        Returns:
            (1, H, W) bool.
        """
        window = self.window(mask.shape)
        box = (window.left, window.top, window.left + window.width, window.top + window.height)
        white = Image.fromarray(np.where(mask, np.uint8(255), np.uint8(0)))
        framed = np.array(white.resize(self.size[::-1], Image.Resampling.BOX, box)) == 255
        counted = torch.from_numpy(framed)[None]
        return counted.flip(-1) if self.flip else counted

    def motion(self, T: Matrix) -> Tensor:
        """A motion between two views that are framed alike, (4, 4) float32."""
        motion = torch.from_numpy(T)
        return (flip_pose(motion) if self.flip else motion).float()


@lru_cache(maxsize=256)
def _framed_intrinsics(K: bytes, window: Window, size: tuple[int, int], flip: bool) -> Tensor:
    """Intrinsics of what was cut, resized and mirrored, (3, 3) float32; a camera's are asked for again.

    Args:
        K: (3, 3) float64 in pixels of the photograph.
        window: what is cut.
        size: height and width that it is resized to.
        flip: whether it is mirrored then.
    """
    whole = torch.frombuffer(bytearray(K), dtype=torch.float64).view(3, 3)
    cut = crop_intrinsics(whole, window.top, window.left)
    resized = resize_intrinsics(cut, (window.height, window.width), size)
    return (flip_intrinsics(resized, size[1]) if flip else resized).float()
