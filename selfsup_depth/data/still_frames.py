"""Frames from which nothing is to be learned, because the camera has hardly moved around them."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from selfsup_depth.data.frame_motion import frame_motion
from selfsup_depth.data.grey_images import Bar, SmallImages, in_parallel
from selfsup_depth.data.selection import Example, Selection
from selfsup_depth.errors import DataError

# To be raised when the computation changes, so that older caches are not believed.
_VERSION = 1

# A frame and a neighbour of one camera, the earlier first.
Pair = tuple[Example, Example]

log = logging.getLogger(__name__)


def without_still(
    selection: Selection, offsets: Sequence[int], min_parallax: float, width: int, cache: Path
) -> tuple[Selection, list[str]]:
    """Leave out the targets that have little parallax with every neighbour in time.

    Where too few corners are found for a judgement the target stays.

    Args:
        selection: of targets, each with its neighbours.
        offsets: of the neighbours, in frames.
        min_parallax: pixels of images of this width; the median way of the corners that no
            rotation of the camera explains.
        width: of the training images.
        cache: file that keeps what was computed.

    Returns:
        The other targets, and a line "RECORDING SIDE FRAME PARALLAX" for each that is left out.

    Raises:
        DataError: none is left, or an image is missing.
    """
    by_target = {example: [_pair(example, offset) for offset in offsets] for example in selection.examples}
    share = _parallaxes([pair for pairs in by_target.values() for pair in pairs], cache)
    kept, lines = [], []
    for example, pairs in by_target.items():
        parallax = width * max(np.nan_to_num(share[pair], nan=np.inf) for pair in pairs)
        if parallax >= min_parallax:
            kept.append(example)
        else:
            lines.append(f"{example.recording.name} {example.side} {example.frame_index} {parallax:.3f}")
    log.info("%d of %d frames stand still and are left out", len(lines), len(selection.examples))
    if not kept:
        where = selection.examples[0].frame.image.collection
        what = f"no frame has a parallax of {min_parallax:g} px, in {where}"
        raise DataError(f"{what}; give a smaller --data.min_parallax")
    return selection._replace(examples=kept), lines


def _pair(example: Example, offset: int) -> Pair:
    neighbour = example._replace(frame_index=example.frame_index + offset)
    return (example, neighbour) if offset > 0 else (neighbour, example)


def _parallaxes(pairs: Sequence[Pair], cache: Path) -> dict[Pair, float]:
    """Parallax as a share of the image's width, NaN = unknown; each pair is computed once."""
    keys = {pair: _key(pair) for pair in pairs}
    known = _read(cache)
    images = SmallImages()

    def measured(pair: Pair) -> float:
        first, second = (images.read(example.frame.image) for example in pair)
        if first is None or second is None or first.shape != second.shape:
            return float("nan")
        width: int = first.shape[1]
        return frame_motion(first, second, pair[0].camera).parallax / width

    missing = [pair for pair, key in keys.items() if key not in known]
    bar = Bar("parallax", True, "pair")
    shares = in_parallel(measured, missing, bar)
    new = {keys[pair]: share for pair, share in zip(missing, shares, strict=True)}
    if new:
        _write(cache, known | new)
    found = known | new
    return {pair: found[key] for pair, key in keys.items()}


def _key(pair: Pair) -> str:
    """Name of the computation: changes with the files and the camera."""
    parts = [str(_VERSION), pair[0].camera.K.tobytes().hex()]
    parts += [part for example in pair for part in example.frame.image.identity()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _read(cache: Path) -> dict[str, float]:
    """What the cache file holds; nothing, with a warning, if it is damaged."""
    if not cache.exists():
        return {}
    try:
        with np.load(cache, allow_pickle=False) as file:
            return dict(zip(file["keys"].tolist(), file["shares"].tolist(), strict=True))
    # A damaged archive fails in many ways (zlib.error, BadZipFile, EOFError, KeyError, ...).
    except Exception as error:
        reason = " ".join(str(error).split())
        log.warning("kept parallaxes cannot be read (%s), in %s; computing them again", reason, cache)
        return {}


def _write(cache: Path, shares: dict[str, float]) -> None:
    """Replace the cache file as a whole; a place that cannot be written costs time, no result."""
    temporary = cache.with_name(f".{cache.name}.{os.getpid()}")
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            np.savez(file, keys=np.array(list(shares)), shares=np.array(list(shares.values())))
        os.replace(temporary, cache)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        log.warning("parallaxes cannot be kept (%s), in %s; they are computed in every run", error, cache)
