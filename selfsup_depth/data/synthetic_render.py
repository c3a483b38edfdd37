"""Photographs and laser scans of a synthetic world."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from selfsup_depth.data.synthetic_atlas import Atlas
from selfsup_depth.data.synthetic_cast import cast
from selfsup_depth.data.synthetic_ground import Ground
from selfsup_depth.data.synthetic_hits import SKY, Hits
from selfsup_depth.data.synthetic_materials import GROUNDS
from selfsup_depth.data.synthetic_plan import StreetPlan
from selfsup_depth.data.synthetic_scene import Ellipsoids, Quads
from selfsup_depth.data.synthetic_sensor import Pinhole, Rect, Scanner, whole
from selfsup_depth.data.synthetic_surfaces import surfaces
from selfsup_depth.data.synthetic_trajectory import CAMERA_HEIGHT, Array

_HAZE = torch.tensor([0.8, 0.84, 0.88])[:, None, None, None]
_HAZE_RANGE = 400.0  # metres in which haze takes over 63 % of a colour


@dataclass(frozen=True)
class World:
    """A world at one moment.

    plan: measures of the street.
    atlas: its textures.
    ground: what it stands on.
    quads, round_parts: what stands there.
    sun: unit vector towards the sun.
    movers: (n, 3) world x, z and heading of the moving objects, to shade the ground below.
    """

    plan: StreetPlan
    atlas: Atlas
    ground: Ground
    quads: Quads
    round_parts: Ellipsoids
    sun: Array
    movers: Array


@dataclass(frozen=True)
class Photograph:
    """A picture, and what the centres of its pixels see.

    colours: (3, H, W) RGB in [0, 1].
    inverse_depth: (H, W) 1/m, 0 for the sky.
    mover: (H, W) number of the moving object, 0 where what is seen stands still.
    """

    colours: Tensor
    inverse_depth: Tensor
    mover: Tensor


def photograph(camera: Pinhole, T_world_from_camera: Array, world: World) -> Photograph:
    """Take a picture of a world."""
    hits = cast(camera, T_world_from_camera, world.ground, world.quads, world.round_parts)
    colours = _shade(hits, camera, T_world_from_camera, world).mean(dim=1)
    # Of the pieces in the order in which a cast numbers them, only quads move; the last entry is the sky's.
    still = np.zeros(len(GROUNDS), np.int64), np.zeros(len(world.round_parts) + 1, np.int64)
    mover = torch.from_numpy(np.concatenate([still[0], world.quads.mover, still[1]]))
    return Photograph(colours, hits.inverse_length[0], mover[hits.piece[0].long()])


def scan(scanner: Scanner, T_world_from_scanner: Array, world: World, most: float) -> Array:
    """(n, 4) points x right, y down, z forward in the scanner's frame, metres, and reflectance.

    most: range, metres.
    """
    hits = cast(scanner, T_world_from_scanner, world.ground, world.quads, world.round_parts, most)
    length = 1 / hits.inverse_length[0].double()
    every = scanner.window(whole(scanner))
    rays = torch.stack([every.dot(axis)[0] for axis in np.eye(3)], dim=-1).double()
    seen = length < most
    tints = np.concatenate(
        [np.full(len(GROUNDS), 0.3), world.quads.tint.mean(1) * 0.5, world.round_parts.tint.mean(1) * 0.3]
    )
    reflectance = torch.from_numpy(np.clip(tints, 0, 1))[hits.piece[0].long().clamp(min=0)]
    return np.asarray(torch.cat([rays * length[..., None], reflectance[..., None]], dim=-1)[seen].numpy())


def _shade(hits: Hits, camera: Pinhole, T_world_from_camera: Array, world: World) -> Tensor:
    """(3, samples, H, W) colours of what was met."""
    shape = hits.piece.shape
    piece, u, v = (values.reshape(-1) for values in (hits.piece, hits.u, hits.v))
    depth = (1 / hits.inverse_length.clamp(min=1e-4)).reshape(-1)
    table = surfaces(
        world.plan, world.atlas.tiles, world.quads, world.round_parts, world.sun, T_world_from_camera[:3, 3]
    )
    columns = torch.from_numpy(table.T.copy()).index_select(1, piece.clamp(min=0))
    repeat_u, repeat_v, density, slant, per_level, first_row, last_level = columns[:7]
    # A slanted piece is covered more along its slope; the samples share a pixel between them.
    footprint = depth * (0.6 / camera.focal) * (depth * slant).clamp(min=1)
    level = (footprint * density).clamp(min=1e-6).log2() * per_level
    colours = world.atlas.sample(first_row, level, last_level, u * repeat_u, v * repeat_v)
    colours *= columns[7:]
    colours = colours.view(3, *shape)
    _shade_ground(colours, hits, camera, T_world_from_camera, world)
    colours = _HAZE.lerp(colours, torch.exp(-depth / _HAZE_RANGE).view(shape))
    return _fill_sky(colours, hits, camera, T_world_from_camera, world)


def _shade_ground(
    colours: Tensor, hits: Hits, camera: Pinhole, T_world_from_camera: Array, world: World
) -> None:
    """Lay the shadows of the houses, and those right below moving cars, on the ground."""
    is_ground = (hits.piece >= 0) & (hits.piece < len(GROUNDS))
    if (rect := _rows_with(is_ground)) is None:
        return
    rows = slice(rect.top, rect.bottom)
    depth = 1 / hits.inverse_length[:, rows].clamp(min=1e-4)
    rays = camera.window(rect)
    x, z = (T_world_from_camera[i, 3] + rays.dot(T_world_from_camera[i, :3]) * depth for i in (0, 2))
    light = world.ground.light(x, z, depth * depth * (0.6 / camera.focal / CAMERA_HEIGHT))
    for x_mover, z_mover, heading in world.movers.tolist():
        light = light * _below_car(x - x_mover, z - z_mover, heading)
    colours[:, :, rows] *= torch.where(is_ground[:, rows], light, 1.0)


def _rows_with(mask: Tensor) -> Rect | None:
    """The rows in which a (samples, H, W) mask is true anywhere, over the whole width."""
    rows = torch.nonzero(mask.any(dim=2).any(dim=0)).flatten().tolist()
    return Rect(rows[0], rows[-1] + 1, 0, mask.shape[2]) if rows else None


def _below_car(x: Tensor, z: Tensor, heading: float) -> Tensor:
    """Soft dark rectangle below a car at the origin."""
    cos, sin = float(np.cos(heading)), float(np.sin(heading))
    beside = ((x * cos - z * sin).abs() - 0.6).clamp(min=0)
    ahead = ((x * sin + z * cos).abs() - 1.7).clamp(min=0)
    return 0.4 + 0.6 * ((beside * beside + ahead * ahead) / 0.5).clamp(max=1)


def _fill_sky(
    colours: Tensor, hits: Hits, camera: Pinhole, T_world_from_camera: Array, world: World
) -> Tensor:
    """Paint a ceiling of clouds where nothing is met, so far away that only turning moves it."""
    is_sky = hits.piece == SKY
    if (rect := _rows_with(is_sky)) is None:
        return colours
    x, y, z = (camera.window(rect).dot(row) for row in T_world_from_camera[:3, :3])
    up = (-y).clamp(min=0) + 0.12
    u, v = (x / up * 0.16).reshape(-1), (z / up * 0.16).reshape(-1)
    tile = world.atlas.tiles["sky"]
    # A pixel covers 1 / focal of the ceiling straight up, and up^-2 of that towards the horizon.
    level = (0.16 * 0.6 * tile.width / camera.focal / (up * up)).clamp(min=1e-6).log2().reshape(-1)
    first_row, last_level = torch.tensor([float(tile.first_row), tile.levels - 1.0]).unbind()
    clouds = world.atlas.sample(first_row.expand_as(u), level, last_level.expand_as(u), u, v).view(
        3, *x.shape
    )
    rows = slice(rect.top, rect.bottom)
    sky = _HAZE.lerp(clouds, (-y / 0.35).clamp(0, 1))
    colours[:, :, rows] = torch.where(is_sky[:, rows], sky, colours[:, :, rows])
    return colours
