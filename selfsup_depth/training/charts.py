"""Charts as SVG text, drawn in the page's own colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 460, 230
LEFT, RIGHT, TOP, BOTTOM = 56, 10, 12, 46


class Line(NamedTuple):
    """A curve in a chart.

    points: (x, y) in order of x.
    kind: class of the page's style.
    dots: whether its points are marked.
    """

    points: Sequence[tuple[float, float]]
    kind: str
    dots: bool = False


class Bar(NamedTuple):
    """A bar from the axis up; `says` is shown when it is pointed at."""

    low: float
    high: float
    value: float
    says: str
    kind: str = "bar"


class Axes(NamedTuple):
    """What a chart shows: from 0 to `right` (or from `left`) and from 0 to `top`."""

    right: float
    top: float
    x_label: str
    y_label: str
    left: float = 0.0


def chart(axes: Axes, bars: Sequence[Bar] = (), lines: Sequence[Line] = ()) -> str:
    """Bars, and lines over them.

    Args:
        axes: bounds and labels.
        bars: drawn first.
        lines: drawn in this order.
    """
    parts = [*_grid(axes)]
    for bar in bars:
        left, right, top = _x(axes, bar.low), _x(axes, bar.high), _y(axes, bar.value)
        shape = f'x="{left + 1:.1f}" y="{top:.1f}" width="{max(0.5, right - left - 2):.1f}"'
        height = HEIGHT - BOTTOM - top
        parts.append(
            f'<rect class="{bar.kind}" {shape} height="{height:.1f}" rx="2">'
            f"<title>{escape(bar.says)}</title></rect>"
        )
    for line in lines:
        places = [f"{_x(axes, x):.1f},{_y(axes, y):.1f}" for x, y in line.points]
        parts.append(f'<polyline class="{line.kind}" points="{" ".join(places)}"/>')
        for place, (x, y) in zip(places if line.dots else [], line.points, strict=False):
            cx, cy = place.split(",")
            says = f"<title>{x:g}: {y:.4f}</title>"
            parts.append(f'<circle class="{line.kind}" cx="{cx}" cy="{cy}" r="3.2">{says}</circle>')
    label = escape(f"{axes.y_label} by {axes.x_label}")
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _grid(axes: Axes) -> list[str]:
    parts = []
    for tick in ticks(0, axes.top, 4):
        y = _y(axes, tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in ticks(axes.left, axes.right, 4):
        x = _x(axes, tick)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{tick:g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 5}" text-anchor="middle">{escape(axes.x_label)}</text>')
    return parts


def _x(axes: Axes, value: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (value - axes.left) / ((axes.right - axes.left) or 1)


def _y(axes: Axes, value: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(value / (axes.top or 1), 1)


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers between two values, about so many."""
    if not high > low:
        return [low]
    rough = 0.7 * (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 12) for index in range(first, math.floor(high / step + 1e-9) + 1)]
