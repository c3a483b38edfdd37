"""The synthetic street's middle line, and how the cameras drive along it.

World: x right, y down, z forward, metres, the ground at y = 0. Street coordinates: s metres
along the middle line, d metres to its right.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from selfsup_depth.data.synthetic_options import SyntheticOptions

Array = NDArray[np.float64]

FRAME_SECONDS = 0.1
CAMERA_HEIGHT = 1.65
LANE = 1.6  # where the cameras drive, metres right of the middle line

_LINE_STEP = 0.25
_TIME_STEP = 0.002


class Centreline:
    """The middle line of a winding street.

    Args:
        rng: draws the bends; their radius stays above 60 m.
        start, end: range of s.
    """

    def __init__(self, rng: np.random.Generator, start: float, end: float) -> None:
        self.s = np.arange(start, end + _LINE_STEP, _LINE_STEP)
        wide, narrow = rng.uniform(0.14, 0.26), rng.uniform(0.03, 0.07)
        bends = wide * np.sin(2 * np.pi * (self.s / rng.uniform(130, 200) + rng.uniform()))
        bends += narrow * np.sin(2 * np.pi * (self.s / rng.uniform(50, 70) + rng.uniform()))
        self._heading = bends
        self.x = _integral(np.sin(bends), _LINE_STEP)
        self.z = _integral(np.cos(bends), _LINE_STEP)

    def heading(self, s: ArrayLike) -> Array:
        """Angle of the line against z, radians, positive to the right."""
        return np.asarray(np.interp(np.asarray(s), self.s, self._heading))

    def point(self, s: ArrayLike, d: ArrayLike) -> Array:
        """(..., 3) world points on the ground."""
        s, d, heading = np.asarray(s), np.asarray(d), self.heading(s)
        x = np.interp(s, self.s, self.x) + d * np.cos(heading)
        z = np.interp(s, self.s, self.z) - d * np.sin(heading)
        return np.stack(np.broadcast_arrays(x, np.zeros_like(x), z), axis=-1)

    def street_coordinates(self, x: Array, z: Array) -> tuple[Array, Array]:
        """(s, d) of ground points, by walking to the foot of the perpendicular."""
        s = np.interp(z, self.z, self.s)
        for _ in range(4):
            foot, heading = self.point(s, 0.0), self.heading(s)
            right, ahead = x - foot[..., 0], z - foot[..., 2]
            s = np.clip(s + right * np.sin(heading) + ahead * np.cos(heading), self.s[0], self.s[-1])
        foot, heading = self.point(s, 0.0), self.heading(s)
        return s, (x - foot[..., 0]) * np.cos(heading) - (z - foot[..., 2]) * np.sin(heading)


class Trajectory:
    """Where the left camera is at any time.

    Args:
        options: speed, number of frames and share of standstill are read.
        line: the street; the cameras keep to its right lane.
        rng: draws how the speed varies and the car sways.
    """

    def __init__(self, options: SyntheticOptions, line: Centreline, rng: np.random.Generator) -> None:
        self._line = line
        self._phases = rng.uniform(0, 2 * np.pi, 5)
        duration = (options.frames - 1) * FRAME_SECONDS
        self._times = np.arange(-0.2, duration + 0.2 + _TIME_STEP, _TIME_STEP)
        speed = options.speed * (1 + 0.2 * np.sin(2 * np.pi * self._times / 6 + self._phases[0]))
        speed *= _motion_gate(self._times / duration, options.stopped)
        self._s = _integral(speed, _TIME_STEP)

    def s(self, seconds: ArrayLike) -> Array:
        """Metres along the street's middle line."""
        return np.asarray(np.interp(np.asarray(seconds), self._times, self._s))

    def seconds_at(self, s: float) -> float:
        """When the cameras pass s; infinity if they never do."""
        return float(np.interp(s, self._s, self._times, right=np.inf))

    def pose(self, seconds: float) -> Array:
        """(4, 4) T_world_from_camera of the left camera.

        Everything but time depends on s alone, so a stopped car does not sway.
        """
        s = float(self.s(seconds))
        _, weave, nod, roll, heave = self._phases
        d = LANE + 0.2 * np.sin(s / 11 + weave)
        drift = np.arctan(0.2 / 11 * np.cos(s / 11 + weave))
        T = np.eye(4)
        T[:3, :3] = rotation(
            yaw=float(self._line.heading(s) + drift),
            pitch=0.004 * np.sin(s / 3.1 + nod),
            roll=0.003 * np.sin(s / 4.3 + roll),
        )
        T[:3, 3] = self._line.point(s, d)
        T[1, 3] = -CAMERA_HEIGHT + 0.01 * np.sin(s / 2.7 + heave)
        return T


def rotation(yaw: float, pitch: float = 0.0, roll: float = 0.0) -> Array:
    """(3, 3) rotation: roll about z, then pitch about x, then yaw about y, radians."""
    (cy, cp, cr), (sy, sp, sr) = np.cos([yaw, pitch, roll]), np.sin([yaw, pitch, roll])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(about_y @ about_x @ about_z)


def _integral(values: Array, step: float) -> Array:
    """Running integral by trapezoids, 0 at the first value."""
    return np.concatenate([[0.0], np.cumsum((values[1:] + values[:-1]) / 2) * step])


def _motion_gate(share: Array, stopped: float) -> Array:
    """Factor of the speed: 0 in the middle of the drive, with ramps of a tenth of it."""
    if stopped == 0:
        return np.ones_like(share)
    ramp = np.clip((np.abs(share - 0.5) - stopped / 2) / 0.1, 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp))
