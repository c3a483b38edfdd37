"""What a synthetic world is made of: textured parallelograms, triangles and ellipsoids."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from selfsup_depth.data.synthetic_trajectory import Array, rotation

UP = np.array([0.0, -1.0, 0.0])


@dataclass(frozen=True)
class Quads:
    """Flat pieces; the side from which `across` x `down` points at the viewer is seen.

    corner, across, down: (n, 3) a piece is corner + u across + v down, u and v from 0 to 1.
    repeat: (n, 2) how often the texture is repeated along u and v.
    tint: (n, 3) factor of the texture's colours.
    tile: (n,) name of the texture.
    triangle: (n,) bool, only u + v <= 1 is there.
    mover: (n,) number of the moving object that it belongs to, 0 = it stands still.
    """

    corner: Array
    across: Array
    down: Array
    repeat: Array
    tint: Array
    tile: NDArray[np.str_]
    triangle: NDArray[np.bool_]
    mover: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.corner)

    def chosen(self, mask: NDArray[np.bool_]) -> Quads:
        """Those pieces for which the mask is true."""
        return Quads(*(getattr(self, field.name)[mask] for field in fields(Quads)))

    def placed(self, position: Array, yaw: float, mover: int = 0) -> Quads:
        """The same pieces turned by yaw about the vertical, then moved to a position."""
        R = rotation(yaw)
        return Quads(
            self.corner @ R.T + position,
            self.across @ R.T,
            self.down @ R.T,
            self.repeat,
            self.tint,
            self.tile,
            self.triangle,
            np.full(len(self), mover),
        )


@dataclass(frozen=True)
class Ellipsoids:
    """Round pieces, their axes along the world's.

    centre, radii: (n, 3) metres.
    tint: (n, 3) factor of the texture's colours.
    tile: (n,) name of the texture; u runs once around, v from top to bottom.
    """

    centre: Array
    radii: Array
    tint: Array
    tile: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.centre)


def joined(parts: list[Quads]) -> Quads:
    """All pieces of some parts, in order."""
    return Quads(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Quads)))


def quad(
    corner: Array,
    across: Array,
    down: Array,
    tile: str,
    tint: Array,
    metres: tuple[float, float] | None = None,
    triangle: bool = False,
) -> Quads:
    """A single piece.

    Args:
        metres: size of the texture along u and v; none: it fills the piece once.
    """
    lengths = np.array([np.linalg.norm(across), np.linalg.norm(down)])
    return Quads(
        np.asarray(corner, float)[None],
        np.asarray(across, float)[None],
        np.asarray(down, float)[None],
        (np.ones(2) if metres is None else lengths / metres)[None],
        np.asarray(tint, float)[None],
        np.array([tile]),
        np.array([triangle]),
        np.zeros(1, np.int64),
    )


def box(
    size: tuple[float, float, float],
    tiles: dict[str, str],
    tint: Array,
    metres: tuple[float, float] | None = None,
    lift: float = 0.0,
) -> Quads:
    """A box around the origin of the ground.

    Args:
        size: width along x, height, length along z, metres.
        tiles: texture by face: front (-z, towards a viewer behind it), back, left, right, top,
            or "sides" for the four upright ones. Faces without a texture are left out.
        lift: of its bottom above the ground, metres.
    """
    width, height, length = size
    x, z, top = width / 2, length / 2, -height - lift
    down = np.array([0.0, height, 0.0])
    faces = {
        "front": ([-x, top, -z], [width, 0, 0], down),
        "right": ([x, top, -z], [0, 0, length], down),
        "back": ([x, top, z], [-width, 0, 0], down),
        "left": ([-x, top, z], [0, 0, -length], down),
        "top": ([-x, top, z], [width, 0, 0], [0, 0, -length]),
    }
    parts = []
    for face, (corner, across, downwards) in faces.items():
        tile = tiles.get(face) or (tiles.get("sides") if face != "top" else None)
        if tile:
            parts.append(quad(np.array(corner), np.array(across), np.array(downwards), tile, tint, metres))
    return joined(parts)


def flipped(part: Quads) -> Quads:
    """The same pieces, seen from their other side."""
    return Quads(
        part.corner,
        part.down,
        part.across,
        part.repeat[:, ::-1],
        part.tint,
        part.tile,
        part.triangle,
        part.mover,
    )


def outward_normals(part: Quads) -> Array:
    """(n, 3) normals, not of unit length, to the side that is seen.

    With y down, across x down points away from the viewer.
    """
    return -np.cross(part.across, part.down)
