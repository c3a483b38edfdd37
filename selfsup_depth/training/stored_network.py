"""A trained network as it lies on disk, whatever the format, before anything is built from it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from selfsup_depth.errors import CheckpointError

RECORD_KEYS = {"config", "versions", "scale", "size", "depth_range"}
KINDS_OF_SCALE = ("metric", "relative")


class StoredNetwork(NamedTuple):
    """What a file or a folder holds of a network.

    record: as LoadedCheckpoint has it.
    weights: by the names that the training module has.
    path: the file or folder it was read from.
    """

    record: dict[str, Any]
    weights: dict[str, Tensor]
    path: Path


def check_record(record: Any, file: Path, sections: tuple[str, ...] = ("model",)) -> None:
    """Refuse a record that does not say what is relied on.

    Args:
        record: what the file holds in its place.
        file: for the message.
        sections: of the configuration that must be there.

    Raises:
        CheckpointError: a part of it is missing or is something else.
    """
    if not isinstance(record, dict) or not record.keys() >= RECORD_KEYS:
        raise CheckpointError(f"not a checkpoint of selfsup-depth, in {file}; give one that `train` wrote")
    config, scale, size, depths = (record[key] for key in ("config", "scale", "size", "depth_range"))
    cameras, learned = record.get("cameras", []), record.get("intrinsics")
    wrong = {
        "config": not (isinstance(config, dict) and all(isinstance(config.get(s), dict) for s in sections)),
        "scale": not (isinstance(scale, dict) and scale.get("kind") in KINDS_OF_SCALE),
        "size": not is_size(size),
        "depth_range": not (is_pair(depths, int | float) and 0 < depths[0] < depths[1] < math.inf),
        "cameras": not (isinstance(cameras, list) and all(is_camera(one, "") for one in cameras)),
        "intrinsics": bool(learned) and not (is_camera(learned, "") and is_camera(learned, "_stored")),
    }
    for key in [key for key, is_wrong in wrong.items() if is_wrong]:
        raise CheckpointError(f"its record says nothing usable of {key}, in {file}; use a whole copy")


def is_camera(value: Any, suffix: str) -> bool:
    """Whether this table has K, three rows of three finite numbers with focal lengths, and a size."""
    if not isinstance(value, dict):
        return False
    K, size = value.get("K" + suffix), value.get("size" + suffix)
    rows = K if isinstance(K, list) and len(K) == 3 else []
    return (
        bool(rows)
        and all(isinstance(row, list) and len(row) == 3 for row in rows)
        and all(isinstance(x, int | float) and math.isfinite(x) for row in rows for x in row)
        and min(rows[0][0], rows[1][1]) > 0
        and is_size(size)
    )


def is_size(value: Any) -> bool:
    """Whether this is a height and a width."""
    return is_pair(value, int) and min(value) > 0


def is_pair(value: Any, kind: Any) -> bool:
    """Whether this is a list of two numbers of a kind."""
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(isinstance(one, kind) and not isinstance(one, bool) for one in value)
    )
