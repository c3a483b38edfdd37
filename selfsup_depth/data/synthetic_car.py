"""A car, made of a dozen flat pieces."""

from __future__ import annotations

import numpy as np

from selfsup_depth.data.synthetic_scene import Quads, box, flipped, joined, quad

CAR_PAINTS = np.array(
    [
        (0.75, 0.12, 0.1),
        (0.14, 0.25, 0.55),
        (0.9, 0.9, 0.9),
        (0.2, 0.2, 0.22),
        (0.6, 0.62, 0.64),
        (0.1, 0.35, 0.25),
        (0.85, 0.7, 0.15),
        (0.45, 0.3, 0.22),
    ]
)


def car(rng: np.random.Generator) -> Quads:
    """A car around the origin of the ground, its front towards z."""
    length, width, roof = rng.uniform(3.9, 4.6), rng.uniform(1.7, 1.85), rng.uniform(1.42, 1.6)
    x, z, belt = width / 2, length / 2, 0.88
    hood, boot = z - rng.uniform(0.9, 1.2), -z + rng.uniform(0.1, 0.6)
    nose, tail = hood - 0.75, boot + 0.45  # where the roof begins and ends
    paint = CAR_PAINTS[rng.integers(len(CAR_PAINTS))] * rng.uniform(0.85, 1.15)
    plain = np.ones(3)
    sides = {
        "front": "car_rear",
        "back": "car_front",
        "left": "car_side",
        "right": "car_side",
        "top": "car_body",
    }
    parts = [box((width, belt, length), sides, paint)]
    parts.append(_window(x, (nose, -roof), (hood, -belt)))
    parts.append(_window(-x, (tail, -roof), (boot, -belt)))
    parts.append(
        quad(
            np.array([-x, -roof, nose]),
            np.array([width, 0, 0.0]),
            np.array([0, 0, tail - nose]),
            "car_body",
            paint,
        )
    )
    rise, drop = np.array([0, belt - roof, 0.0]), np.array([0, roof - belt, 0.0])
    for end, sign in ((x, 1.0), (-x, -1.0)):
        start, stop = (tail, nose) if sign > 0 else (nose, tail)
        parts.append(
            quad(np.array([end, -roof, start]), np.array([0, 0, stop - start]), drop, "glass", plain)
        )
        for foot, tip in ((nose, hood), (tail, boot)):
            triangle = quad(
                np.array([end, -belt, foot]), np.array([0, 0, tip - foot]), rise, "glass", plain, None, True
            )
            parts.append(triangle if sign * (tip - foot) < 0 else flipped(triangle))
    return joined(parts)


def _window(left: float, roof: tuple[float, float], belt: tuple[float, float]) -> Quads:
    """The front or rear window, from the roof's edge down to the belt, each (z, y).

    left: x of what its viewer sees as its left side; the right side is at -left.
    """
    corner = np.array([left, roof[1], roof[0]])
    down = np.array([0.0, belt[1] - roof[1], belt[0] - roof[0]])
    return quad(corner, np.array([-2 * left, 0, 0.0]), down, "glass", np.ones(3))
