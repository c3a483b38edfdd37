"""What stands along a synthetic street, drawn from a seed."""

from __future__ import annotations

import dataclasses

import numpy as np

from selfsup_depth.data.synthetic_car import car
from selfsup_depth.data.synthetic_houses import closing_houses, house_row
from selfsup_depth.data.synthetic_plan import StreetPlan
from selfsup_depth.data.synthetic_scene import Ellipsoids, Quads, box, joined


def build_street(
    plan: StreetPlan, rng: np.random.Generator, textureless_walls: bool
) -> tuple[Quads, Ellipsoids]:
    """Everything that stands still, from one end of the line to the other."""
    parts = closing_houses(plan, rng)
    crowns: list[Ellipsoids] = []
    for side in (-1, 1):
        parts += house_row(plan, rng, side) + _parked_cars(plan, rng, side) + _furniture(plan, rng, side)
        for trunk, crown in _trees(plan, rng, side):
            parts.append(trunk)
            crowns.append(crown)
    street = joined(parts)
    if textureless_walls:
        is_wall = np.char.startswith(street.tile, "facade") | (street.tile == "brick")
        street = dataclasses.replace(street, tile=np.where(is_wall, "flat", street.tile))
    return street, Ellipsoids(
        *(np.concatenate(values) for values in zip(*(vars(crown).values() for crown in crowns), strict=True))
    )


def _parked_cars(plan: StreetPlan, rng: np.random.Generator, side: int) -> list[Quads]:
    parts, s = [], plan.line.s[0] + 8.0
    while s < plan.line.s[-1] - 8:
        if rng.random() < 0.62 and plan.clear_of_crossings(s, 4.5):
            turn = (0.0 if side > 0 else np.pi) + rng.normal(0, 0.02)
            d = plan.half_width - 1.0 + rng.normal(0, 0.06)
            parts.append(plan.stand(car(rng), s, side * d, turn))
        s += rng.uniform(5.4, 7.5)
    return parts


def _furniture(plan: StreetPlan, rng: np.random.Generator, side: int) -> list[Quads]:
    """Lamp posts, signs, cabinets and bins on the pavement."""
    parts, s = [], plan.line.s[0] + rng.uniform(4, 12)
    make = (_lamp, _lamp, _sign, _cabinet, _cabinet)
    while s < plan.line.s[-1] - 4:
        if plan.clear_of_crossings(s, 1.0):
            parts += make[rng.integers(len(make))](plan, rng, s, side)
        s += rng.uniform(5, 13)
    return parts


def _lamp(plan: StreetPlan, rng: np.random.Generator, s: float, side: int) -> list[Quads]:
    grey = rng.uniform(0.5, 1.2) * np.ones(3)
    post = box((0.16, 6.0, 0.16), {"sides": "metal"}, grey, (0.5, 1.0))
    arm = box((1.6, 0.12, 0.12), {"sides": "metal", "top": "metal"}, grey, lift=5.9)
    kerb = plan.half_width
    return [plan.stand(post, s, side * (kerb + 0.5)), plan.stand(arm, s, side * (kerb - 0.2))]


def _sign(plan: StreetPlan, rng: np.random.Generator, s: float, side: int) -> list[Quads]:
    post = box((0.09, 2.6, 0.09), {"sides": "metal"}, rng.uniform(0.5, 1.2) * np.ones(3), (0.5, 1.0))
    plate = box((0.7, 0.8, 0.06), {"sides": "sign"}, rng.uniform(0.7, 1.1, 3), lift=1.9)
    d = side * (plan.half_width + 0.5)
    return [plan.stand(post, s, d), plan.stand(plate, s - 0.09, d)]


def _cabinet(plan: StreetPlan, rng: np.random.Generator, s: float, side: int) -> list[Quads]:
    width, height, length = rng.uniform((0.5, 0.8, 0.5), (1.3, 1.6, 1.0)).tolist()
    crate = box((width, height, length), {"sides": "crate", "top": "crate"}, rng.uniform(0.5, 1.1, 3))
    d = side * (plan.half_width + rng.uniform(0.9, plan.pavement - 0.5))
    return [plan.stand(crate, s, d, rng.normal(0, 0.15))]


def _trees(plan: StreetPlan, rng: np.random.Generator, side: int) -> list[tuple[Quads, Ellipsoids]]:
    """Trunks and crowns; a crown is some overlapping ellipsoids."""
    trees, s = [], plan.line.s[0] + rng.uniform(4, 14)
    while s < plan.line.s[-1] - 4:
        if plan.clear_of_crossings(s, 3.0) and rng.random() < 0.75:
            d = side * (plan.half_width + rng.uniform(0.7, 1.0))
            height, thickness = rng.uniform(3.1, 3.8), rng.uniform(0.22, 0.35)
            trunk = box((thickness, height, thickness), {"sides": "bark"}, np.ones(3), (1, 2.5))
            num = int(rng.integers(3, 6))
            offsets = rng.uniform((-0.9, -1.6, -0.9), (0.9, 0.2, 0.9), (num, 3))
            centre = plan.line.point(s, d) + offsets - np.array([0, height, 0])
            radii = rng.uniform((0.8, 0.7, 0.8), (1.4, 1.2, 1.4), (num, 3))
            tint = rng.uniform(0.8, 1.3, (num, 1)) * rng.uniform((0.8, 0.9, 0.7), (1.4, 1.2, 1.1))
            leaves = np.full(num, f"leaves{rng.integers(2)}")
            trees.append((plan.stand(trunk, s, d), Ellipsoids(centre, radii, tint, leaves)))
        s += rng.uniform(9, 16)
    return trees
