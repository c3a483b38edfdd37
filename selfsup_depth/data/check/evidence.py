"""What the checks look at: the recordings, and measurements on a bounded sample of their images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from selfsup_depth.data.check.pairs import StereoPair, measure_pair
from selfsup_depth.data.check.steps import Step, measure_step
from selfsup_depth.data.grey_images import Bar, SmallImages, in_parallel
from selfsup_depth.data.photograph import Photograph
from selfsup_depth.data.recording import Camera, Recording
from selfsup_depth.data.selection import Example, Needs

Measurement = TypeVar("Measurement")

# Enough for shares of a per cent, and done in a minute on two cores.
MAX_STEPS = 240
MAX_PAIRS = 16
# Steps of a long recording are looked at in clips of so many, so that images are shared.
_CLIP = 12


class DepthRange(NamedTuple):
    """Depths that a network can say, metres.

    nearest: least.
    farthest: largest.
    first: what it says before it has learned anything, None = that is not known.
    """

    nearest: float = 0.1
    farthest: float = 100.0
    first: float | None = None


@dataclass(eq=False)
class Evidence:
    """Data as it would be trained on.

    Attributes:
        root: of the data.
        recordings: all that the layout found.
        examples: the targets of training.
        left_out: why others are not among them.
        needs: what each target must have beside it.
        size: height and width that the networks see.
        batch_size: examples in a batch.
        depth_range: of the network.
        whole_data: whether every frame is wanted, not only those of a list.
        skips_bad_data: whether files that cannot be used are left out in training.
        leaves_out_still: whether frames without parallax are left out in training.
        progress: whether bars are shown.
        advice: what to do where there is no target.
        camera_is_learned: whether a camera that no file tells is a first guess.
    """

    root: Path
    recordings: Sequence[Recording]
    examples: Sequence[Example]
    left_out: Sequence[str]
    needs: Needs
    size: tuple[int, int]
    batch_size: int
    depth_range: DepthRange
    whole_data: bool = True
    skips_bad_data: bool = False
    leaves_out_still: bool = False
    progress: bool = False
    advice: str = ""
    camera_is_learned: bool = False

    def cameras(self) -> Iterator[tuple[Recording, str, Camera]]:
        """Every camera of every recording with its side."""
        for recording in self.recordings:
            for side, camera in sorted(recording.cameras.items()):
                yield recording, side, camera

    @property
    def target_sides(self) -> set[str]:
        """Cameras whose images are targets; of data without any target, the left one."""
        return {example.side for example in self.examples} or {"l"}

    @property
    def has_pairs(self) -> bool:
        """Whether there is a second camera that could be learned from."""
        return any({"l", "r"} <= recording.cameras.keys() for recording in self.recordings)

    @property
    def longest_stride(self) -> int:
        """The farthest that both neighbours of a target can be, in frames."""
        lengths = [len(recording.cameras[side].frames) for recording, side in self._targets()]
        return (max(lengths, default=1) - 1) // 2

    @property
    def stride(self) -> int:
        """Frames between a target and its nearest neighbour in time; 0 without video."""
        return min((abs(offset) for offset in self.needs.video), default=0)

    @cached_property
    def photographs(self) -> dict[Photograph, tuple[int, int]]:
        """Every image that is needed, with the size of its camera's others."""
        found: dict[Photograph, tuple[int, int]] = {}
        sides = {"l", "r"} if self.needs.stereo else self.target_sides
        for _, side, camera in self.cameras():
            if side in sides:
                found |= {frame.image: camera.size for frame in camera.frames.values()}
        return found

    @cached_property
    def steps(self) -> list[Step]:
        """Neighbouring frames, compared; a sample of them."""
        if not self.stride:
            return []
        starts = [
            Example(recording, side, index)
            for recording, side in self._targets()
            for index in recording.cameras[side].frames
            if index + self.stride in recording.cameras[side].frames
        ]
        images = SmallImages()
        train_width = self.size[1]
        return self._measured(
            clips(starts, MAX_STEPS), lambda start: measure_step(start, self.stride, images, train_width)
        )

    @cached_property
    def pairs(self) -> list[StereoPair]:
        """Left and right images with the points that both show; a sample of them."""
        if not self.needs.stereo:
            return []
        both = [
            Example(recording, "l", index)
            for recording in self.recordings
            if {"l", "r"} <= recording.cameras.keys()
            for index in recording.cameras["l"].frames
            if index in recording.cameras["r"].frames
        ]
        chosen = np.unique(np.linspace(0, len(both) - 1, min(len(both), MAX_PAIRS)).round().astype(int))
        return self._measured([both[i] for i in chosen], measure_pair)

    def _targets(self) -> list[tuple[Recording, str]]:
        """Cameras that targets are from; of data without any target, the left ones."""
        found = {(id(e.recording), e.side): (e.recording, e.side) for e in self.examples}
        return list(found.values()) or [(r, "l") for r in self.recordings if "l" in r.cameras]

    def _measured(
        self, examples: Sequence[Example], measure: Callable[[Example], Measurement | None]
    ) -> list[Measurement]:
        bar = Bar("comparing images", self.progress)
        return [found for found in in_parallel(measure, examples, bar) if found is not None]


def clips(starts: Sequence[Example], most: int) -> list[Example]:
    """At most so many, in runs of neighbours that are spread evenly."""
    if len(starts) <= most:
        return list(starts)
    begins = np.linspace(0, len(starts) - _CLIP, most // _CLIP).round().astype(int)
    return [starts[i] for i in sorted({int(begin) + k for begin in begins for k in range(_CLIP)})]
