"""How the objective grows, as a picture: time above, memory below, a column for each quantity.

Both axes are logarithmic and relative to the smallest size, so linear growth is the grey diagonal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from selfsup_depth.training.path_picture import COLOURS, GRID, INK, PAPER

SIDE, LEFT, TOP, BOTTOM, RIGHT = 300, 52, 34, 44, 22
KINDS = (("milliseconds", "power_of_time", "time"), ("peak_mebibytes", "power_of_memory", "memory"))


def picture(growths: Sequence[dict[str, Any]]) -> Image.Image:
    """Draw what benchmarks/scaling.py found."""
    sheet = Image.new("RGB", (SIDE * len(growths), SIDE * len(KINDS)), PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, growth in enumerate(growths):
        for row, (kind, power, label) in enumerate(KINDS):
            title = f"{label} by {growth['quantity']}: power {growth[power]:.2f}"
            _Panel(draw, (SIDE * column, SIDE * row), growth["sizes"]).draw(growth[kind], title, COLOURS[row])
    return sheet


class _Panel:
    """One chart: sizes and values relative to their first, doubling along both axes.

    Args:
        draw: of the sheet.
        corner: left and top of the panel, pixels.
        sizes: along the lower axis.
    """

    def __init__(self, draw: ImageDraw.ImageDraw, corner: tuple[int, int], sizes: Sequence[float]) -> None:
        self.pen = draw
        self.corner = corner
        self.sizes = sizes
        self.doublings = max(1.0, math.log2(sizes[-1] / sizes[0]))

    def place(self, size: float, value: float) -> tuple[float, float]:
        """Pixels of a relative size and a relative value."""
        wide, high = SIDE - LEFT - RIGHT, SIDE - TOP - BOTTOM
        x = self.corner[0] + LEFT + wide * math.log2(size) / self.doublings
        return x, self.corner[1] + SIDE - BOTTOM - high * math.log2(value) / self.doublings

    def draw(self, values: Sequence[float], title: str, colour: str) -> None:
        """Grid, the linear diagonal, and the points joined."""
        font = ImageFont.load_default(13)
        for doubling in range(math.floor(self.doublings) + 1):
            ends = [self.place(1, 2**doubling), self.place(2**self.doublings, 2**doubling)]
            self.pen.line(ends, fill=GRID)
            self.pen.text((ends[0][0] - 8, ends[0][1]), f"{2**doubling}x", fill=INK, font=font, anchor="rm")
        for size in self.sizes:
            x, y = self.place(size / self.sizes[0], 1)
            self.pen.text((x, y + 10), shortly(size), fill=INK, font=font, anchor="mt")
        self.pen.line(
            [self.place(1, 1), self.place(2**self.doublings, 2**self.doublings)], fill="#808080", width=2
        )
        points = [
            self.place(s / self.sizes[0], v / values[0]) for s, v in zip(self.sizes, values, strict=True)
        ]
        self.pen.line(points, fill=colour, width=3, joint="curve")
        for x, y in points:
            self.pen.ellipse((x - 5, y - 5, x + 5, y + 5), fill=colour)
        self.pen.text((self.corner[0] + LEFT, self.corner[1] + 10), title, fill=INK, font=font)


def shortly(size: float) -> str:
    """A size in few letters, thousands as k."""
    return f"{size / 1000:.0f}k" if size >= 10_000 else f"{size:g}"
