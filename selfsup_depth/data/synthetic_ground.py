"""The ground of a synthetic street: road, kerbs, pavements, and the shadows on it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from selfsup_depth.data.synthetic_plan import CROSSING_HALF_WIDTH, StreetPlan
from selfsup_depth.data.synthetic_scene import Ellipsoids, Quads
from selfsup_depth.data.synthetic_sensor import Rays
from selfsup_depth.data.synthetic_trajectory import Array

KERB_HEIGHT = 0.12
ROAD, CROSSING, PAVEMENT, YARD, KERB = range(5)
SHADE = 0.58  # share of the light that is left in a shadow
SIDE = 46.0  # metres of ground known on both sides of the middle line


class GroundHits(NamedTuple):
    """Where the rays meet the ground.

    inverse_length: 1 / length along the ray, 0 where it never does.
    kind: ROAD, CROSSING, ...
    u, v: metres along the street, and across it from the left kerb.
    """

    inverse_length: Tensor
    kind: Tensor
    u: Tensor
    v: Tensor


class WorldMap:
    """Values on a regular grid of the ground, read between its points linearly.

    Args:
        values: (1, C, rows, columns); rows go along z, columns along x.
        origin: world (x, z) of the first value.
        step: metres.
    """

    def __init__(self, values: Tensor, origin: tuple[float, float], step: float) -> None:
        self._values, self._origin = values, origin
        self._scale = [2 / ((size - 1) * step) for size in (values.shape[3], values.shape[2])]

    def read(self, x: Tensor, z: Tensor) -> Tensor:
        """(C, ...) values at world points; beyond the border, the border's."""
        grid = torch.stack(
            ((x - self._origin[0]) * self._scale[0] - 1, (z - self._origin[1]) * self._scale[1] - 1), dim=-1
        ).clamp(-2, 2)
        flat = grid.reshape(1, 1, -1, 2)
        values = F.grid_sample(self._values, flat, padding_mode="border", align_corners=True)
        return values[0, :, 0].reshape(-1, *x.shape)


class Ground:
    """The ground of a street.

    Args:
        plan: where road and pavement are.
        static: what stands on it and shades it.
        crowns: round things that shade it.
        sun: (3,) unit vector towards the sun.
    """

    def __init__(self, plan: StreetPlan, static: Quads, crowns: Ellipsoids, sun: Array) -> None:
        self._plan = plan
        self._crossings = torch.from_numpy(plan.crossings).float()
        x, z = _grid(plan, 0.5)
        s, d = plan.line.street_coordinates(*np.meshgrid(x, z))
        self._street = WorldMap(torch.from_numpy(np.stack([s, d]))[None].float(), (x[0], z[0]), 0.5)
        step = 0.15
        x, z = _grid(plan, step)
        light = torch.ones(1, 1, len(z), len(x))
        _cast_shadows(light[0, 0], x, z, static, crowns, sun)
        light = F.avg_pool2d(light, 3, 1, 1, count_include_pad=False)
        self._light = WorldMap(light, (x[0], z[0]), step)
        self._far_light = WorldMap(
            F.avg_pool2d(light, (9, 5), 1, (4, 2), count_include_pad=False), (x[0], z[0]), step
        )

    def meet(self, rays: Rays, T_world_from_sensor: Array) -> GroundHits:
        """Where a sensor's rays meet road, kerb face and pavement."""
        R, origin = T_world_from_sensor[:3, :3], T_world_from_sensor[:3, 3]
        falling = rays.dot(R[1])
        east, north = rays.dot(R[0]), rays.dot(R[2])
        height = float(-origin[1])
        lengths = [level / falling.clamp(min=1e-6) for level in (height - KERB_HEIGHT, height)]
        (s_top, d_top), (s_road, d_road) = (
            self._street.read(origin[0] + east * length, origin[2] + north * length) for length in lengths
        )
        beyond_top, beyond_road = self._beyond_kerb(s_top, d_top), self._beyond_kerb(s_road, d_road)
        # A ray that passes over the kerb above the road, and ends under the pavement, meets the kerb's face.
        share = torch.where(
            beyond_top > 0, 0.0, (-beyond_top / (beyond_road - beyond_top).clamp(min=1e-6)).clamp(max=1)
        )
        share = torch.where(beyond_road <= 0, 1.0, share)
        length, s, d = (
            top.lerp(road, share)
            for top, road in ((lengths[0], lengths[1]), (s_top, s_road), (d_top, d_road))
        )
        kind = torch.where(self._to_crossing(s) < 0, CROSSING, ROAD)
        kind = torch.where(beyond_road > 0, KERB, kind)
        pavement = torch.where(d.abs() < self._plan.half_width + self._plan.pavement, PAVEMENT, YARD)
        kind = torch.where(beyond_top > 0, pavement, kind)
        inverse = torch.where(falling > 1e-4, 1 / length, torch.zeros(()))
        return GroundHits(inverse, kind, s, d + self._plan.half_width)

    def light(self, x: Tensor, z: Tensor, footprint: Tensor) -> Tensor:
        """Share of the light that reaches ground points; footprint is what a sample covers, metres."""
        near, far = self._light.read(x, z)[0], self._far_light.read(x, z)[0]
        return near.lerp(far, ((footprint - 0.15) / 0.6).clamp(0, 1))

    def _to_crossing(self, s: Tensor) -> Tensor:
        distance = torch.full_like(s, 1e3)
        for crossing in self._crossings:
            distance = distance.minimum((s - crossing).abs())
        return distance - CROSSING_HALF_WIDTH

    def _beyond_kerb(self, s: Tensor, d: Tensor) -> Tensor:
        """Metres from the kerb, positive on the pavement."""
        return (d.abs() - self._plan.half_width).minimum(self._to_crossing(s))


def _grid(plan: StreetPlan, step: float) -> tuple[Array, Array]:
    """World x and z of a grid around the street."""
    x = np.arange(plan.line.x.min() - SIDE, plan.line.x.max() + SIDE, step)
    return x, np.arange(plan.line.z[0] - 5, plan.line.z[-1] + 5, step)


def _cast_shadows(light: Tensor, x: Array, z: Array, static: Quads, crowns: Ellipsoids, sun: Array) -> None:
    """Darken the ground where a piece stands between it and the sun.

    A piece's shadow is the piece moved along the sun's rays to y = 0: a parallelogram stays
    one, an ellipsoid becomes an ellipse.
    """
    slide = np.array([[1, -sun[0] / sun[1], 0], [0, -sun[2] / sun[1], 1]])  # world -> ground (x, z)
    step = x[1] - x[0]
    edges = np.stack([static.across @ slide.T, static.down @ slide.T], axis=2)  # (n, 2, 2)
    corners = static.corner @ slide.T
    for corner, edge, triangle in zip(corners, edges, static.triangle, strict=True):
        if abs(np.linalg.det(edge)) < 1e-4:
            continue
        outline = corner + np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) @ edge.T
        _darken(light, x, z, step, outline, np.linalg.inv(edge), corner, "triangle" if triangle else "quad")
    for centre, radii in zip(crowns.centre, crowns.radii, strict=True):
        spread = (slide * radii) @ (slide * radii).T  # the shadow is p' spread^-1 p <= 1
        foot, reach = slide @ centre, np.sqrt(np.diag(spread))
        outline = foot + np.array([[-1, -1], [1, 1]]) * reach
        _darken(light, x, z, step, outline, np.linalg.inv(np.linalg.cholesky(spread)), foot, "ellipse")


def _darken(
    light: Tensor, x: Array, z: Array, step: float, outline: Array, to_piece: Array, origin: Array, shape: str
) -> None:
    """Darken the cells of a rectangle whose coordinates in the piece lie inside of it."""
    left, top = np.maximum(np.floor((outline.min(axis=0) - [x[0], z[0]]) / step), 0).astype(int)
    right, bottom = np.maximum(np.ceil((outline.max(axis=0) - [x[0], z[0]]) / step) + 1, 0).astype(int)
    across, along = x[left:right] - origin[0], z[top:bottom] - origin[1]
    if not across.size or not along.size:
        return
    a = torch.from_numpy(across * to_piece[0, 0])[None] + torch.from_numpy(along * to_piece[0, 1])[:, None]
    b = torch.from_numpy(across * to_piece[1, 0])[None] + torch.from_numpy(along * to_piece[1, 1])[:, None]
    if shape == "ellipse":
        inside = a * a + b * b <= 1
    else:
        inside = (a >= 0) & (b >= 0) & ((a + b <= 1) if shape == "triangle" else (a <= 1) & (b <= 1))
    light[top:bottom, left:right].masked_fill_(inside, SHADE)
