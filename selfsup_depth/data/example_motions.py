"""Two-view motions of the examples' neighbours, for the geometric warm start."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from selfsup_depth.data.examples import Motions, PairKey
from selfsup_depth.data.selection import Example
from selfsup_depth.data.two_view_motion import ImagePair, pair_motions

log = logging.getLogger(__name__)


def find_motions(examples: Iterable[Example], offsets: Iterable[int], cache: Path) -> Motions:
    """Motion from the earlier to the later frame of every target and neighbour that has one.

    Args:
        examples: the targets.
        offsets: frame offsets of the neighbours.
        cache: file that keeps what was computed.
    """
    pairs: dict[PairKey, ImagePair] = {}
    for recording, side, index in examples:
        camera = recording.cameras[side]
        for offset in offsets:
            earlier, later = sorted((index, index + offset))
            first, second = camera.frames[earlier].image, camera.frames[later].image
            pairs[recording.name, side, earlier, later] = ImagePair(first, second, camera.K)
    pairs = dict(sorted(pairs.items()))  # neighbours in time share the reading of a file
    found = pair_motions(list(pairs.values()), cache)
    log.info("two-view motion: %s", found.report())
    return {key: T for key, T in zip(pairs, found.T, strict=True) if np.isfinite(T).all()}
