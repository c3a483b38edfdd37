"""For how many pairs of frames it is known how far the camera moved."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from selfsup_depth.data.selection import Example


class KnownDistances(NamedTuple):
    """Targets with a neighbour in time, counted.

    known: those whose distance is known.
    unknown: the others, of recordings that know it for some: their instrument has failed.
    """

    known: int = 0
    unknown: int = 0


def count_known(examples: Iterable[Example], offsets: Sequence[int]) -> KnownDistances:
    """Count the targets' neighbours at these offsets."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for recording, side, index in examples:
        for offset in offsets:
            known = math.isfinite(recording.travelled(side, index, index + offset))
            counts[recording.name][not known] += 1
    with_instrument = [both for both in counts.values() if both[0]]
    return KnownDistances(
        sum(known for known, _ in with_instrument), sum(lost for _, lost in with_instrument)
    )
