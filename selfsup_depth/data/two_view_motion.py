"""Motions of many frame pairs, computed once and kept in a file.

They start a network that has no idea yet how its camera moves (the geometric warm start).
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
from tqdm import tqdm

from selfsup_depth.data.photograph import Photograph
from selfsup_depth.data.two_view_geometry import (
    Array,
    Grey,
    MotionSettings,
    Outcome,
    TwoViewMotion,
    two_view_motion,
)
from selfsup_depth.errors import DataError

# To be raised when the computation changes, so that older caches are not believed.
_VERSION = 1
# A long computation that is interrupted loses at most this many pairs.
_PAIRS_PER_SAVE = 500

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ImagePair:
    """Two photographs of one camera.

    first: the earlier one.
    second: the later one.
    K: (3, 3) intrinsics in pixels of the stored images.
    """

    first: Photograph
    second: Photograph
    K: Array

    def key(self, settings: MotionSettings) -> str:
        """Name of the computation: changes with the files, the camera and the settings.

        Raises:
            DataError: a file is missing.
        """
        parts = [str(_VERSION), repr(settings), np.asarray(self.K, np.float64).tobytes().hex()]
        parts += [*self.first.identity(), *self.second.identity()]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class PairMotions:
    """The motions of a list of pairs, in its order.

    T: (N, 4, 4) first to second, translation in units of the median depth; NaN = none.
    outcomes: what became of each pair.
    """

    def __init__(self, motions: Sequence[TwoViewMotion]) -> None:
        self.T: Array = np.array([motion.T for motion in motions], np.float64).reshape(-1, 4, 4)
        self.outcomes = [motion.outcome for motion in motions]

    def report(self) -> str:
        """One line: how many pairs have a motion, and why the others have none."""
        count = Counter(self.outcomes)
        return (
            f"{len(self.outcomes)} pairs: {count[Outcome.MOTION]} with motion, "
            f"{count[Outcome.LITTLE_PARALLAX]} too little parallax, "
            f"{count[Outcome.FEW_INLIERS]} too few inliers, {count[Outcome.FEW_MATCHES]} too few matches"
        )


def pair_motions(
    pairs: Sequence[ImagePair],
    cache: Path | None = None,
    settings: MotionSettings | None = None,
    progress: bool = True,
) -> PairMotions:
    """How the camera moved in each pair, from the cache as far as it reaches.

    Args:
        pairs: in the order of recording, so that neighbours share the reading of a file.
        cache: an .npz file that is read, completed and written; None keeps nothing.
        settings: thresholds; None for the defaults.
        progress: show a bar while computing.

    Raises:
        DataError: an image is missing or unreadable, or the two of a pair differ in size.
    """
    settings = settings or MotionSettings()
    keys = [pair.key(settings) for pair in pairs]
    known = _read(cache)
    missing = {key: pair for key, pair in zip(keys, pairs, strict=True) if key not in known}
    new: dict[str, TwoViewMotion] = {}
    try:
        motions = _computed(list(missing.values()), settings, progress)
        for key, motion in zip(missing, motions, strict=True):
            new[key] = motion
            if len(new) % _PAIRS_PER_SAVE == 0:
                _write(cache, known | new)
    finally:
        if new:
            _write(cache, known | new)
    found = known | new
    return PairMotions([found[key] for key in keys])


def _computed(pairs: list[ImagePair], settings: MotionSettings, progress: bool) -> Iterator[TwoViewMotion]:
    """The motions in order; threads, because OpenCV computes outside Python's lock."""
    if not pairs:
        return
    workers = os.cpu_count() or 1
    # The second image of a pair is the first of the next, which another thread may be at.
    read = lru_cache(maxsize=2 * workers + 2)(_read_grey)

    def motion(pair: ImagePair) -> TwoViewMotion:
        first, second = read(pair.first), read(pair.second)
        if first.shape != second.shape:
            sizes = " and ".join(f"{image.shape[1]}x{image.shape[0]}" for image in (first, second))
            raise DataError(
                f"images of one camera have different sizes ({sizes}), in {pair.second}; remove the odd one"
            )
        return two_view_motion(first, second, pair.K, settings)

    with ThreadPool(workers) as pool:  # on an exception, what waits is dropped
        results = pool.imap(motion, pairs)
        hidden = None if progress else True  # None = where there is no screen
        yield from tqdm(results, "two-view motion", len(pairs), unit="pair", disable=hidden)


def _read_grey(image: Photograph) -> Grey:
    return np.array(image.read().convert("L"))


def _read(cache: Path | None) -> dict[str, TwoViewMotion]:
    """What the cache file holds; nothing, with a warning, if it is damaged."""
    if cache is None or not cache.exists():
        return {}
    try:
        with np.load(cache, allow_pickle=False) as file:
            keys, T, outcomes = file["keys"].tolist(), file["T"], file["outcomes"].tolist()
        if T.shape != (len(keys), 4, 4) or T.dtype != np.float64:
            raise ValueError(f"T is {T.dtype} {T.shape} for {len(keys)} keys")
        motions = [TwoViewMotion(t, Outcome(outcome)) for t, outcome in zip(T, outcomes, strict=True)]
        return dict(zip(keys, motions, strict=True))
    # A damaged archive fails in many ways (zlib.error, BadZipFile, EOFError, KeyError, ...).
    except Exception as error:
        reason = " ".join(str(error).split())
        _log.warning("cached motions cannot be read (%s), in %s; computing them again", reason, cache)
        return {}


def _write(cache: Path | None, motions: dict[str, TwoViewMotion]) -> None:
    """Replace the cache file as a whole; a place that cannot be written costs time, no result."""
    if cache is None:
        return
    temporary = cache.with_name(f".{cache.name}.{os.getpid()}")
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            np.savez(
                file,
                keys=np.array(list(motions)),
                T=np.array([motion.T for motion in motions.values()]),
                outcomes=np.array([motion.outcome for motion in motions.values()], np.uint8),
            )
        os.replace(temporary, cache)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        _log.warning("motions cannot be kept (%s), in %s; they are computed in every run", error, cache)
