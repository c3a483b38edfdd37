"""A synthetic drive's world, drawn from a seed, at any time."""

from __future__ import annotations

import numpy as np

from selfsup_depth.data.synthetic_car import car
from selfsup_depth.data.synthetic_cast import RANGE
from selfsup_depth.data.synthetic_ground import Ground
from selfsup_depth.data.synthetic_materials import bake
from selfsup_depth.data.synthetic_options import SyntheticOptions
from selfsup_depth.data.synthetic_plan import StreetPlan
from selfsup_depth.data.synthetic_render import World
from selfsup_depth.data.synthetic_scene import Ellipsoids, Quads, joined
from selfsup_depth.data.synthetic_street import build_street
from selfsup_depth.data.synthetic_trajectory import FRAME_SECONDS, LANE, Array, Centreline, Trajectory

_BEHIND, _BEYOND = -20.0, 150.0  # metres of street before the first and after the last place of the cameras


class DriveWorld:
    """Street, textures, path and moving cars of one drive.

    Args:
        options: of the whole set.
        drive: its number; another number is another world.
        width: of the pictures, pixels; textures are as fine as they can show.

    Attributes:
        trajectory: where the left camera is.
        phase: turns by which this drive's changes of light are ahead of others'.
    """

    def __init__(self, options: SyntheticOptions, drive: int, width: int) -> None:
        street_rng, path_rng, mover_rng, texture_rng = (
            np.random.default_rng([options.seed, drive, purpose]) for purpose in range(4)
        )
        duration = (options.frames - 1) * FRAME_SECONDS
        line = Centreline(street_rng, _BEHIND, 1.2 * options.speed * duration + _BEYOND)
        self.trajectory = Trajectory(options, line, path_rng)
        self.phase = float(path_rng.uniform())
        self._movers = _Movers(self.trajectory, line, mover_rng, duration, options.moving_cars)
        half_width, pavement = street_rng.uniform(5.0, 5.7), street_rng.uniform(2.2, 3.2)
        self._plan = StreetPlan(line, half_width, pavement, self._movers.crossings)
        self._static, self._crowns = build_street(self._plan, street_rng, options.textureless_walls)
        azimuth, elevation = street_rng.uniform(0, 2 * np.pi), np.deg2rad(street_rng.uniform(38, 60))
        level = np.cos(elevation)
        self._sun = np.array([level * np.sin(azimuth), -np.sin(elevation), level * np.cos(azimuth)])
        self._ground = Ground(self._plan, self._static, self._crowns, self._sun)
        self._atlas = bake(texture_rng, _texture_size(width), half_width)

    def at(self, seconds: float) -> World:
        """Everything in reach of the cameras at a time."""
        eye = self.trajectory.pose(seconds)[:3, 3]
        quads = self._static.chosen(np.linalg.norm(self._static.corner - eye, axis=1) < RANGE + 15)
        crowns = np.linalg.norm(self._crowns.centre - eye, axis=1) < RANGE
        round_parts = Ellipsoids(*(values[crowns] for values in vars(self._crowns).values()))
        cars = self._movers.at(seconds)
        places = np.array([[position[0], position[2], heading] for _, position, heading, _ in cars])
        moving = [
            body.placed(position, heading, mover=number if moves else 0)
            for number, (body, position, heading, moves) in enumerate(cars, start=1)
        ]
        quads = joined([quads, *moving])
        return World(
            self._plan, self._atlas, self._ground, quads, round_parts, self._sun, places.reshape(-1, 3)
        )


class _Movers:
    """A car that keeps the cameras' speed ahead of them, and one on each crossing street.

    A crossing is laid where the cameras will be some way off when its car passes, by when the
    car ahead is well beyond it or not yet there.
    """

    def __init__(
        self,
        trajectory: Trajectory,
        line: Centreline,
        rng: np.random.Generator,
        duration: float,
        enabled: bool,
    ) -> None:
        self._trajectory, self._line = trajectory, line
        first = float(trajectory.s(min(duration, 6.0) * rng.uniform(0.35, 0.65)))
        passes = np.arange(first, line.s[-1] - 60, rng.uniform(65, 85))
        self.crossings = passes + rng.uniform(22, 25)
        self._gap = rng.uniform(9.0, 10.5)
        self._cars = [car(rng) for _ in range(1 + len(passes))] if enabled else []
        self._seconds = [trajectory.seconds_at(s) for s in passes]
        self._speeds = rng.uniform(5, 8, len(passes)) * rng.choice([-1, 1], len(passes))

    def at(self, seconds: float) -> list[tuple[Quads, Array, float, bool]]:
        """Each car, its place, its heading, and whether it moves at that time."""
        if not self._cars:
            return []
        here, next_here = self._trajectory.s([seconds, seconds + 0.01])
        s = float(here) + self._gap
        cars = [
            (self._cars[0], self._line.point(s, LANE), float(self._line.heading(s)), bool(next_here > here))
        ]
        for body, crossing, passing, speed in zip(
            self._cars[1:], self.crossings, self._seconds, self._speeds, strict=True
        ):
            d = speed * (seconds - passing)
            if abs(d) < 34:
                side = np.sign(speed)
                heading = float(self._line.heading(crossing)) + side * np.pi / 2
                cars.append((body, self._line.point(crossing - 1.8 * side * 1.0, d), heading, True))
        return cars


def _texture_size(width: int) -> int:
    """Texels of a house front's side, a power of two from 64 to 512."""
    return int(np.clip(2 ** np.ceil(np.log2(width * 0.6)), 64, 512))
