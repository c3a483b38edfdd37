"""Paths seen from above, as a picture."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from selfsup_depth.structures import Trajectory

SIDE = 900
MARGIN = 60
# Most lines of the grid along one axis.
GRID_LINES = 8

# Blue and orange of Okabe and Ito: told apart by every eye, and in grey.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7")
GRID, INK, PAPER = "#e4e4e4", "#404040", "#ffffff"


class _Frame(NamedTuple):
    """From metres (x right, z up the picture) to pixels, one scale for both axes."""

    low: NDArray[np.float64]
    pixels_per_metre: float

    def pixels(self, places: NDArray[np.float64]) -> list[tuple[float, float]]:
        x, z = ((places - self.low) * self.pixels_per_metre + MARGIN).T
        return list(zip(x.tolist(), (SIDE - z).tolist(), strict=True))


def picture_of_paths(paths: dict[str, Trajectory]) -> NDArray[np.uint8]:
    """Draw paths from above: x to the right, z upwards, metres, a dot where each begins.

    Args:
        paths: by what the legend calls them, all in one coordinate system.

    Returns:
        (H, W, 3) RGB.
    """
    places = {name: path.positions[:, [0, 2]] for name, path in paths.items()}
    everything = np.concatenate(list(places.values()))
    span = max(float(np.ptp(everything, axis=0).max()), 1e-6)
    middle = (everything.min(0) + everything.max(0)) / 2
    frame = _Frame(middle - span / 2, (SIDE - 2 * MARGIN) / span)
    image = Image.new("RGB", (SIDE, SIDE), PAPER)
    draw = ImageDraw.Draw(image)
    _draw_grid(draw, frame, span)
    for (name, track), colour, row in zip(places.items(), COLOURS, range(len(places)), strict=False):
        line = frame.pixels(track)
        draw.line(line, fill=colour, width=3, joint="curve")
        x, y = line[0]
        draw.ellipse((x - 6, y - 6, x + 6, y + 6), fill=colour)
        height = 14 + 22 * row
        draw.line((SIDE - 210, height + 8, SIDE - 180, height + 8), fill=colour, width=4)
        draw.text((SIDE - 172, height), name, fill=INK, font=ImageFont.load_default(15))
    return np.asarray(image)


def _draw_grid(draw: ImageDraw.ImageDraw, frame: _Frame, span: float) -> None:
    step = _round_step(span / GRID_LINES)
    font = ImageFont.load_default(13)
    for axis in (0, 1):
        first = math.ceil(frame.low[axis] / step)
        for index in range(first, math.floor((frame.low[axis] + span) / step) + 1):
            place = np.array([frame.low, frame.low + span])
            place[:, axis] = index * step
            ends = frame.pixels(place)
            draw.line(ends, fill=GRID)
            label = f"{index * step:g}"
            at = (ends[0][0], SIDE - MARGIN + 8) if axis == 0 else (MARGIN - 8, ends[0][1])
            draw.text(at, label, fill=INK, font=font, anchor="mt" if axis == 0 else "rm")
    draw.text((SIDE / 2, SIDE - 16), "x, metres (z upwards)", fill=INK, font=font, anchor="mm")


def _round_step(least: float) -> float:
    """The least of 1, 2 and 5 times a power of ten that is not smaller."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least)
