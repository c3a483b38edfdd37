"""What a reader under test is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Parser(NamedTuple):
    """A reader under test.

    seed: a file that it accepts.
    read: reads a path and asserts what must hold of the result.
    suffix: of the file's name.
    share: of the inputs asked for; what decodes or unpacks is slower.
    """

    seed: Callable[[], bytes]
    read: Callable[[Path], None]
    suffix: str = ".txt"
    share: float = 1.0

    @property
    def is_text(self) -> bool:
        """Whether it reads lines, or a markup of them."""
        return self.suffix.endswith((".txt", ".yaml", ".csv", ".json"))


def finite(*values: object) -> None:
    assert all(np.isfinite(np.asarray(value)).all() for value in values)
