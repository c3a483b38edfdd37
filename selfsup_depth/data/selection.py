"""Which frames of the recordings are examples, and why the others are not."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from selfsup_depth.data.recording import Camera, Frame, Recording
from selfsup_depth.data.splits import SplitLine
from selfsup_depth.errors import DataError
from selfsup_depth.suggestions import did_you_mean

OTHER_SIDE = {"l": "r", "r": "l"}

# Two cameras nearer than this see the same: no depth can be had from them.
MIN_BASELINE = 1e-4


class Example(NamedTuple):
    """One frame of one camera of a recording."""

    recording: Recording
    side: str
    frame_index: int

    @property
    def camera(self) -> Camera:
        """The camera that took it."""
        return self.recording.cameras[self.side]

    @property
    def frame(self) -> Frame:
        """The exposure."""
        return self.camera.frames[self.frame_index]


@dataclass(frozen=True)
class Needs:
    """What a target must have beside it.

    Attributes:
        video: offsets in time of its neighbours.
        stereo: whether the rig's other camera must have seen it, too.
        measured: whether its measured depth is wanted where there is some; none is no lack.
    """

    video: tuple[int, ...] = ()
    stereo: bool = False
    measured: bool = False

    def places(self, example: Example) -> list[tuple[str, int]]:
        """Side and frame index of all that the example takes, itself first."""
        _, side, index = example
        other = [(OTHER_SIDE[side], index)] if self.stereo else []
        return [(side, index), *other, *((side, index + offset) for offset in self.video)]

    def missing(self, example: Example) -> str | None:
        """What the example lacks, in words, or None."""
        lacking = (_missing(example.recording, *place) for place in self.places(example))
        return next((text for text in lacking if text), None)


class Selection(NamedTuple):
    """Examples, and for each that was left out, why.

    left_out: those that need not be there, as the first frame of a video has none before it.
    bad: those that should be there, and cannot be used.
    """

    examples: list[Example]
    left_out: list[str]
    bad: Sequence[str] = ()

    def summary(self) -> str:
        """What was found, in a line."""
        sides = Counter(example.side for example in self.examples)
        names = {"l": "left", "r": "right"}
        frames = " and ".join(f"{sides[side]} {names[side]}" for side in sorted(sides)) or "no"
        recordings = len({id(example.recording) for example in self.examples})
        line = f"{frames} frames of {recordings} recording{'s' * (recordings != 1)}"
        if self.left_out:
            line += f"; {len(self.left_out)} left out, the first because {self.left_out[0]}"
        if self.bad:
            num_wanted = len(self.examples) + len(self.bad)
            line += f"; {len(self.bad)} of {num_wanted} are bad and left out, the first because {self.bad[0]}"
        return line


def _missing(recording: Recording, side: str, index: int) -> str | None:
    if side not in recording.cameras:
        return f"camera {side} of {recording.name} has no images"
    frames = recording.cameras[side].frames
    if index in frames:
        return None
    folder = next(iter(frames.values())).image.collection if frames else recording.name
    return f"frame {index} is not in {folder}"


def select_all(recordings: Iterable[Recording], sides: Sequence[str], needs: Needs) -> Selection:
    """Every frame of these cameras that has what it needs."""
    examples: list[Example] = []
    left_out: list[str] = []
    for recording in recordings:
        for side in sides:
            camera = recording.cameras.get(side)
            for index in camera.frames if camera else ():
                example = Example(recording, side, index)
                if reason := needs.missing(example):
                    left_out.append(reason)
                else:
                    examples.append(example)
    return Selection(examples, left_out)


def select_listed(
    recordings: Sequence[Recording], lines: Iterable[SplitLine], needs: Needs, refuse: bool
) -> Selection:
    """The frames of a list.

    Args:
        recordings: what is there.
        lines: what is wanted.
        needs: what each must have beside it.
        refuse: whether a line that cannot be used is refused, or left out and counted.

    Raises:
        DataError: naming the line that cannot be used.
    """
    by_name = {_key(recording.name): recording for recording in recordings}
    examples: list[Example] = []
    left_out: list[str] = []
    for line in lines:
        recording = by_name.get(_key(line.folder))
        example = Example(recording, line.side, line.frame) if recording else None
        reason = needs.missing(example) if example else f"there is no recording {line.folder}"
        if example and not reason:
            examples.append(example)
        elif refuse:
            advice = "restore it." if recording else did_you_mean(line.folder, by_name)
            raise DataError(f"{reason}, in {line.where}; {advice} Or skip such lines: --data.on_missing=skip")
        else:
            left_out.append(f"{reason}, in {line.where}")
    return Selection(examples, left_out)


def _key(name: str) -> str:
    """Frame lists call sequence 09 of KITTI odometry 9."""
    return name.lstrip("0") or "0" if name.isascii() and name.isdecimal() else str(Path(name))


def hold_out(recordings: Sequence[Recording], share: float) -> tuple[list[Recording], list[Recording]]:
    """Cut the last `share` of the frames off every recording, for validation.

    Recordings too short to be cut are held out as a whole, the last `share` of them. No frame
    is on both sides, not even as a neighbour.

    Returns:
        What stays, and what is held out.
    """
    pairs = [_cut(recording, share) for recording in recordings]
    if not any(held.cameras for _, held in pairs):
        num_kept = len(recordings) - math.ceil(share * len(recordings))
        return list(recordings[:num_kept]), list(recordings[num_kept:])
    return [kept for kept, _ in pairs], [held for _, held in pairs]


def _cut(recording: Recording, share: float) -> tuple[Recording, Recording]:
    """A recording without the last `share` of its frames, and these."""
    indices = sorted({index for camera in recording.cameras.values() for index in camera.frames})
    num_held = round(share * len(indices))
    if not 0 < num_held < len(indices):
        return recording, replace(recording, cameras={})
    first_held = indices[-num_held]
    parts: tuple[dict[str, Camera], dict[str, Camera]] = {}, {}
    for side, camera in recording.cameras.items():
        kept = {index: frame for index, frame in camera.frames.items() if index < first_held}
        held = {index: frame for index, frame in camera.frames.items() if index >= first_held}
        parts[0][side], parts[1][side] = replace(camera, frames=kept), replace(camera, frames=held)
    return replace(recording, cameras=parts[0]), replace(recording, cameras=parts[1])


def check_rigs(examples: Iterable[Example]) -> None:
    """Refuse rigs whose two cameras stand at one place or the wrong way round.

    Raises:
        DataError: naming the recording.
    """
    for recording in {id(example.recording): example.recording for example in examples}.values():
        place = recording.T_between("l", "r")[:3, 3]
        baseline = float(np.linalg.norm(place))
        if baseline < MIN_BASELINE or place[0] > baseline / 2:
            what = (
                "no baseline" if baseline < MIN_BASELINE else "the right camera stands left of the left one"
            )
            signed = -place[0] if abs(place[0]) > baseline / 2 else baseline
            raise DataError(f"{what} ({signed:g} m), in {recording.name}; correct its calibration")
