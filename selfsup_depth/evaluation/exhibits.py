"""The best and the worst images of an evaluation, kept to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from selfsup_depth.evaluation.depth_errors import ImageErrors


class EarlierFrame(NamedTuple):
    """The frame before, as it was predicted.

    inverse_depth: (h, w), 1/m.
    scale: the factor its depth was aligned with, a scalar.
    K: (3, 3) pixels of the prediction, of both frames.
    T_to_this: (4, 4) from its camera to that of the later frame, metres.
    """

    inverse_depth: Tensor
    scale: Tensor
    K: Tensor
    T_to_this: Tensor


class ImageContext(NamedTuple):
    """What is known of an image besides its predicted and its measured depth.

    image: one (3, h, w) RGB in [0, 1], as the network saw it; empty where there is none.
    flip_difference: one (h, w), 1/m, how far the mirrored image's prediction is from this one's; empty
        where there is none.
    K: one (3, 3), intrinsics in pixels of the measured map; empty where unknown.
    moving: one (H0, W0) bool of the measured map, true where what is seen moves; empty where unknown.
    uncertainty: one (h, w), what the network says of itself, larger is less sure; empty where it
        says nothing.
    before: the frame before, where it was evaluated and the motion since then is known.
    """

    image: Sequence[Tensor] = ()
    flip_difference: Sequence[Tensor] = ()
    K: Sequence[Tensor] = ()
    moving: Sequence[Tensor] = ()
    uncertainty: Sequence[Tensor] = ()
    before: Sequence[EarlierFrame] = ()


class Exhibit(NamedTuple):
    """One image with all that can be drawn of it.

    inverse_depth: (h, w) predicted, 1/m, before alignment.
    size: height and width of the measured map.
    """

    name: str
    errors: ImageErrors
    inverse_depth: Tensor
    size: tuple[int, int]
    context: ImageContext

    @property
    def abs_rel(self) -> float:
        """What the exhibits are ranked by."""
        return float(self.errors.errors.abs_rel)


class Exhibits:
    """Keeps the images of least and of largest abs_rel, and forgets the others.

    Args:
        count: how many of each are kept; 0 keeps none.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._kept: list[Exhibit] = []

    def add(self, exhibit: Exhibit) -> None:
        """Look at an image; what is kept is bounded by twice the count."""
        self._kept.append(exhibit)
        self._kept.sort(key=lambda kept: kept.abs_rel)
        if len(self._kept) > 2 * self.count:
            del self._kept[self.count]

    @property
    def best(self) -> list[Exhibit]:
        """Best first; no image is among the worst, too."""
        return self._kept[: min(self.count, len(self._kept) // 2)]

    @property
    def worst(self) -> list[Exhibit]:
        """Worst first."""
        return self._kept[len(self.best) :][::-1][: self.count]
