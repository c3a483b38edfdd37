"""Numbers of a comparison as the reports say them."""

from __future__ import annotations

from selfsup_depth.ablation.comparison import Difference, Row, Spread
from selfsup_depth.ablation.outcomes import State
from selfsup_depth.evaluation.bootstrap import FEWEST

NONE = "–"


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
    interval = " to ".join(map(signed, difference.interval))
    return signed(difference.mean), interval or f"needs {FEWEST} seeds"


def signed(value: float) -> str:
    """A difference; one that four decimals would hide is written with its power of ten."""
    return f"{value:+.4f}" if abs(value) >= 5e-5 or value == 0 else f"{value:+.0e}"
