"""What stands along a synthetic street, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from selfsup_depth.data.synthetic_car import car
from selfsup_depth.data.synthetic_materials import NUM_FACADES
from selfsup_depth.data.synthetic_scene import Ellipsoids, Quads, box, flipped, joined, quad
from selfsup_depth.data.synthetic_trajectory import Array, Centreline

CROSSING_HALF_WIDTH = 4.0


@dataclass(frozen=True)
class StreetPlan:
    """Measures of a street.

    line: its middle.
    half_width: of the road between the kerbs, metres.
    pavement: width of the pavement, metres.
    crossings: s of the streets that cross it.
    """

    line: Centreline
    half_width: float
    pavement: float
    crossings: Array

    def clear_of_crossings(self, s: float, margin: float) -> bool:
        """Whether nothing within a margin of s reaches into a crossing street."""
        return bool(np.all(np.abs(self.crossings - s) > CROSSING_HALF_WIDTH + margin))


def build_street(
    plan: StreetPlan, rng: np.random.Generator, textureless_walls: bool
) -> tuple[Quads, Ellipsoids]:
    """Everything that stands still, from one end of the line to the other."""
    parts: list[Quads] = []
    crowns: list[Ellipsoids] = []
    for side in (-1, 1):
        parts += _houses(plan, rng, side, textureless_walls)
        parts += _parked_cars(plan, rng, side)
        parts += _street_furniture(plan, rng, side)
        for trunk, crown in _trees(plan, rng, side):
            parts.append(trunk)
            crowns.append(crown)
    parts += _street_ends(plan, rng, textureless_walls)
    round_parts = Ellipsoids(
        *(np.concatenate(values) for values in zip(*(vars(c).values() for c in crowns), strict=True))
    )
    return joined(parts), round_parts


def _stand(plan: StreetPlan, part: Quads, s: float, d: float, turn: float = 0.0) -> Quads:
    """Put a part on the ground; its -z face looks back along the street, turned right by `turn`."""
    return part.placed(plan.line.point(s, d), float(plan.line.heading(s)) + turn)


def _houses(plan: StreetPlan, rng: np.random.Generator, side: int, textureless: bool) -> list[Quads]:
    """Rows of houses whose fronts look at the street, broken by the crossings and some gardens."""
    parts, s = [], plan.line.s[0] + 5.0
    while s < plan.line.s[-1] - 15:
        width, height = rng.uniform(7, 13), rng.uniform(6, 12)
        setback = plan.half_width + plan.pavement + rng.choice([0.0, 0.0, rng.uniform(0, 2)])
        if not plan.clear_of_crossings(s + width / 2, width / 2 + 1):
            s += 1.0
            continue
        if rng.random() < 0.15:
            hedge = box(
                width - 1,
                rng.uniform(1, 1.8),
                0.7,
                {"sides": "hedge", "top": "hedge"},
                np.ones(3),
                (2.5, 1.8),
            )
            parts.append(_stand(plan, hedge, s + width / 2, side * (setback + 0.5), side * np.pi / 2))
        else:
            front = "flat" if textureless else f"facade{rng.integers(NUM_FACADES)}"
            house = _house(rng, width, height, front, "flat" if textureless else "brick")
            parts.append(_stand(plan, house, s + width / 2, side * (setback + 5), side * np.pi / 2))
        s += width + (rng.uniform(1.5, 5) if rng.random() < 0.25 else 0.15)
    return parts


def _house(rng: np.random.Generator, width: float, height: float, front: str, wall: str) -> Quads:
    """A house of 10 m depth, with a gabled or a flat roof."""
    tint = rng.uniform(0.8, 1.15) * rng.uniform(0.92, 1.08, 3)
    tiles = {"front": front, "left": wall, "right": wall}
    parts = [box(width, height, 10, {"front": front}, tint)]
    parts.append(box(width, height, 10, {key: tiles[key] for key in ("left", "right")}, tint, (3.5, 2.6)))
    if rng.random() < 0.6:
        parts.append(
            _gabled_roof(width, height, rng.uniform(2, 3.5), rng.uniform(0.7, 1.2) * np.ones(3), wall, tint)
        )
    return joined(parts)


def _gabled_roof(width: float, height: float, rise: float, tint: Array, wall: str, wall_tint: Array) -> Quads:
    x, ridge = width / 2, -height - rise
    slope = quad(
        np.array([-x, ridge, 0.0]), np.array([width, 0, 0.0]), np.array([0, rise, -5.0]), "roof", tint, (4, 4)
    )
    left = quad(
        np.array([-x, -height, 5.0]),
        np.array([0, 0, -10.0]),
        np.array([0, -rise, -5.0]),
        wall,
        wall_tint,
        (3.5, 2.6),
        True,
    )
    right = quad(
        np.array([x, -height, -5.0]),
        np.array([0, 0, 10.0]),
        np.array([0, -rise, 5.0]),
        wall,
        wall_tint,
        (3.5, 2.6),
        True,
    )
    return joined([slope, flipped(left), flipped(right)])


def _parked_cars(plan: StreetPlan, rng: np.random.Generator, side: int) -> list[Quads]:
    parts, s = [], plan.line.s[0] + 8.0
    while s < plan.line.s[-1] - 8:
        if rng.random() < 0.62 and plan.clear_of_crossings(s, 4.5):
            turn = (0.0 if side > 0 else np.pi) + rng.normal(0, 0.02)
            parts.append(
                _stand(plan, car(rng), s, side * (plan.half_width - 1.0 + rng.normal(0, 0.06)), turn)
            )
        s += rng.uniform(5.4, 7.5)
    return parts


def _street_furniture(plan: StreetPlan, rng: np.random.Generator, side: int) -> list[Quads]:
    """Lamp posts, signs, cabinets and bins on the pavement."""
    parts, s = [], plan.line.s[0] + rng.uniform(4, 12)
    kerb = plan.half_width
    while s < plan.line.s[-1] - 4:
        if plan.clear_of_crossings(s, 1.0):
            kind = rng.integers(5)
            grey = rng.uniform(0.5, 1.2) * np.ones(3)
            if kind <= 1:
                post = box(0.16, 6.0, 0.16, {"sides": "metal"}, grey, (0.5, 1.0))
                arm = box(1.6, 0.12, 0.12, {"sides": "metal", "top": "metal"}, grey, lift=5.9)
                parts.append(_stand(plan, post, s, side * (kerb + 0.5)))
                parts.append(_stand(plan, arm, s, side * (kerb - 0.2)))
            elif kind == 2:
                post = box(0.09, 2.6, 0.09, {"sides": "metal"}, grey, (0.5, 1.0))
                plate = box(0.7, 0.8, 0.06, {"sides": "sign"}, rng.uniform(0.7, 1.1, 3), lift=1.9)
                parts += [
                    _stand(plan, part, s + ahead, side * (kerb + 0.5))
                    for part, ahead in ((post, 0.0), (plate, -0.09))
                ]
            else:
                size = rng.uniform((0.5, 0.8, 0.5), (1.3, 1.6, 1.0))
                crate = box(*size, {"sides": "crate", "top": "crate"}, rng.uniform(0.5, 1.1, 3))
                parts.append(
                    _stand(
                        plan,
                        crate,
                        s,
                        side * (kerb + rng.uniform(0.9, plan.pavement - 0.5)),
                        rng.normal(0, 0.15),
                    )
                )
        s += rng.uniform(5, 13)
    return parts


def _trees(plan: StreetPlan, rng: np.random.Generator, side: int) -> list[tuple[Quads, Ellipsoids]]:
    trees, s = [], plan.line.s[0] + rng.uniform(4, 14)
    while s < plan.line.s[-1] - 4:
        if plan.clear_of_crossings(s, 3.0) and rng.random() < 0.75:
            d = side * (plan.half_width + rng.uniform(0.7, 1.0))
            tall = rng.uniform(2.3, 3.0)
            trunk = box(
                *rng.uniform((0.22, tall + 0.8, 0.22), (0.35, tall + 0.8, 0.35)),
                {"sides": "bark"},
                np.ones(3),
                (1, 2.5),
            )
            num = int(rng.integers(3, 6))
            offsets = rng.uniform((-0.9, -1.6, -0.9), (0.9, 0.2, 0.9), (num, 3))
            radii = rng.uniform((0.8, 0.7, 0.8), (1.4, 1.2, 1.4), (num, 3))
            centre = plan.line.point(s, d) + [0, -tall - 0.8, 0] + offsets
            tint = rng.uniform(0.8, 1.3, (num, 1)) * rng.uniform((0.8, 0.9, 0.7), (1.4, 1.2, 1.1))
            trees.append(
                (
                    _stand(plan, trunk, s, d),
                    Ellipsoids(centre, radii, tint, np.full(num, f"leaves{rng.integers(2)}")),
                )
            )
        s += rng.uniform(9, 16)
    return trees


def _street_ends(plan: StreetPlan, rng: np.random.Generator, textureless: bool) -> list[Quads]:
    """Houses that close the view down every crossing street and along the street itself."""
    parts = []
    for crossing in plan.crossings:
        for side in (-1, 1):
            for ahead in (-7, 7):
                front = "flat" if textureless else f"facade{rng.integers(NUM_FACADES)}"
                house = _house(rng, 14, rng.uniform(8, 13), front, "flat" if textureless else "brick")
                parts.append(_stand(plan, house, crossing + ahead, side * 38.0, side * np.pi / 2))
    for start, stop in pairwise((-21, -7, 7, 21)):
        front = "flat" if textureless else f"facade{rng.integers(NUM_FACADES)}"
        house = _house(rng, stop - start, rng.uniform(9, 14), front, "flat" if textureless else "brick")
        parts.append(_stand(plan, house, plan.line.s[-1] - 1, (start + stop) / 2))
    return parts
