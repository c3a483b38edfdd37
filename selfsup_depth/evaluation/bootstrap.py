"""How sure a mean is, from the numbers it is the mean of (Efron 1979)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# With fewer numbers no interval is worth its name: of two, resampling knows three means.
FEWEST = 3
CONFIDENCE = 0.95
NUM_RESAMPLES = 10_000
# Resamples that are drawn at a time, to bound the memory of long lists.
_CHUNK = 500


def interval_of_mean(values: Sequence[float]) -> tuple[float, float] | tuple[()]:
    """Percentile bootstrap interval; the same numbers give the same interval.

    Returns:
        Low and high, or nothing of fewer than FEWEST numbers.
    """
    if len(values) < FEWEST:
        return ()
    numbers, generator = np.asarray(values, dtype=np.float64), np.random.default_rng(0)
    means = [
        numbers[generator.integers(len(numbers), size=(_CHUNK, len(numbers)))].mean(axis=1)
        for _ in range(NUM_RESAMPLES // _CHUNK)
    ]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return float(low), float(high)
