"""Numbers of a comparison as the reports say them."""

from __future__ import annotations

import math

from selfsup_depth.ablation.comparison import Difference, Row, Spread
from selfsup_depth.ablation.outcomes import State
from selfsup_depth.evaluation.bootstrap import FEWEST

NONE = "–"
# Numbers nearer than this are written alike.
LEAST_GAP = 1e-8


def seeds_text(row: Row) -> str:
    """How many runs of a variant the numbers are of."""
    finished = sum(outcome.state is State.FINISHED for outcome in row.outcomes)
    total = len(row.outcomes)
    return str(total) if finished == total else f"{finished} of {total}"


def spread_text(spread: Spread | None) -> str:
    """Mean and standard deviation."""
    if spread is None:
        return NONE
    return f"{spread.mean:.4f} ± {spread.std:.4f}" if spread.num > 1 else f"{spread.mean:.4f}"


def difference_texts(difference: Difference | None) -> tuple[str, str]:
    """Mean difference, and its interval or why there is none."""
    if difference is None:
        return NONE, NONE
    if difference.is_rounding:
        return "≈ 0", NONE
    decimals = decimals_of(difference)
    interval = " to ".join(f"{end:+.{decimals}f}" for end in difference.interval)
    return f"{difference.mean:+.{decimals}f}", interval or f"needs {FEWEST} seeds"


def decimals_of(difference: Difference) -> int:
    """Least number of decimals, four or more, at which a mean and its interval's ends differ."""
    gaps = [abs(end - difference.mean) for end in difference.interval]
    # Ends that are the mean itself, but for the last bits, need no decimals of their own.
    sizes = [gap for gap in gaps if gap > LEAST_GAP] or [abs(difference.mean)]
    return max(4, math.ceil(-math.log10(min(size for size in (*sizes, 1.0) if size > LEAST_GAP))))
