"""The data of a run: from a layout on disk to batches."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader

from selfsup_depth.data.augmentation import Augmentation
from selfsup_depth.data.example_motions import find_motions, user_cache
from selfsup_depth.data.examples import MeasuredExamples, Motions, TrainingExamples
from selfsup_depth.data.layout import Layout
from selfsup_depth.data.loading import TrainingLoader, measured_loader, processes
from selfsup_depth.data.parts import Parts, data_root, read_parts
from selfsup_depth.data.selection import Needs
from selfsup_depth.data.splits import Part
from selfsup_depth.errors import ConfigError
from selfsup_depth.structures import Batch, Measured

log = logging.getLogger(__name__)


class DepthDataModule(LightningDataModule):
    """Stereo pairs, video, or both, from one data set.

    Args:
        layout: how the files are arranged.
        root: the data set's folder; may be left out where the layout makes its own data.
        height: height of the images that the networks see.
        width: width of the images that the networks see.
        batch_size: examples in a batch, of each process.
        num_workers: processes that read; the samples are the same for any number.
        video: the neighbours in time that are sources, as frame offsets; [] for none.
        stereo: whether the rig's other camera is a source.
        split: a folder with train.txt, val.txt and test.txt: inside the root, any path, or a
            name in data_splits/; not given, every frame is used.
        hold_out: without a split, this last share of every recording is kept for validation.
        sides: the cameras whose images are targets; not given, those that the split lists, or
            the left one.
        on_missing: whether a split line whose frame, neighbour or other camera's image is not
            there is refused, or left out and counted.
        flip: mirror half of the examples.
        colour_jitter: change the colours that the networks see by up to this share; 0 = none.
        zoom: cut out and enlarge by up to this factor; 1 = none.
        two_view_motion: find how the camera moved between neighbours by two-view geometry,
            for the geometric warm start.
        motion_cache: file that keeps these motions; not given, one in the user's cache folder.
        seed: of order and augmentation.
    """

    def __init__(
        self,
        layout: Layout,
        root: Path | None = None,
        height: int = 192,
        width: int = 640,
        batch_size: int = 4,
        num_workers: int = 2,
        video: Sequence[int] = (-1, 1),
        stereo: bool = True,
        split: str | None = None,
        hold_out: float = 0.0,
        sides: Sequence[Literal["l", "r"]] | None = None,
        on_missing: Literal["refuse", "skip"] = "refuse",
        flip: bool = True,
        colour_jitter: float = 0.2,
        zoom: float = 1.0,
        two_view_motion: bool = False,
        motion_cache: Path | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.layout = layout
        self.root = root
        self.height = height
        self.width = width
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.video = list(video)
        self.stereo = stereo
        self.split = split
        self.hold_out = hold_out
        self.sides = sides
        self.on_missing = on_missing
        self.augmentation = Augmentation(flip, colour_jitter, zoom)
        self.two_view_motion = two_view_motion
        self.motion_cache = motion_cache
        self.seed = seed
        self._check_options()
        self._parts: Parts | None = None
        self._training: TrainingExamples | None = None
        self._measured: dict[Part, MeasuredExamples] = {}

    def prepare_data(self) -> None:
        """Make the data if the layout can; in one process."""
        self.layout.prepare(data_root(self.layout, self.root))

    def setup(self, stage: str) -> None:
        """Find the examples of a stage ("fit", "validate", "test") and say what was found.

        Raises:
            DataError: what is there cannot be trained on.
            ConfigError: the options contradict each other or what is there.
        """
        if self._parts is None:
            self._parts = read_parts(
                self.layout, self.root, self.split, self.hold_out, self.sides, self.on_missing
            )
        if stage == "fit" and self._training is None:
            self._training = self._training_examples(self._parts)
        part: Part = "test" if stage == "test" else "val"
        if part not in self._measured:
            self._measured[part] = self._measured_examples(self._parts, part)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled batches of examples with all their sources."""
        assert self._training is not None, "setup('fit') comes first"
        return TrainingLoader(self._training, self.batch_size, self.num_workers, self.trainer)

    def val_dataloader(self) -> DataLoader[Measured] | list[DataLoader[Measured]]:
        """Frames with measured depth, one by one; an empty list if there are none."""
        return measured_loader(self._measured["val"], self.num_workers, self.trainer)

    def test_dataloader(self) -> DataLoader[Measured] | list[DataLoader[Measured]]:
        """The split's test frames with measured depth; without a split those of validation."""
        return measured_loader(self._measured["test"], self.num_workers, self.trainer)

    @property
    def has_measured(self) -> bool:
        """Whether there is anything to validate against."""
        return bool(self._measured.get("val"))

    @property
    def knows_travelled(self) -> bool:
        """Whether the distance between neighbouring exposures is known, at least for some."""
        if self._training is None:
            return False
        return any(
            math.isfinite(recording.travelled(side, index, index + offset))
            for recording, side, index in self._training.examples
            for offset in self.video
        )

    @property
    def validation_note(self) -> str:
        """Whether the frames of validation were trained on, for whoever reads the errors."""
        if self.split is not None:
            return f"validation frames: those of {self.split}"
        if self.hold_out:
            return f"validation frames: the last {self.hold_out:.0%} of each recording, not trained on"
        return "validation frames: trained on, without their depth; --data.hold_out=0.2 keeps some apart"

    def _training_examples(self, parts: Parts) -> TrainingExamples:
        if not self.video and not self.stereo:
            raise ConfigError("no source to learn from; give --data.video=[-1,1] or --data.stereo=true")
        needs = Needs(tuple(self.video), self.stereo)
        selection = parts.training(needs)
        examples = selection.examples
        _, world_size = processes(self.trainer)
        if len(examples) < self.batch_size * world_size:
            what = f"{len(examples)} examples do not fill a batch of {self.batch_size}"
            where = f"in each of {world_size} processes, " * (world_size > 1)
            raise ConfigError(f"{what}, {where}in {parts.root}; give a smaller --data.batch_size")
        motions: Motions = {}
        if self.two_view_motion and self.video:
            motions = find_motions(examples, self.video, self.motion_cache or user_cache(parts.root))
        log.info("training: %s", selection.summary())
        size = self.height, self.width
        return TrainingExamples(examples, needs, size, self.augmentation, self.seed, motions)

    def _measured_examples(self, parts: Parts, part: Part) -> MeasuredExamples:
        selection = parts.measured(part)
        name = "test" if part == "test" else "validation"
        log.info("%s with measured depth: %s", name, selection.summary())
        return MeasuredExamples(selection.examples, (self.height, self.width))

    def _check_options(self) -> None:
        """Refuse values that no data could make sense of."""
        for name, value, low, high in (
            ("height", self.height, 1, math.inf),
            ("width", self.width, 1, math.inf),
            ("batch_size", self.batch_size, 1, math.inf),
            ("num_workers", self.num_workers, 0, math.inf),
            ("hold_out", self.hold_out, 0, 0.999),
            ("colour_jitter", self.augmentation.colour_jitter, 0, 1),
            ("zoom", self.augmentation.zoom, 1, 10),
        ):
            if not low <= value <= high:
                raise ConfigError(f"{name} is {value}; give --data.{name} between {low} and {high}")
        if 0 in self.video or len(set(self.video)) < len(self.video):
            raise ConfigError(f"video is {self.video}; give offsets that differ, none 0: --data.video=[-1,1]")
        if self.split is not None and self.hold_out:
            raise ConfigError("hold_out is for data without a split; leave one of the two out")
