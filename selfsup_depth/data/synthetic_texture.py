"""Painted textures: noise at every scale, and what houses, cars and streets show.

A texture is an (h, w, 3) float32 array in [0, 1] that repeats without a seam. Everything
carries noise whose amplitude falls with frequency as in photographs, so that a pixel can be
told from its neighbours at any distance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Texture = NDArray[np.float32]
Colour = Sequence[float] | NDArray[np.floating]


class Canvas:
    """A texture being painted.

    Args:
        rng: draws what is random about it.
        height, width: texels.
        colour: RGB that it starts with.
    """

    def __init__(self, rng: np.random.Generator, height: int, width: int, colour: Colour) -> None:
        self.rng = rng
        self.height, self.width = height, width
        self.pixels = np.empty((height, width, 3), np.float32)
        self.pixels[:] = colour

    def fill(self, top: float, bottom: float, left: float, right: float, colour: Colour) -> None:
        """Paint a rectangle given in fractions of the canvas."""
        rows = slice(round(top * self.height), max(round(bottom * self.height), round(top * self.height) + 1))
        columns = slice(
            round(left * self.width), max(round(right * self.width), round(left * self.width) + 1)
        )
        self.pixels[rows, columns] = colour

    def disc(self, row: float, column: float, radius: float, colour: Colour, aspect: float = 1.0) -> None:
        """Paint a disc; radius as a fraction of the height, aspect = metres across / metres down."""
        rows = (np.arange(self.height)[:, None] + 0.5) / self.height - row
        columns = ((np.arange(self.width)[None] + 0.5) / self.width - column) * aspect
        self.pixels[np.hypot(rows, columns) < radius] = colour

    def weather(self, strength: float, slope: float = 1.1, colour: float = 0.12) -> None:
        """Multiply by noise: strength is its standard deviation, colour the share that is not grey."""
        grey = fractal_noise(self.rng, self.height, self.width, slope)
        hues = np.stack([fractal_noise(self.rng, self.height, self.width, slope + 0.3) for _ in range(3)], -1)
        self.pixels *= np.exp(strength * ((1 - colour) * grey[..., None] + colour * hues))

    def slabs(self, rows: int, columns: int, contrast: float, joint: float, stagger: bool = False) -> None:
        """Multiply by a pattern of bricks, slabs or tiles, each of its own brightness.

        joint is the share of a slab's height that is mortar.
        """
        down = np.arange(self.height) / self.height * rows
        shift = (down.astype(int) % 2 * 0.5)[:, None] if stagger else np.zeros((1, 1))
        across = (np.arange(self.width) / self.width * columns)[None] + shift
        row, column = np.broadcast_arrays(down.astype(int)[:, None], across.astype(int) % columns)
        tone = self.rng.normal(1, contrast, (rows, columns))[row, column]
        aspect = (self.height / rows) / (self.width / columns)
        in_joint = (down % 1 < joint)[:, None] | (across % 1 < joint * aspect)
        self.pixels *= np.where(in_joint, 1 - 2.5 * contrast, tone)[..., None]

    def shade_down(self, top: float, bottom: float) -> None:
        """Multiply by a vertical gradient."""
        self.pixels *= np.linspace(top, bottom, self.height, dtype=np.float32)[:, None, None]

    def done(self) -> Texture:
        """The painted texture, kept away from black and white so that light can change it."""
        return np.clip(self.pixels, 0.02, 0.98).astype(np.float32)


def fractal_noise(rng: np.random.Generator, height: int, width: int, slope: float) -> Texture:
    """(h, w) noise without seam, mean 0, deviation 1; amplitude falls as frequency ** -slope."""
    spectrum = np.fft.rfft2(rng.standard_normal((height, width)))
    # Frequencies per texture side, whatever its resolution, so that the look does not depend on it.
    frequency = np.hypot(np.fft.fftfreq(height, 1 / height)[:, None], np.fft.rfftfreq(width, 1 / width))
    frequency[0, 0] = np.inf
    noise = np.fft.irfft2(spectrum * np.maximum(frequency, 2) ** -slope, (height, width))
    return np.asarray(np.clip(noise / noise.std(), -3, 3), np.float32)


def muted(rng: np.random.Generator, least: float, most: float) -> Texture:
    """(3,) a colour that is not garish."""
    colour = rng.uniform(least, most, 3)
    return np.asarray(0.5 * colour + 0.5 * colour.mean(), np.float32)


def facade(rng: np.random.Generator, n: int) -> Texture:
    """The front of a house: floors, windows, a door or a shop."""
    plaster = PLASTERS[rng.integers(len(PLASTERS))] * rng.uniform(0.85, 1.1)
    canvas = Canvas(rng, n, n, plaster)
    if rng.random() < 0.4:
        canvas.slabs(40, 24, 0.08, 0.15, stagger=True)
    floors, columns = int(rng.integers(2, 5)), int(rng.integers(3, 6))
    trim = plaster * rng.uniform(0.6, 1.3)
    storey, bay = 0.94 / floors, 1.0 / columns
    high, wide = rng.uniform(0.45, 0.62), rng.uniform(0.4, 0.6)
    for floor in range(floors):
        top = 0.05 + floor * storey
        canvas.fill(top - 0.012, top + 0.008, 0, 1, trim)
        for column in range(columns):
            left = (column + (1 - wide) / 2) * bay
            _window(canvas, top + 0.2 * storey, top + (0.2 + high) * storey, left, left + wide * bay, trim)
    if rng.random() < 0.4:
        _shop(canvas, 1 - 0.8 * storey)
    else:
        left = (rng.integers(columns) + 0.25) * bay
        canvas.fill(1 - 0.75 * storey, 1, left, left + 0.5 * bay, muted(rng, 0.15, 0.5))
        canvas.fill(
            1 - 0.7 * storey, 1 - 0.45 * storey, left + 0.1 * bay, left + 0.4 * bay, (0.3, 0.34, 0.38)
        )
    if rng.random() < 0.3:
        canvas.fill(0.95, 1, 0, 1, trim * 0.7)
    canvas.fill(0, 1, 0.0, 0.02, trim * 0.6)
    canvas.fill(0, 0.02, 0, 1, trim * 0.7)
    canvas.weather(0.13)
    canvas.shade_down(1.05, 0.88)
    return canvas.done()


def _window(canvas: Canvas, top: float, bottom: float, left: float, right: float, trim: Texture) -> None:
    rng, frame = canvas.rng, (right - left) * 0.1
    canvas.fill(top - frame, bottom + frame, left - frame, right + frame, trim)
    canvas.fill(bottom + frame, bottom + 1.6 * frame, left - 1.5 * frame, right + 1.5 * frame, trim * 1.25)
    canvas.fill(top, bottom, left, right, np.array([0.16, 0.2, 0.25]) * rng.uniform(0.6, 1.9))
    if rng.random() < 0.6:  # curtain or blind
        canvas.fill(
            top, top + (bottom - top) * rng.uniform(0.2, 1), left, right, rng.uniform(0.35, 0.8) * np.ones(3)
        )
    middle = (left + right) / 2
    canvas.fill(top, bottom, middle - frame / 3, middle + frame / 3, trim * 1.1)


def _shop(canvas: Canvas, top: float) -> None:
    rng = canvas.rng
    canvas.fill(top, 1, 0.06, 0.94, muted(rng, 0.1, 0.35))
    canvas.fill(top, top + 0.06, 0.04, 0.96, muted(rng, 0.2, 0.9))
    for left in np.arange(0.1, 0.85, 0.21):
        canvas.fill(top + 0.08, 0.95, left, left + 0.17, muted(rng, 0.15, 0.55))
        for _ in range(5):
            row, column = top + 0.1 + (0.85 - top) * rng.uniform(0, 0.9), rng.uniform(left, left + 0.12)
            canvas.fill(row, row + 0.04, column, column + 0.04, muted(rng, 0.2, 0.95))


def car_side(rng: np.random.Generator, n: int) -> Texture:
    """Lower half of a car from the side; white where the paint goes."""
    canvas = Canvas(rng, n // 2, n, (0.85, 0.85, 0.85))
    canvas.shade_down(1.0, 0.75)
    canvas.fill(0.78, 1, 0, 1, (0.06, 0.06, 0.07))
    for door in (0.3, 0.52, 0.73):
        canvas.fill(0.0, 0.75, door, door + 0.006, (0.25, 0.25, 0.25))
        canvas.fill(0.14, 0.19, door - 0.05, door - 0.02, (0.3, 0.3, 0.3))
    canvas.fill(0.42, 0.46, 0.02, 0.98, (0.4, 0.4, 0.4))
    for wheel in (0.19, 0.81):
        canvas.disc(0.66, wheel, 0.38, (0.05, 0.05, 0.06), aspect=4.7)
        canvas.disc(0.66, wheel, 0.2, (0.6, 0.6, 0.62), aspect=4.7)
        canvas.disc(0.66, wheel, 0.07, (0.1, 0.1, 0.1), aspect=4.7)
    canvas.weather(0.08)
    return canvas.done()


def car_end(rng: np.random.Generator, n: int, light: Colour) -> Texture:
    """Front or rear of a car: lights, plate, bumper; white where the paint goes."""
    canvas = Canvas(rng, n // 2, n // 2, (0.85, 0.85, 0.85))
    canvas.shade_down(1.0, 0.8)
    canvas.fill(0.15, 0.38, 0.04, 0.22, light)
    canvas.fill(0.15, 0.38, 0.78, 0.96, light)
    canvas.fill(0.2, 0.32, 0.32, 0.68, (0.9, 0.9, 0.85))
    for column in np.arange(0.35, 0.64, 0.05):
        canvas.fill(0.22, 0.3, column, column + 0.03, (0.1, 0.1, 0.15))
    canvas.fill(0.5, 0.58, 0.03, 0.97, (0.3, 0.3, 0.3))
    canvas.fill(0.78, 1, 0, 1, (0.05, 0.05, 0.06))
    canvas.fill(0.7, 1, 0.04, 0.2, (0.04, 0.04, 0.04))
    canvas.fill(0.7, 1, 0.8, 0.96, (0.04, 0.04, 0.04))
    canvas.weather(0.08)
    return canvas.done()


PLASTERS = np.array(
    [
        (0.72, 0.68, 0.6),
        (0.62, 0.4, 0.32),
        (0.7, 0.6, 0.42),
        (0.55, 0.57, 0.58),
        (0.66, 0.5, 0.4),
        (0.78, 0.76, 0.7),
        (0.52, 0.58, 0.52),
        (0.5, 0.34, 0.28),
    ],
    np.float32,
)
