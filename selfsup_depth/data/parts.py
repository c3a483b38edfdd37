"""Which frames of a data set are for training, validation and test."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from selfsup_depth.data.intrinsics import FieldOfView, with_intrinsics
from selfsup_depth.data.layout import Layout
from selfsup_depth.data.recording import Recording
from selfsup_depth.data.screening import OnBadData, Screening, refuse_too_many
from selfsup_depth.data.selection import Needs, Selection, check_rigs, hold_out, select_all, select_listed
from selfsup_depth.data.splits import PARTS, Part, read_split, split_file
from selfsup_depth.errors import ConfigError, DataError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """The recordings of a data set and how they are divided.

    Attributes:
        root: the data set's folder, for messages.
        recordings: all of them.
        split: a folder of frame lists or its name, None = no lists.
        hold_out: without a split, this share of every recording is kept for validation.
        sides: cameras whose images are targets, None = as listed, or the left one.
        on_missing: whether a listed frame that is not there is refused or skipped.
        screening: what is done about files that are there and cannot be used.
        bad: why recordings are left out as a whole.
    """

    root: Path
    recordings: Sequence[Recording]
    split: str | None
    hold_out: float
    sides: Sequence[str] | None
    on_missing: Literal["refuse", "skip"]
    screening: Screening
    bad: Sequence[str] = ()

    def training(self, needs: Needs) -> Selection:
        """Targets to train on, each with all its sources.

        Raises:
            DataError: there is none, a listed one lacks something, or a file cannot be used.
        """
        selection = self.screening.screened(self.candidates("train", needs), needs)
        if not selection.examples:
            reason = selection.left_out[0] if selection.left_out else "there are no images"
            raise DataError(f"no frame can be trained on: {reason}, in {self.root}; {self.advice(needs)}")
        if needs.stereo:
            check_rigs(selection.examples)
        self._warn_of_overlap()
        return selection

    def advice(self, needs: Needs) -> str:
        """What to do where nothing has what it needs: only what would give targets is named."""
        fewer = {
            "--data.video=[]": replace(needs, video=()),
            "--data.stereo=false": replace(needs, stereo=False),
        }
        helps = [option for option, rest in fewer.items() if rest != needs and self._gives_targets(rest)]
        return f"restore the data or try {' or '.join(helps)}" if helps else "restore the data"

    def _gives_targets(self, needs: Needs) -> bool:
        """Whether there is a source at all, and a frame that has it."""
        try:
            return bool((needs.video or needs.stereo) and self.candidates("train", needs).examples)
        except DataError:
            return False

    def measured(self, part: Part) -> Selection:
        """Frames of "val" or "test" that have measured depth.

        Without a split, and with one that has no test.txt, the two are the same.
        """
        selection = self.candidates(part, Needs())
        measured = [example for example in selection.examples if example.frame.measured is not None]
        found = Selection(measured, selection.left_out, selection.bad)
        return self.screening.screened(found, Needs())

    def candidates(self, part: Part, needs: Needs) -> Selection:
        """What a part is to hold, before its files are looked at."""
        if self.split is None:
            kept, held = hold_out(self.recordings, self.hold_out) if self.hold_out else (self.recordings,) * 2
            return select_all(kept if part == "train" else held, self.sides or ("l",), needs)
        path = split_file(self.split, part, self.root)
        if path is None:
            if part == "train":
                raise ConfigError(f"split {self.split} has no train.txt; choose another --data.split")
            # A split for training alone is tested where it is validated.
            return self.candidates("val", needs) if part == "test" else Selection([], [])
        lines = [line for line in read_split(path) if self.sides is None or line.side in self.sides]
        tolerant = self.on_missing == "skip" or self.screening.on_bad_data == "skip"
        selection = select_listed(self.recordings, lines, needs, refuse=not tolerant)
        if self.on_missing == "skip":
            return selection
        return Selection(selection.examples, [], selection.left_out)

    def _warn_of_overlap(self) -> None:
        """Say that frames of validation or test are trained on, too."""
        if self.split is None:
            return
        lists = {part: split_file(self.split, part, self.root) for part in PARTS}
        frames = {part: {line[:3] for line in read_split(path)} for part, path in lists.items() if path}
        for part in ("val", "test"):
            if shared := len(frames["train"] & frames.get(part, set())):
                log.warning(
                    "%d frames are both trained on and in the list for %s, in %s", shared, part, lists[part]
                )


def read_parts(
    layout: Layout,
    root: Path | None,
    split: str | None,
    hold_out: float,
    sides: Sequence[str] | None,
    on_missing: Literal["refuse", "skip"],
    on_bad_data: OnBadData,
    follow_symlinks: bool,
    fov: FieldOfView,
) -> Parts:
    """Read a data set's recordings; see `Parts`, `Screening` and `with_intrinsics` for the arguments."""
    root = data_root(layout, root)
    screening = Screening(root, on_bad_data, follow_symlinks)
    skip = on_bad_data == "skip"
    found, bad = layout.usable_recordings(root) if skip else (layout.recordings(root), [])
    refuse_too_many(bad, len(found) + len(bad), "recordings")
    if bad:
        num_wanted = len(found) + len(bad)
        log.info(
            "%d of %d recordings are bad and left out, the first because %s", len(bad), num_wanted, bad[0]
        )
    recordings = with_intrinsics(found, fov, root)
    return Parts(root, recordings, split, hold_out, sides, on_missing, screening, bad)


def data_root(layout: Layout, root: Path | None) -> Path:
    """The data set's folder: the user's, or the layout's own.

    Raises:
        ConfigError: neither is there.
    """
    root = root or layout.default_root
    if root is None:
        raise ConfigError(f"{type(layout).__name__} needs the data set's folder; give --data.root DIR")
    return root
