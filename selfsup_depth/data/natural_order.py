"""File names in the order that a reader expects: frame2 before frame10."""

from __future__ import annotations

import re
from pathlib import Path

_DIGITS = re.compile(r"(\d+)", re.ASCII)


def natural_order(path: Path) -> tuple[list[tuple[int, str]], ...]:
    """Key to sort paths by: folder by folder, numbers in a name by their value."""
    return tuple(_key(part) for part in path.parts)


def _key(name: str) -> list[tuple[int, str]]:
    """Text and numbers in turn; the text goes along with a number, so that 1 and 01 differ."""
    words = _DIGITS.split(name)
    return [(int(word) if number % 2 else -1, word) for number, word in enumerate(words)]
