"""Photographs that hold two: the halves of a stereo camera's picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from selfsup_depth.data.photograph import Photograph


@dataclass(frozen=True)
class HalfImage(Photograph):
    """The first or the second half of a photograph.

    Attributes:
        whole: both.
        second: whether it is the right or the lower one.
        stacked: whether one half is above the other, not beside it.
    """

    whole: Photograph
    second: bool
    stacked: bool

    @property
    def path(self) -> Path:  # type: ignore[override]
        """The whole one's file."""
        return self.whole.path

    @property
    def collection(self) -> Path:
        """What the whole one is in."""
        return self.whole.collection

    def read(self) -> Image.Image:
        """The half."""
        both = self.whole.read()
        width, height = both.size
        size = (width, height // 2) if self.stacked else (width // 2, height)
        left, top = (0, size[1]) if self.stacked else (size[0], 0)
        corner = (left, top) if self.second else (0, 0)
        return both.crop((*corner, corner[0] + size[0], corner[1] + size[1]))

    def check(self, size: tuple[int, int]) -> None:
        """Refuse what the header of the whole shows."""
        height, width = size
        self.whole.check((2 * height, width) if self.stacked else (height, 2 * width))

    def identity(self) -> tuple[str, ...]:
        """The whole one's, and which half."""
        return (*self.whole.identity(), f"{self.second}{self.stacked}")

    def __str__(self) -> str:
        names = ("upper", "lower") if self.stacked else ("left", "right")
        return f"{names[self.second]} half of {self.whole}"
