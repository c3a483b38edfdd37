"""Scale, or scale and shift, from points of which some are wrong.

A first guess by the least median of squares (Rousseeuw, "Least median of squares regression", 1984),
which half of the points may contradict; then least squares in which each point's weight falls to
nothing with its distance (Beaton and Tukey 1974), so that wrong points that all err to one side
pull nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Where Tukey's weight reaches nothing, and where a point counts as one that agrees, in spreads.
TUKEY, AGREES = 4.685, 2.5
NUM_GUESSES = 1000
NUM_ROUNDS = 20
# Points that agree to every digit must not make the spread nothing.
LEAST_SPREAD = 1e-9


class RobustFit(NamedTuple):
    """measured = slope * predicted + offset.

    share: of the points that agree.
    spread: of their relative errors, one standard deviation.
    """

    slope: float
    offset: float
    share: float
    spread: float


def robust_fit(predicted: Array, measured: Array, with_offset: bool = False) -> RobustFit:
    """Fit relative errors: a point ten times as far may be off ten times as much.

    Args:
        predicted: (n,), n at least 1, or 2 with an offset; positive.
        measured: (n,) positive.
        with_offset: fit an offset, too; else it is 0.
    """
    columns = [predicted / measured, 1 / measured] if with_offset else [predicted / measured]
    A = np.stack(columns, axis=1)  # A @ [slope, offset] should be 1 everywhere
    solution, spread = _least_median(A)
    for _ in range(NUM_ROUNDS):
        share_of_reach = (A @ solution - 1) / (TUKEY * spread)
        weight = np.clip(1 - share_of_reach**2, 0, None)  # the root of Tukey's, since rows are squared
        solution = _least_squares(A * weight[:, None], weight)
    agrees = np.abs(A @ solution - 1) < AGREES * spread
    offset = float(solution[1]) if with_offset else 0.0
    return RobustFit(float(solution[0]), offset, float(agrees.mean()), spread)


def _least_median(A: Array) -> tuple[Array, float]:
    """The guess, of those through as few points as determine it, whose median error is least."""
    num, unknowns = A.shape
    if num <= unknowns:
        return _least_squares(A, np.ones(num)), LEAST_SPREAD
    draw = np.random.default_rng(0)
    best, least = np.zeros(unknowns), np.inf
    for _ in range(NUM_GUESSES):
        chosen = draw.choice(num, unknowns, replace=False)
        if np.linalg.cond(A[chosen]) > 1e8:
            continue
        guess = np.linalg.solve(A[chosen], np.ones(unknowns))
        error = float(np.median(np.abs(A @ guess - 1)))
        if error < least:
            best, least = guess, error
    # For a normal distribution the median error is this share of the standard deviation; the
    # second factor is Rousseeuw's for few points.
    return best, max(1.4826 * (1 + 5 / (num - unknowns)) * least, LEAST_SPREAD)


def _least_squares(A: Array, b: Array) -> Array:
    solution: Array = np.linalg.lstsq(A, b, rcond=None)[0].astype(np.float64)
    return solution
