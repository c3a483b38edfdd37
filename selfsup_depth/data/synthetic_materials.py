"""The textures of one drive: what its houses, cars, trees and grounds are made of."""

from __future__ import annotations

import numpy as np

from selfsup_depth.data.synthetic_atlas import Atlas
from selfsup_depth.data.synthetic_texture import (
    PLASTERS,
    Canvas,
    Texture,
    car_end,
    car_side,
    facade,
    fractal_noise,
    muted,
)

NUM_FACADES = 9

ROAD_PERIOD = 40.0  # metres of street after which a ground texture repeats


def bake(rng: np.random.Generator, size: int, half_width: float) -> Atlas:
    """Paint all textures of a drive.

    Args:
        rng: draws everything random.
        size: texels of a house front's side, a power of two.
        half_width: of the road, metres; where lane marks go depends on it.
    """
    textures = {f"facade{i}": facade(rng, size) for i in range(NUM_FACADES)}
    textures |= _walls(rng, size) | _plants(rng, size // 2) | _grounds(rng, size, half_width)
    textures["car_side"] = car_side(rng, size)
    textures["car_front"] = car_end(rng, size, (0.95, 0.95, 0.9))
    textures["car_rear"] = car_end(rng, size, (0.9, 0.1, 0.08))
    textures["car_body"] = _plain(rng, size // 4, (0.85, 0.85, 0.85), 0.07)
    textures["glass"] = _glass(rng, size // 4)
    textures["sky"] = _sky(rng, size)
    return Atlas(textures, along=frozenset(GROUNDS))


GROUNDS = ("road", "crossing", "pavement", "yard", "kerb")


def _plain(rng: np.random.Generator, n: int, colour: tuple[float, float, float], weather: float) -> Texture:
    canvas = Canvas(rng, n, n, colour)
    canvas.weather(weather)
    return canvas.done()


def _walls(rng: np.random.Generator, n: int) -> dict[str, Texture]:
    brick = Canvas(rng, n, n, PLASTERS[rng.integers(len(PLASTERS))] * 0.9)
    brick.slabs(32, 14, 0.1, 0.14, stagger=True)
    brick.weather(0.16)
    tiles = Canvas(rng, n, n, (0.5, 0.3, 0.24))
    tiles.slabs(28, 28, 0.1, 0.2, stagger=True)
    tiles.weather(0.2)
    crate = Canvas(rng, n // 2, n // 2, (0.7, 0.68, 0.62))
    crate.slabs(6, 1, 0.1, 0.06)
    for _ in range(14):
        row, column = rng.uniform(0, 0.8, 2)
        crate.fill(
            row,
            row + rng.uniform(0.05, 0.3),
            column,
            column + rng.uniform(0.05, 0.3),
            muted(rng, 0.1, 0.95),
        )
    crate.weather(0.2)
    sign = Canvas(rng, n // 2, n // 2, rng.uniform(0.3, 0.9, 3))
    sign.disc(0.5, 0.5, 0.36, rng.uniform(0.2, 0.95, 3))
    sign.fill(0.4, 0.6, 0.2, 0.8, muted(rng, 0.1, 0.95))
    sign.fill(0.7, 0.76, 0.1, 0.9, muted(rng, 0.1, 0.95))
    sign.weather(0.12)
    return {
        "brick": brick.done(),
        "roof": tiles.done(),
        "crate": crate.done(),
        "sign": sign.done(),
        "metal": _plain(rng, n // 4, (0.5, 0.5, 0.5), 0.25),
        "flat": np.full((4, 4, 3), 0.75, np.float32),
    }


def _plants(rng: np.random.Generator, n: int) -> dict[str, Texture]:
    leaves = {}
    for name, colour in (
        ("leaves0", (0.3, 0.4, 0.16)),
        ("leaves1", (0.38, 0.42, 0.2)),
        ("hedge", (0.24, 0.34, 0.15)),
    ):
        canvas = Canvas(rng, n, n, colour)
        canvas.weather(0.42, slope=0.8)
        canvas.shade_down(1.25, 0.6)
        leaves[name] = canvas.done()
    bark = Canvas(rng, n, n // 2, (0.36, 0.3, 0.24))
    bark.slabs(2, 10, 0.12, 0.01)
    bark.weather(0.3, slope=0.9)
    return leaves | {"bark": bark.done()}


def _glass(rng: np.random.Generator, n: int) -> Texture:
    canvas = Canvas(rng, n, n, (0.16, 0.19, 0.22))
    canvas.fill(0, 1, 0, 0.05, (0.5, 0.5, 0.5))
    canvas.fill(0, 1, 0.95, 1, (0.5, 0.5, 0.5))
    canvas.weather(0.25)
    canvas.shade_down(1.4, 0.8)
    return canvas.done()


def _sky(rng: np.random.Generator, n: int) -> Texture:
    clouds = fractal_noise(rng, n, n, 1.6)[..., None]
    blue, white = np.array([0.5, 0.66, 0.85]), np.array([0.93, 0.94, 0.95])
    cover = 1 / (1 + np.exp(-(clouds * 2.2 - rng.uniform(-1, 1.5))))
    return np.asarray(blue + (white - blue) * cover, np.float32)


def _grounds(rng: np.random.Generator, n: int, half_width: float) -> dict[str, Texture]:
    """Textures of the ground, u along the street over ROAD_PERIOD metres."""
    grey = rng.uniform(0.34, 0.46)
    road, crossing = (_asphalt(rng, n, grey) for _ in range(2))
    _lane_marks(road, half_width)
    road.weather(0.1, slope=0.8)
    crossing.weather(0.12, slope=0.8)
    pavement = Canvas(rng, n, 2 * n, np.array([0.6, 0.58, 0.55]) * rng.uniform(0.85, 1.1))
    pavement.slabs(10, 72, 0.09, 0.1)
    pavement.weather(0.18, slope=0.9)
    yard = Canvas(rng, n, 2 * n, (0.36, 0.42, 0.22))
    yard.weather(0.35, slope=0.8)
    kerb = Canvas(rng, n // 8, 2 * n, (0.62, 0.61, 0.6))
    kerb.slabs(1, 40, 0.12, 0.03)
    kerb.weather(0.15)
    canvases = dict(zip(GROUNDS, (road, crossing, pavement, yard, kerb), strict=True))
    return {name: canvas.done() for name, canvas in canvases.items()}


def _asphalt(rng: np.random.Generator, n: int, grey: float) -> Canvas:
    canvas = Canvas(rng, n, 2 * n, np.array([grey, grey, grey * 1.02]))
    for _ in range(12):  # patches where the road was mended
        u, v = rng.uniform(0, 0.9, 2)
        canvas.fill(
            v,
            v + rng.uniform(0.06, 0.3),
            u,
            u + rng.uniform(0.02, 0.1),
            grey * rng.uniform(0.6, 1.35) * np.ones(3),
        )
    for _ in range(14):  # tar seams
        u, v = rng.uniform(0, 0.9, 2)
        if rng.random() < 0.5:
            canvas.fill(v, v + 0.012, u, u + rng.uniform(0.05, 0.3), grey * 0.45 * np.ones(3))
        else:
            canvas.fill(v, v + rng.uniform(0.2, 0.6), u, u + 0.003, grey * 0.45 * np.ones(3))
    for _ in range(6):  # drain covers
        canvas.disc(rng.uniform(0.15, 0.85), rng.uniform(), 0.03, (0.16, 0.15, 0.14), aspect=4)
    canvas.weather(0.16, slope=1.0, colour=0.12)
    return canvas


def _lane_marks(road: Canvas, half_width: float) -> None:
    """A broken middle line and the marks of the parking bays, v across the whole road."""
    white = (0.86, 0.86, 0.84)
    metre_across, metre_along = 0.5 / half_width, 1 / ROAD_PERIOD
    for start in np.arange(0, ROAD_PERIOD, 8.0):
        road.fill(
            0.5 - 0.07 * metre_across,
            0.5 + 0.07 * metre_across,
            start * metre_along,
            (start + 4) * metre_along,
            white,
        )
    for side in (2.1 * metre_across, 1 - 2.1 * metre_across):
        for start in np.arange(0, ROAD_PERIOD, 2.0):
            road.fill(
                side - 0.06 * metre_across,
                side + 0.06 * metre_across,
                start * metre_along,
                (start + 1) * metre_along,
                white,
            )
    for start in np.arange(0, ROAD_PERIOD, 20.0 / 3):
        for near in (0.0, 1 - 2.1 * metre_across):
            road.fill(
                near, near + 2.1 * metre_across, start * metre_along, (start + 0.12) * metre_along, white
            )
