"""Which files a prediction becomes, and what they are called; needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Wanted(NamedTuple):
    """Which files are written besides depth and its picture.

    npy: depth as a float32 array: beyond 256 m, and without rounding.
    ply: a coloured point cloud; the prediction must know K.
    max_depth: leave out of the cloud what is farther, metres.
    """

    npy: bool = False
    ply: bool = False
    max_depth: float | None = None


NOTHING_MORE = Wanted()


def names_written(stem: Path, scale: str, wanted: Wanted) -> list[Path]:
    """The files that `write_prediction` writes: depth, picture and, if wanted, array and cloud."""
    relative = "" if scale == "metric" else "_relative"
    names = [f"{stem.name}{relative}_depth.png", f"{stem.name}_inverse_depth.png"]
    names += [f"{stem.name}{relative}.npy"] * wanted.npy + [f"{stem.name}.ply"] * wanted.ply
    return [stem.with_name(name) for name in names]
