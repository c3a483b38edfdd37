"""Ray casting: which piece of a world each ray of a sensor meets first, and where on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from selfsup_depth.data.synthetic_ground import Ground
from selfsup_depth.data.synthetic_hits import SKY, Hits
from selfsup_depth.data.synthetic_scene import Ellipsoids, Quads
from selfsup_depth.data.synthetic_sensor import Rays, Rect, Sensor, whole
from selfsup_depth.data.synthetic_trajectory import Array

RANGE = 130.0  # metres; what stands farther away is not drawn
NUM_GROUNDS = 5
_EDGE = 0.5 + 1e-4  # no ray slips between two pieces that share an edge
_SMALL = 256  # pixels up to which pieces are cast together, which saves the calls for each


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
    _cast_pieces(hits, sensor, _flat_pieces(sensor, R, origin, quads), NUM_GROUNDS, reach)
    _cast_pieces(hits, sensor, _round_pieces(sensor, R, origin, round_parts), NUM_GROUNDS + len(quads), reach)
    return hits


def _cast_ground(sensor: Sensor, T_world_from_sensor: Array, ground: Ground) -> Hits:
    """The ground, from the first row that looks down on; above it the sky."""
    falling = sensor.window(whole(sensor)).dot(T_world_from_sensor[1, :3]).amax(dim=(0, 2)) > 0
    top = int(falling.int().argmax()) if falling.any() else sensor.shape[1]
    hits = Hits.nothing(sensor.shape)
    if top < sensor.shape[1]:
        rays = sensor.window(whole(sensor)._replace(top=top))
        met = ground.meet(rays, T_world_from_sensor)
        hits.inverse_length[:, top:], hits.u[:, top:], hits.v[:, top:] = met.inverse_length, met.u, met.v
        hits.piece[:, top:] = torch.where(met.inverse_length > 0, met.kind, SKY)
    return hits


class _Pieces(NamedTuple):
    """Pieces of one kind, as a sensor sees them.

    rects: (n, 4) around each, rows and columns.
    distance: (n,) metres to the nearest point of each.
    nearest: (n,) a depth before which none of its points lies.
    numbers: (12, n) what `meet` needs of each.
    meet: from rays and the numbers: inverse length, whether the piece is there, u and v.
    """

    rects: NDArray[np.int64]
    distance: Array
    nearest: Array
    numbers: Array
    meet: Callable[[Rays, Sequence[float] | Tensor], tuple[Tensor, Tensor, Tensor, Tensor]]


def _cast_pieces(hits: Hits, sensor: Sensor, pieces: _Pieces, first_piece: int, reach: float) -> None:
    """Large pieces one by one, near ones first, so that what they hide need not be; small ones together."""
    heights, widths = pieces.rects[:, 1] - pieces.rects[:, 0], pieces.rects[:, 3] - pieces.rects[:, 2]
    seen = (pieces.distance < reach) & (heights > 0) & (widths > 0)
    large = np.flatnonzero(seen & (heights * widths > _SMALL))
    for i in large[np.argsort(pieces.nearest[large], kind="stable")].tolist():
        rect = Rect(*pieces.rects[i].tolist())
        if not hits.hides(rect, float(pieces.nearest[i])):
            met = pieces.meet(sensor.window(rect), pieces.numbers[:, i].tolist())
            hits.keep_nearer(rect, first_piece + i, *met)

    small = np.flatnonzero(seen & (heights * widths <= _SMALL))
    if len(small):
        rows, columns, which = _pixels_of(pieces.rects[small])
        numbers = torch.from_numpy(pieces.numbers[:, small[which]]).float()
        met = pieces.meet(sensor.at(rows, columns), numbers)
        hits.keep_nearest_of(rows, columns, torch.from_numpy(first_piece + small[which]), *met)


def _pixels_of(rects: NDArray[np.int64]) -> tuple[Tensor, Tensor, NDArray[np.int64]]:
    """Every pixel of every rect, rect after rect: row, column, and the number of its rect."""
    heights, widths = rects[:, 1] - rects[:, 0], rects[:, 3] - rects[:, 2]
    counts = heights * widths
    which = np.repeat(np.arange(len(rects)), counts)
    place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    row, column = np.divmod(place, widths[which])
    return torch.from_numpy(rects[which, 0] + row), torch.from_numpy(rects[which, 2] + column), which


def _flat_pieces(sensor: Sensor, R: Array, origin: Array, quads: Quads) -> _Pieces:
    """A ray's point on a piece's plane, as a share of its two edges, by their dual vectors."""
    corner, across, down = (quads.corner - origin) @ R, quads.across @ R, quads.down @ R
    outward = np.cross(down, across)
    plane = (outward * corner).sum(axis=1)  # negative where the sensor is on the outer side
    square = (outward**2).sum(axis=1, keepdims=True)
    outline = np.stack([corner, corner + across, corner + across + down, corner + down], axis=1)
    to_u, to_v = np.cross(outward, down) / square, np.cross(across, outward) / square
    u_middle, v_middle = (to_u * corner).sum(axis=1) + 0.5, (to_v * corner).sum(axis=1) + 0.5
    sum_limit = np.where(quads.triangle, 0.0, 2.0)
    inverse_along = outward / np.where(plane == 0, 1, plane)[:, None]
    return _Pieces(
        rects=sensor.bounds(outline),
        distance=np.where(plane < 0, np.linalg.norm(outline, axis=2).min(axis=1), np.inf),
        nearest=outline[..., 2].min(axis=1),
        numbers=np.column_stack([inverse_along, to_u, to_v, u_middle, v_middle, sum_limit]).T,
        meet=_meet_flat,
    )


def _meet_flat(rays: Rays, numbers: Sequence[float] | Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    inverse_length = rays.dot(numbers[:3])
    u = rays.dot(numbers[3:6]).div_(inverse_length).sub_(numbers[9])
    v = rays.dot(numbers[6:9]).div_(inverse_length).sub_(numbers[10])
    there = (u.abs() <= _EDGE).logical_and_(v.abs() <= _EDGE).logical_and_(u + v <= numbers[11])
    return inverse_length, there, u.add_(0.5), v.add_(0.5)


def _round_pieces(sensor: Sensor, R: Array, origin: Array, parts: Ellipsoids) -> _Pieces:
    """Scale the world so that the ellipsoid is a unit sphere."""
    centre = (parts.centre - origin) @ R
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    scale = R / parts.radii[:, :, None]  # (n, 3, 3) sensor -> unit sphere
    return _Pieces(
        rects=sensor.bounds((parts.centre[:, None] - origin + corners * parts.radii[:, None]) @ R),
        distance=np.linalg.norm(centre, axis=1),
        nearest=centre[:, 2] - parts.radii.max(axis=1),
        numbers=np.column_stack([scale.reshape(-1, 9), (origin - parts.centre) / parts.radii]).T,
        meet=_meet_round,
    )


def _meet_round(rays: Rays, numbers: Sequence[float] | Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The nearer solution of the quadratic equation."""
    a, b, c = numbers[9], numbers[10], numbers[11]
    x, y, z = rays.dot(numbers[:3]), rays.dot(numbers[3:6]), rays.dot(numbers[6:9])
    square, half = x * x + y * y + z * z, x * a + y * b + z * c
    room = half * half - square * (a * a + b * b + c * c - 1)
    length = (-half - room.clamp(min=0).sqrt()) / square
    there = (room > 0).logical_and_(length > 0.1)
    u = torch.atan2(x * length + a, z * length + c) / (2 * torch.pi)
    v = ((y * length + b) * 0.5 + 0.5).clamp_(0.01, 0.99)
    return length.reciprocal(), there, u, v
