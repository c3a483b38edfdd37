"""The data of a run: from a layout on disk to batches."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader

from selfsup_depth.data.augmentation import Augmentation
from selfsup_depth.data.example_motions import find_motions
from selfsup_depth.data.examples import MeasuredExamples, Motions, TrainingExamples
from selfsup_depth.data.intrinsics import FieldOfView
from selfsup_depth.data.layout import Layout
from selfsup_depth.data.loading import Given, TrainingLoader, measured_loader, on_device, processes
from selfsup_depth.data.option_checks import (
    check_fov,
    check_frames,
    check_packed,
    check_ranges,
    check_sources,
)
from selfsup_depth.data.packing import pack
from selfsup_depth.data.parts import Parts, data_root, read_parts
from selfsup_depth.data.screening import OnBadData
from selfsup_depth.data.selection import Needs, Selection
from selfsup_depth.data.splits import Part
from selfsup_depth.data.still_frames import without_still
from selfsup_depth.data.travelled import KnownDistances, count_known
from selfsup_depth.data.user_cache import user_cache
from selfsup_depth.errors import DataError
from selfsup_depth.structures import Batch, Measured

log = logging.getLogger(__name__)


class DepthDataModule(LightningDataModule):
    """Stereo pairs, video, or both, from one data set.

    Args:
        layout: how the files are arranged.
        root: the data set's folder, or one video; may be left out where the layout makes its own data.
        height: height of the images that the networks see.
        width: width of the images that the networks see.
        batch_size: examples in a batch, of each process.
        num_workers: processes that read; the samples are the same for any number.
        video: the neighbours in time that are sources, as frame offsets; [] for none.
        fov: horizontal field of view in degrees, of cameras whose intrinsics nothing else tells;
            unknown, to have them learned by the pose network.
        stereo: whether the rig's other camera is a source.
        split: a folder with train.txt, val.txt and test.txt: inside the root, any path, or a
            name in data_splits/; not given, every frame is used.
        hold_out: without a split, this last share of every recording is kept for validation.
        sides: the cameras whose images are targets; not given, those that the split lists, or
            the left one.
        on_missing: whether a split line whose frame, neighbour or other camera's image is not
            there is refused, or left out and counted.
        on_bad_data: whether a file that cannot be used ends the run, or the examples that need
            it or a listed file that is missing are left out, counted and named in bad_data.txt;
            every file is then read before the first step, and more than 1 % end the run.
        follow_symlinks: whether links inside the root may lead out of it.
        flip: mirror half of the examples.
        colour_jitter: change the colours that the networks see by up to this share; 0 = none.
        zoom: cut out and enlarge by up to this factor; 1 = none.
        two_view_motion: find how the camera moved between neighbours by two-view geometry,
            for the geometric warm start.
        motion_cache: file that keeps these motions; not given, one in the user's cache folder.
        seed: of order and augmentation.
        min_parallax: leave out targets whose neighbours in time show less, in pixels of the training
            images: the median way of corners that no rotation explains. Listed in still_frames.txt.
        packed: resize every frame once and keep it so, or take what is kept; no epoch decodes it
            again. Not with zoom.
        packed_folder: folder that keeps these frames; not given, one in the user's cache folder.
        sparse_depth: give terms that learn from it (SparseDepth) the targets' measured depth, where any is.
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
        fov: FieldOfView = None,
        stereo: bool = True,
        split: str | None = None,
        hold_out: float = 0.0,
        sides: Sequence[Literal["l", "r"]] | None = None,
        on_missing: Literal["refuse", "skip"] = "refuse",
        on_bad_data: OnBadData = "error",
        follow_symlinks: bool = False,
        flip: bool = True,
        colour_jitter: float = 0.2,
        zoom: float = 1.0,
        two_view_motion: bool = False,
        motion_cache: Path | None = None,
        seed: int = 0,
        sparse_depth: bool = False,
        min_parallax: float = 0.0,
        packed: bool = False,
        packed_folder: Path | None = None,
    ) -> None:
        super().__init__()
        self.layout = layout
        self.root = root
        self.height = height
        self.width = width
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.video = list(video)
        self.fov = fov
        self.stereo = stereo
        self.split = split
        self.hold_out = hold_out
        self.sides = sides
        self.on_missing = on_missing
        self.on_bad_data: OnBadData = on_bad_data
        self.follow_symlinks = follow_symlinks
        self.augmentation = Augmentation(flip, colour_jitter, zoom)
        self.two_view_motion = two_view_motion
        self.motion_cache = motion_cache
        self.seed = seed
        self.sparse_depth = sparse_depth
        self.min_parallax = min_parallax
        self.packed = packed
        self.packed_folder = packed_folder
        counts = {"height": height, "width": width, "batch_size": batch_size, "num_workers": num_workers}
        check_ranges(self.augmentation, hold_out=hold_out, **counts)
        check_fov(fov, stereo, two_view_motion)
        check_packed(packed, packed_folder, zoom)
        check_frames(self.video, split, hold_out, min_parallax)
        self._parts: Parts | None = None
        self._training: TrainingExamples | None = None
        self._measured: dict[Part, MeasuredExamples] = {}
        self.travelled = KnownDistances()
        self.still_frames: list[str] = []  # targets that are left out for want of parallax
        self.bad_data: list[str] = []  # why examples are left out as bad, sorted

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
            where = self.layout, self.root, self.split, self.hold_out, self.sides
            unusable = self.on_missing, self.on_bad_data, self.follow_symlinks
            self._parts = read_parts(*where, *unusable, self.fov)
            self._note_bad(self._parts.bad)
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

    def transfer_batch_to_device(self, batch: Given, device: torch.device, dataloader_idx: int) -> Given:
        """The batch where it is trained on, images in [0, 1]; Lightning calls this."""
        moved = on_device(batch, device)
        if self.trainer is None:
            return moved
        # Lightning brings what has a fraction to the run's precision, but before images have one.
        converted: Given = self.trainer.precision_plugin.convert_input(moved)
        return converted

    @property
    def num_examples(self) -> tuple[int, int]:
        """Examples of training and of validation, of all processes together."""
        return len(self._training or ()), len(self._measured.get("val", ()))

    @property
    def has_measured(self) -> bool:
        """Whether there is anything to validate against."""
        return bool(self._measured.get("val"))

    @property
    def knows_travelled(self) -> bool:
        """Whether the distance between neighbouring exposures is known, at least for some."""
        return self.travelled.known > 0

    @property
    def has_masks(self) -> bool:
        """Whether some pixels of the targets are to teach nothing."""
        return self._training is not None and self._training.masked

    @property
    def knows_measured(self) -> bool:
        """Whether training is given measured depth, at least for some frames."""
        return self.sparse_depth and any(e.frame.measured for e in getattr(self._training, "examples", []))

    @property
    def validation_note(self) -> str:
        """Whether the frames of validation were trained on, for whoever reads the errors."""
        if self.split is not None:
            return f"validation frames: those of {self.split}"
        if self.hold_out:
            return f"validation frames: the last {self.hold_out:.0%} of each recording, not trained on"
        return "validation frames: trained on, without their depth; --data.hold_out=0.2 keeps some apart"

    def _training_examples(self, parts: Parts) -> TrainingExamples:
        check_sources(self.video, self.stereo)
        needs = Needs(tuple(self.video), self.stereo, self.sparse_depth)
        selection = parts.training(needs)
        if self.min_parallax:
            told = self.min_parallax, self.width, user_cache("parallax", parts.root)
            selection, self.still_frames = without_still(selection, self.video, *told)
        examples = selection.examples
        rank, world_size = processes(self.trainer)
        if len(examples) < self.batch_size * world_size:
            what = f"{len(examples)} examples do not fill a batch of {self.batch_size}"
            where = f"in each of {world_size} processes, " * (world_size > 1)
            raise DataError(f"{what}, {where}in {parts.root}; give a smaller --data.batch_size")
        motions: Motions = {}
        if self.two_view_motion and self.video:
            cache = self.motion_cache or user_cache("two_view_motion", parts.root)
            motions = find_motions(examples, self.video, cache)
        self._say("training", selection)
        self.travelled = count_known(examples, self.video)
        size = self.height, self.width
        folder = self.pack_folder(parts.root)
        frames = pack(examples, needs, size, folder, rank, world_size) if self.packed else None
        return TrainingExamples(examples, needs, size, self.augmentation, self.seed, motions, frames)

    def pack_folder(self, root: Path) -> Path:
        """Where frames of this size are kept."""
        folder = user_cache(f"packed_{self.width}x{self.height}", root).with_suffix("")
        return self.packed_folder / folder.name if self.packed_folder else folder

    def _measured_examples(self, parts: Parts, part: Part) -> MeasuredExamples:
        selection = parts.measured(part)
        self._say(f"{'test' if part == 'test' else 'validation'} with measured depth", selection)
        return MeasuredExamples(selection.examples, (self.height, self.width))

    def _say(self, name: str, selection: Selection) -> None:
        log.info("%s: %s", name, selection.summary())
        self._note_bad(selection.bad)

    def _note_bad(self, reasons: Sequence[str]) -> None:
        bad = {reason.replace(f"{self.root}/", "") for reason in reasons}  # as data can move
        self.bad_data = sorted(bad | {*self.bad_data})
