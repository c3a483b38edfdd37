"""How sure a mean is, from the numbers it is the mean of (Efron 1979), also where they are few.

The percentiles of resampled means lie too near to the mean of few numbers: resampling knows only
(n - 1) / n of the variance, and takes it for known (Hesterberg 2015, "What teachers should know
about the bootstrap").
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Sequence

import numpy as np

# With fewer numbers no interval is worth its name: of two, resampling knows three means.
FEWEST = 3
CONFIDENCE = 0.95
NUM_RESAMPLES = 10_000
# Resamples that are drawn at a time, to bound the memory of long lists.
_CHUNK = 500


def interval_of_mean(values: Sequence[float]) -> tuple[float, float] | tuple[()]:
    """Percentile bootstrap interval, widened for few numbers; the same numbers give the same interval.

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
    mean, wider = float(numbers.mean()), small_sample_factor(len(numbers))
    return mean - wider * (mean - float(low)), mean + wider * (float(high) - mean)


def small_sample_factor(num: int) -> float:
    """What the interval of a mean's distances from it are multiplied by; tends to 1 for many numbers.

    Args:
        num: how many numbers the mean is of; two at least.
    """
    normal = statistics.NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    return student_quantile(num - 1) / normal * math.sqrt(num / (num - 1))


@functools.cache
def student_quantile(freedom: int) -> float:
    """Student's t that is exceeded on either side by what CONFIDENCE leaves; exact to seven digits.

    Args:
        freedom: degrees of freedom.
    """
    # With t = sqrt(freedom) tan(angle), the density is cos(angle) ** (freedom - 1) but for a factor.
    angles = np.linspace(0, math.pi / 2, 100_001)
    density = np.cos(angles) ** (freedom - 1)
    share = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    return math.sqrt(freedom) * math.tan(float(np.interp(CONFIDENCE, share / share[-1], angles)))
