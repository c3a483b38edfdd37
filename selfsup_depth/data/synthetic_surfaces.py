"""How each piece of a world is coloured, as a table that samples look up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from selfsup_depth.data.synthetic_atlas import Tile
from selfsup_depth.data.synthetic_materials import GROUNDS, ROAD_PERIOD
from selfsup_depth.data.synthetic_plan import StreetPlan
from selfsup_depth.data.synthetic_scene import Ellipsoids, Quads, outward_normals
from selfsup_depth.data.synthetic_trajectory import CAMERA_HEIGHT, Array

_AMBIENT = 0.72  # light on a face that is turned away from the sun
_SUN = 0.4  # what the sun adds where it shines straight on a face
_LEAF_REPEAT = 3.0  # times that leaves are repeated around a crown


def surfaces(
    plan: StreetPlan, tiles: dict[str, Tile], quads: Quads, round_parts: Ellipsoids, sun: Array, eye: Array
) -> NDArray[np.float32]:
    """(pieces, 10): grounds, quads, ellipsoids in the order in which a cast numbers them.

    Columns: repeat of the texture per u and v; texels per metre; 1 / distance of the eye to
    the piece's plane (a pixel covers more of a piece seen at a slant), 0 for round ones;
    levels of the texture per doubling of what a pixel covers; its first row and its last
    level in the atlas; RGB factor, which is tint times light.
    """
    parts = [_grounds(plan, tiles, sun), _flat(tiles, quads, sun, eye), _round(tiles, round_parts)]
    return np.concatenate(parts).astype(np.float32)


def _grounds(plan: StreetPlan, tiles: dict[str, Tile], sun: Array) -> Array:
    across = {"road": 2 * plan.half_width, "crossing": 12.0, "pavement": 5.0, "yard": 12.0, "kerb": 1.0}
    light = (_AMBIENT + _SUN * max(float(-sun[1]), 0.0)) * np.ones(3)
    return np.array(
        [
            [
                1 / ROAD_PERIOD,
                1 / across[name],
                tiles[name].width / ROAD_PERIOD,
                1 / CAMERA_HEIGHT,
                *_place(tiles[name]),
                *light,
            ]
            for name in GROUNDS
        ]
    )


def _flat(tiles: dict[str, Tile], quads: Quads, sun: Array, eye: Array) -> Array:
    normals = outward_normals(quads)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    distance = np.abs(((quads.corner - eye) * normals).sum(axis=1))
    light = _AMBIENT + _SUN * np.maximum(normals @ sun, 0)
    texels = np.array([tiles[name].width for name in quads.tile]) * quads.repeat[:, 0]
    return np.column_stack(
        [
            quads.repeat,
            texels / np.linalg.norm(quads.across, axis=1),
            1 / np.maximum(distance, 0.05),
            np.array([_place(tiles[name]) for name in quads.tile]),
            quads.tint * light[:, None],
        ]
    )


def _round(tiles: dict[str, Tile], parts: Ellipsoids) -> Array:
    texels = np.array([tiles[name].width for name in parts.tile]) * _LEAF_REPEAT
    return np.column_stack(
        [
            np.tile([_LEAF_REPEAT, 1.0], (len(parts), 1)),
            texels / (2 * np.pi * parts.radii.mean(axis=1)),
            np.zeros(len(parts)),
            np.array([_place(tiles[name]) for name in parts.tile]),
            parts.tint,
        ]
    )


def _place(tile: Tile) -> tuple[float, float, float]:
    """Levels per doubling, first row, last level."""
    return 0.5 if tile.along else 1.0, float(tile.first_row), tile.levels - 1.0
