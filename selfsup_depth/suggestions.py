"""The name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Advice that ends an error message about an unknown name.

    Args:
        name: what was given.
        known: what would have been accepted.

    Returns:
        A question naming the nearest, or the list of all where nothing is near.
    """
    choices = sorted(set(known))
    folded = {choice.casefold(): choice for choice in choices}
    near = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    if near:
        return f"did you mean {folded[near[0]]}?"
    return f"known are {', '.join(choices)}" if choices else "none are known here"
