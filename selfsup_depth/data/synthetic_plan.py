"""Measures of a synthetic street, and how things are put along it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from selfsup_depth.data.synthetic_scene import Quads
from selfsup_depth.data.synthetic_trajectory import Array, Centreline

CROSSING_HALF_WIDTH = 4.0


@dataclass(frozen=True)
class StreetPlan:
    """Measures of a street.

    line: its middle.
    half_width: of the road between the kerbs, metres.
    pavement: width of the pavement, metres.
    crossings: s of the streets that cross it.
    """

    line: Centreline
    half_width: float
    pavement: float
    crossings: Array

    def clear_of_crossings(self, s: float, margin: float) -> bool:
        """Whether nothing within a margin of s reaches into a crossing street."""
        return bool(np.all(np.abs(self.crossings - s) > CROSSING_HALF_WIDTH + margin))

    def stand(self, part: Quads, s: float, d: float, turn: float = 0.0) -> Quads:
        """Put a part on the ground; its -z face looks back along the street, turned right by `turn`."""
        return part.placed(self.line.point(s, d), float(self.line.heading(s)) + turn)
