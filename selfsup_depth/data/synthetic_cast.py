"""Ray casting: which piece of a world each ray of a sensor meets first, and where on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from selfsup_depth.data.synthetic_ground import Ground
from selfsup_depth.data.synthetic_scene import Ellipsoids, Quads
from selfsup_depth.data.synthetic_sensor import Rect, Sensor
from selfsup_depth.data.synthetic_trajectory import Array

RANGE = 130.0  # metres; what stands farther away is not drawn
NUM_GROUNDS = 5
SKY = -1
_EDGE = 0.5 + 1e-4  # no ray slips between two pieces that share an edge


@dataclass
class Hits:
    """What the rays of a sensor meet first; all (samples, rows, columns).

    inverse_length: 1 / length along the ray, 0 for the sky.
    piece: SKY, a kind of ground (0 to 4), then the quads, then the ellipsoids.
    u, v: on a quad 0 to 1 from its corner, on an ellipsoid around it and from its top, on the
        ground metres along and across the street.
    """

    inverse_length: Tensor
    u: Tensor
    v: Tensor
    piece: Tensor

    @classmethod
    def nothing(cls, shape: tuple[int, int, int]) -> Hits:
        """Sky everywhere."""
        lengths, u, v = torch.zeros(3, *shape).unbind()
        return cls(lengths, u, v, torch.full(shape, SKY, dtype=torch.int32))

    def hides(self, rect: Rect, nearest: float) -> bool:
        """Whether everything met in a rect is nearer than a depth, metres."""
        top, bottom, left, right = rect
        return nearest > 0 and float(self.inverse_length[:, top:bottom, left:right].min()) * nearest > 1

    def keep_nearer(
        self, rect: Rect, inverse_length: Tensor, there: Tensor, piece: int, u: Tensor, v: Tensor
    ) -> None:
        """Take over the samples of a rect where a piece is there and nearer than what was met."""
        top, bottom, left, right = rect
        window = (slice(None), slice(top, bottom), slice(left, right))
        nearer = there.logical_and_(inverse_length > self.inverse_length[window])
        for mine, new in ((self.inverse_length, inverse_length), (self.u, u), (self.v, v)):
            torch.where(nearer, new, mine[window], out=mine[window])
        self.piece[window].masked_fill_(nearer, piece)


def cast(
    sensor: Sensor,
    T_world_from_sensor: Array,
    ground: Ground,
    quads: Quads,
    round_parts: Ellipsoids,
    reach: float = RANGE,
) -> Hits:
    """Meet the ground, then everything that stands in sight within a reach, metres."""
    hits = _cast_ground(sensor, T_world_from_sensor, ground)
    R, origin = T_world_from_sensor[:3, :3], T_world_from_sensor[:3, 3]
    _cast_quads(hits, sensor, R, origin, quads, reach)
    _cast_ellipsoids(hits, sensor, R, origin, round_parts, reach, NUM_GROUNDS + len(quads))
    return hits


def _cast_ground(sensor: Sensor, T_world_from_sensor: Array, ground: Ground) -> Hits:
    """The ground, from the first row that looks down on; above it the sky."""
    falling = sensor.dot(T_world_from_sensor[1, :3]).amax(dim=(0, 2)) > 0
    top = int(falling.int().argmax()) if falling.any() else sensor.shape[1]
    hits = Hits.nothing(sensor.shape)
    if top < sensor.shape[1]:
        met = ground.meet(sensor, T_world_from_sensor, Rect(top, sensor.shape[1], 0, sensor.shape[2]))
        hits.inverse_length[:, top:], hits.u[:, top:], hits.v[:, top:] = met.inverse_length, met.u, met.v
        hits.piece[:, top:] = torch.where(met.inverse_length > 0, met.kind, SKY)
    return hits


def _cast_quads(hits: Hits, sensor: Sensor, R: Array, origin: Array, quads: Quads, reach: float) -> None:
    """A ray's point on a piece's plane, as a share of its two edges, by their dual vectors."""
    corner, across, down = (quads.corner - origin) @ R, quads.across @ R, quads.down @ R
    outward = np.cross(down, across)
    plane = (outward * corner).sum(axis=1)  # negative where the sensor is on the outer side
    square = (outward**2).sum(axis=1)
    outline = np.stack([corner, corner + across, corner + across + down, corner + down], axis=1)
    rects = sensor.bounds(outline)
    near = np.linalg.norm(outline, axis=2).min(axis=1) < reach
    nearest = outline[..., 2].min(axis=1)  # no ray is shorter than that

    inverse_along = outward / plane[:, None]
    to_u = np.cross(outward, down) / square[:, None]
    to_v = np.cross(across, outward) / square[:, None]
    u_corner, v_corner = (to_u * corner).sum(axis=1) + 0.5, (to_v * corner).sum(axis=1) + 0.5
    for i in _front_to_back((plane < 0) & near, rects, nearest):
        rect = Rect(*rects[i].tolist())
        if hits.hides(rect, nearest[i]):
            continue
        inverse_length = sensor.dot(inverse_along[i], rect)
        u = sensor.dot(to_u[i], rect).div_(inverse_length).sub_(float(u_corner[i]))
        v = sensor.dot(to_v[i], rect).div_(inverse_length).sub_(float(v_corner[i]))
        there = (u.abs() <= _EDGE).logical_and_(v.abs() <= _EDGE)
        if quads.triangle[i]:
            there.logical_and_(u + v <= 0)
        hits.keep_nearer(rect, inverse_length, there, NUM_GROUNDS + int(i), u.add_(0.5), v.add_(0.5))


def _cast_ellipsoids(
    hits: Hits, sensor: Sensor, R: Array, origin: Array, parts: Ellipsoids, reach: float, first_piece: int
) -> None:
    """Scale the world so that the ellipsoid is a unit sphere, then solve the quadratic."""
    centre = (parts.centre - origin) @ R
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    rects = sensor.bounds((parts.centre[:, None] - origin + corners * parts.radii[:, None]) @ R)
    nearest = centre[:, 2] - parts.radii.max(axis=1)
    for i in _front_to_back(np.linalg.norm(centre, axis=1) < reach, rects, nearest):
        rect = Rect(*rects[i].tolist())
        if hits.hides(rect, nearest[i]):
            continue
        scale = R / parts.radii[i][:, None]  # (3, 3) sensor -> unit sphere
        start = (origin - parts.centre[i]) / parts.radii[i]
        x, y, z = (sensor.dot(row, rect) for row in scale)
        square = x * x + y * y + z * z
        half = x * float(start[0]) + y * float(start[1]) + z * float(start[2])
        room = half * half - square * float(start @ start - 1)
        length = (-half - room.clamp(min=0).sqrt()) / square
        there = (room > 0).logical_and_(length > 0.1)
        x, y, z = (part * length + float(offset) for part, offset in zip((x, y, z), start, strict=True))
        u, v = torch.atan2(x, z) / (2 * torch.pi), y.mul(0.5).add_(0.5).clamp_(0.01, 0.99)
        hits.keep_nearer(rect, length.reciprocal(), there, first_piece + int(i), u, v)


def _front_to_back(wanted: NDArray[np.bool_], rects: NDArray[np.int64], nearest: Array) -> NDArray[np.int64]:
    """Which pieces to cast, near ones first, so that what they hide need not be."""
    seen = np.flatnonzero(wanted & (rects[:, 1] > rects[:, 0]) & (rects[:, 3] > rects[:, 2]))
    return np.asarray(seen[np.argsort(nearest[seen], kind="stable")])
