"""The rays of a camera and of a laser scanner.

Both look along z with x to the right and y down. A sensor knows, for a whole grid of rays at
once, their scalar product with a vector; that is all that flat and round pieces ask for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from selfsup_depth.data.synthetic_trajectory import Array

Vector = Sequence[float] | Sequence[Tensor] | Tensor | Array
"""Three numbers for all rays, or three (n,) tensors for n rays."""

# Samples of a pixel, from its centre: the centre itself, whose depth is the pixel's, and a
# rotated square, which is smooth on nearly upright and nearly level edges.
_SAMPLES = torch.tensor([[0.0, 0.0], [-0.375, -0.125], [0.125, -0.375], [0.375, 0.125], [-0.125, 0.375]])
_NEAR = 0.1


class Rect(NamedTuple):
    """Half-open ranges of a sensor's rows and columns."""

    top: int
    bottom: int
    left: int
    right: int


class Rays(Protocol):
    """Some of a sensor's rays: a window of rows and columns, or a list of them."""

    def dot(self, vector: Vector) -> Tensor:
        """Scalar product of each ray's direction with a vector: (samples, rows, columns) or (samples, n)."""


class Sensor(Protocol):
    """A grid of rays."""

    shape: tuple[int, int, int]
    """Samples of each ray, rows, columns."""

    def window(self, rect: Rect) -> Rays:
        """The rays of a rectangle."""

    def at(self, rows: Tensor, columns: Tensor) -> Rays:
        """The rays of n pixels."""

    def bounds(self, polygons: Array) -> NDArray[np.int64]:
        """(n, 4) rects around (n, k, 3) convex polygons; empty ones for those out of sight."""


def whole(sensor: Sensor) -> Rect:
    """All rows and columns of a sensor."""
    return Rect(0, sensor.shape[1], 0, sensor.shape[2])


class _PinholeRays(NamedTuple):
    x: Tensor
    y: Tensor

    def dot(self, vector: Vector) -> Tensor:
        a, b, c = vector
        products: Tensor = (self.x * a + c) + self.y * b
        return products


class Pinhole:
    """A camera; its rays have z = 1, so the length along them is depth.

    Args:
        K: (3, 3) intrinsics, pixel centres at integers.
        height, width: pixels.
    """

    def __init__(self, K: Array, height: int, width: int) -> None:
        self.shape = (len(_SAMPLES), height, width)
        self.focal = float(K[0, 0])
        self._K = K
        self._x = ((torch.arange(width) + _SAMPLES[:, :1] - K[0, 2]) / K[0, 0])[:, None, :]
        self._y = ((torch.arange(height) + _SAMPLES[:, 1:] - K[1, 2]) / K[1, 1])[:, :, None]

    def window(self, rect: Rect) -> Rays:
        top, bottom, left, right = rect
        return _PinholeRays(self._x[:, :, left:right], self._y[:, top:bottom])

    def at(self, rows: Tensor, columns: Tensor) -> Rays:
        return _PinholeRays(self._x[:, 0, columns], self._y[:, rows, 0])

    def bounds(self, polygons: Array) -> NDArray[np.int64]:
        points, in_front = _cut_at_near_plane(polygons)
        pixels = points[..., :2] / points[..., 2:] * [self._K[0, 0], self._K[1, 1]] + self._K[:2, 2]
        least = np.where(in_front[..., None], pixels, np.inf).min(axis=1)
        most = np.where(in_front[..., None], pixels, -np.inf).max(axis=1)
        # Samples reach 0.375 from a pixel's centre, so a pixel counts within half of one.
        size = np.array([self.shape[2], self.shape[1]])
        first = np.clip(np.ceil(least - 0.5), 0, size).astype(np.int64)
        last = np.clip(np.floor(most + 0.5) + 1, 0, size).astype(np.int64)
        return np.stack([first[:, 1], last[:, 1], first[:, 0], last[:, 0]], axis=1)


class _ScannerRays(NamedTuple):
    x: Tensor
    z: Tensor
    level: Tensor
    down: Tensor

    def dot(self, vector: Vector) -> Tensor:
        a, b, c = vector
        products: Tensor = self.level * (self.x * a + self.z * c) + self.down * b
        return products


class Scanner:
    """A spinning laser scanner of 64 beams; its rays have unit length.

    Like an HDL-64 the beams lie between 2 degrees up and 24.8 down, and a turn of a tenth of
    a second has a column each 0.17 degrees. Only the sector in front is scanned.

    Args:
        half_sector: columns lie within this angle of z, radians, less than pi / 2.
    """

    def __init__(self, half_sector: float) -> None:
        step = np.deg2rad(0.1728)
        self._azimuths = np.arange(-np.floor(half_sector / step), np.floor(half_sector / step) + 1) * step
        elevations = torch.linspace(np.deg2rad(2.0), np.deg2rad(-24.8), 64, dtype=torch.float64)
        azimuths = torch.from_numpy(self._azimuths)
        self.shape = (1, 64, len(azimuths))
        self._level = elevations.cos().float()[None, :, None]
        self._down = -elevations.sin().float()[None, :, None]
        self._x, self._z = azimuths.sin().float()[None, None], azimuths.cos().float()[None, None]

    def window(self, rect: Rect) -> Rays:
        top, bottom, left, right = rect
        ahead, steep = (slice(None), slice(None), slice(left, right)), (slice(None), slice(top, bottom))
        return _ScannerRays(self._x[ahead], self._z[ahead], self._level[steep], self._down[steep])

    def at(self, rows: Tensor, columns: Tensor) -> Rays:
        ahead, steep = (slice(None), 0, columns), (slice(None), rows, 0)
        return _ScannerRays(self._x[ahead], self._z[ahead], self._level[steep], self._down[steep])

    def bounds(self, polygons: Array) -> NDArray[np.int64]:
        points, in_front = _cut_at_near_plane(polygons)
        azimuths = np.arctan2(points[..., 0], points[..., 2])
        first = np.searchsorted(self._azimuths, np.where(in_front, azimuths, np.inf).min(axis=1))
        last = np.searchsorted(self._azimuths, np.where(in_front, azimuths, -np.inf).max(axis=1))
        rows = np.zeros_like(first)
        return np.stack([rows, rows + self.shape[1], first, last], axis=1)


def _cut_at_near_plane(polygons: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Corners in front of the near plane, and where edges pierce it: (n, 2k, 3) and whether each is there."""
    after = np.roll(polygons, -1, axis=1)
    z, z_after = polygons[..., 2], after[..., 2]
    pierced = (z > _NEAR) != (z_after > _NEAR)
    share = (_NEAR - z) / np.where(pierced, z_after - z, 1.0)
    piercing = polygons + np.clip(share, 0, 1)[..., None] * (after - polygons)
    points = np.concatenate([polygons, piercing], axis=1)
    there = np.concatenate([z > _NEAR, pierced], axis=1)
    points[..., 2] = np.where(there, np.maximum(points[..., 2], _NEAR / 2), 1.0)
    return points, there
