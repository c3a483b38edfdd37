"""The houses of a synthetic street."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from selfsup_depth.data.synthetic_materials import NUM_FACADES
from selfsup_depth.data.synthetic_plan import StreetPlan
from selfsup_depth.data.synthetic_scene import Quads, box, flipped, joined, quad
from selfsup_depth.data.synthetic_trajectory import Array

_DEPTH = 10.0
_BRICKWORK = (3.5, 2.6)  # metres that the brick texture shows


def house_row(plan: StreetPlan, rng: np.random.Generator, side: int) -> list[Quads]:
    """Houses whose fronts look at the street, broken by crossings, gaps and gardens.

    side: 1 the right of the street, -1 the left.
    """
    parts, s = [], plan.line.s[0] + 5.0
    while s < plan.line.s[-1] - 15:
        width = rng.uniform(7, 13)
        d = plan.half_width + plan.pavement + rng.choice([0.0, 0.0, rng.uniform(0, 2)])
        if not plan.clear_of_crossings(s + width / 2, width / 2 + 1):
            s += 1.0
            continue
        if rng.random() < 0.15:
            size = (width - 1, rng.uniform(1, 1.8), 0.7)
            garden = box(size, {"sides": "hedge", "top": "hedge"}, np.ones(3), (2.5, 1.8))
            parts.append(plan.stand(garden, s + width / 2, side * (d + 0.5), side * np.pi / 2))
        else:
            home = house(rng, width, rng.uniform(6, 12))
            parts.append(plan.stand(home, s + width / 2, side * (d + _DEPTH / 2), side * np.pi / 2))
        s += width + (rng.uniform(1.5, 5) if rng.random() < 0.25 else 0.15)
    return parts


def closing_houses(plan: StreetPlan, rng: np.random.Generator) -> list[Quads]:
    """Houses that close the view down every crossing street and along the street itself."""
    parts = []
    for crossing in plan.crossings:
        for side in (-1, 1):
            for ahead in (-7, 7):
                home = house(rng, 14, rng.uniform(8, 13))
                parts.append(plan.stand(home, crossing + ahead, side * 38.0, side * np.pi / 2))
    for left, right in pairwise((-21, -7, 7, 21)):
        home = house(rng, right - left, rng.uniform(9, 14))
        parts.append(plan.stand(home, plan.line.s[-1] - 1, (left + right) / 2))
    return parts


def house(rng: np.random.Generator, width: float, height: float) -> Quads:
    """A house around the origin, its front towards -z, with a gabled or a flat roof."""
    tint = rng.uniform(0.8, 1.15) * rng.uniform(0.92, 1.08, 3)
    size = (width, height, _DEPTH)
    parts = [
        box(size, {"front": f"facade{rng.integers(NUM_FACADES)}"}, tint),
        box(size, {"left": "brick", "right": "brick"}, tint, _BRICKWORK),
    ]
    if rng.random() < 0.6:
        parts += _gabled_roof(width, height, rng.uniform(2, 3.5), rng.uniform(0.7, 1.2) * np.ones(3), tint)
    return joined(parts)


def _gabled_roof(width: float, height: float, rise: float, tint: Array, wall_tint: Array) -> list[Quads]:
    """The slope towards the street and the two gables; nobody sees the other slope."""
    x, z = width / 2, _DEPTH / 2
    ridge = np.array([-x, -height - rise, 0.0])
    slope = quad(ridge, np.array([width, 0, 0.0]), np.array([0, rise, -z]), "roof", tint, (4, 4))
    gables = [
        quad(
            np.array([side * x, -height, -side * z]),
            np.array([0, 0, side * 2 * z]),
            np.array([0, -rise, side * z]),
            "brick",
            wall_tint,
            _BRICKWORK,
            triangle=True,
        )
        for side in (-1, 1)
    ]
    return [slope, *map(flipped, gables)]
