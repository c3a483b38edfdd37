"""Charts as SVG text, drawn in the page's own colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from selfsup_depth.ablation.comparison import Difference
from selfsup_depth.ablation.outcomes import Curve
from selfsup_depth.training.charts import ticks

# Longer than its row, so that it goes on from one to the next.
ZERO_LINE = '<line class="zero" x1="50%" x2="50%" y1="-14" y2="46"/>'
EMPTY_STRIP = f'<svg class="strip" height="32" aria-hidden="true">{ZERO_LINE}</svg>'
WIDTH, HEIGHT = 300, 150
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 10, 24


class Line(NamedTuple):
    """A curve in a chart.

    points: (step, value).
    kind: class of the page's style: "base", "mine", with "-mean" for the one drawn boldly.
    """

    points: Curve
    kind: str


def difference_strip(difference: Difference, reach: float, verdict: str) -> str:
    """Seeds as dots, their mean and interval, around zero; positions in per cent, so that it fits any width.

    Args:
        difference: to the baseline.
        reach: the difference at the strip's ends, the same in all rows.
        verdict: class of the page's style.
    """

    def place(value: float) -> str:
        return f"{50 + 47 * value / reach:.2f}%" if reach else "50%"

    parts = [ZERO_LINE]
    if difference.interval:
        low, high = map(place, difference.interval)
        parts.append(f'<line class="interval {verdict}" x1="{low}" x2="{high}" y1="16" y2="16"/>')
    for seed, value in difference.by_seed.items():
        parts.append(
            f'<circle class="seed" cx="{place(value)}" cy="16" r="3.5">'
            f"<title>seed {seed}: {value:+.4f}</title></circle>"
        )
    parts.append(f'<circle class="mean {verdict}" cx="{place(difference.mean)}" cy="16" r="6"/>')
    label = escape(f"difference {difference.mean:+.4f}")
    return f'<svg class="strip" height="32" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def chart(lines: Sequence[Line], bounds: tuple[float, float, float, float], title: str) -> str:
    """Curves over steps.

    Args:
        lines: drawn in this order.
        bounds: least and largest step, least and largest value.
        title: for those who do not see it.
    """
    left, right, low, high = bounds

    def x(step: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (step - left) / ((right - left) or 1)

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / ((high - low) or 1)

    parts = []
    for tick in ticks(low, high, 4):
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>'
        )
        parts.append(f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:.3g}</text>')
    for tick in ticks(left, right, 3):
        parts.append(f'<text x="{x(tick):.1f}" y="{HEIGHT - 7}" text-anchor="middle">{tick:g}</text>')
    for line in lines:
        points = " ".join(f"{x(s):.1f},{y(min(max(v, low), high)):.1f}" for s, v in line.points)
        parts.append(f'<polyline class="{line.kind}" points="{points}"/>')
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def smoothed(curve: Curve, most: int = 40) -> Curve:
    """Means over equal stretches, for a curve of more points than can be seen."""
    size = math.ceil(len(curve) / most)
    if size <= 1:
        return curve
    pieces = [curve[start : start + size] for start in range(0, len(curve), size)]
    return [(piece[-1][0], sum(value for _, value in piece) / len(piece)) for piece in pieces]


def mean_curve(curves: Sequence[Curve]) -> Curve:
    """Mean over the runs at the steps that all of them have."""
    tables = [dict(curve) for curve in curves]
    common = set.intersection(*map(set, tables)) if tables else set()
    return [(step, sum(table[step] for table in tables) / len(tables)) for step in sorted(common)]
