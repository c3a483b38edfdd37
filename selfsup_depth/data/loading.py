"""Loaders: batches in a stated order, read by worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.trainer.states import TrainerStatus
from pytorch_lightning.utilities import move_data_to_device
from torch.utils.data import DataLoader

from selfsup_depth.data.examples import MeasuredExamples, TrainingExamples
from selfsup_depth.data.order import ShuffledOrder
from selfsup_depth.data.photograph import Photograph
from selfsup_depth.data.readers import answered, reader_options
from selfsup_depth.data.transforms import in_unit_range
from selfsup_depth.data.waiting import Waiting
from selfsup_depth.structures import Batch, Measured, View

Given = TypeVar("Given", Batch, Measured)


def on_device(given: Given, device: torch.device) -> Given:
    """What a loader gave, on the device, its images in [0, 1].

    Images come from the loaders as bytes: a quarter to be passed on by the processes that read, and
    to be copied. Here alone they become numbers, all of a batch at once and where it is trained.
    """
    moved: Given = move_data_to_device(given, device)
    if isinstance(moved, Measured):
        return moved._replace(view=_seen(moved.view))
    video = [source._replace(view=_seen(source.view)) for source in moved.video]
    stereo = [source._replace(view=_seen(source.view)) for source in moved.stereo]
    return moved._replace(target=_seen(moved.target), video=video, stereo=stereo)


def _seen(view: View) -> View:
    return view._replace(image=in_unit_range(view.image))


class TrainingLoader(DataLoader[Batch]):
    """Shuffled batches, another order in every iteration; goes on where it stopped.

    Its position is part of a checkpoint: Lightning asks for `state_dict` and gives it back.

    Args:
        examples: what to train on.
        batch_size: examples in a batch of this process.
        num_workers: processes that read.
        trainer: whose processes share the examples, if there is one.
    """

    def __init__(
        self, examples: TrainingExamples, batch_size: int, num_workers: int, trainer: Trainer | None
    ) -> None:
        self.order = ShuffledOrder(len(examples), examples.seed, *processes(trainer))
        self._examples = examples
        self._epoch = 0
        self._num_given = 0
        self._resumed = False
        self.waiting = Waiting()
        super().__init__(
            examples, batch_size, sampler=self.order, drop_last=True, **reader_options(num_workers)
        )

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        if self._num_given >= len(self) or (self._num_given and not self._resumed):
            self._epoch, self._num_given = self._epoch + 1, 0
        self._resumed = False
        assert self.batch_size is not None
        self.order.begin(self._epoch, done=self._num_given * self.batch_size)
        batches = super().__iter__()
        given = answered(batches, lambda _: self.images_of(self._epoch, self._num_given)[0])
        for batch in self.waiting.counted(given):
            self._num_given += 1
            yield batch

    @property
    def position(self) -> tuple[int, int]:
        """Epoch of the batch given out last, and its number in it."""
        return self._epoch, self._num_given - 1

    def images_of(self, epoch: int, number: int) -> list[Photograph]:
        """The target images of a batch."""
        assert self.batch_size is not None
        begin = number * self.batch_size
        indices = self.order.of_epoch(epoch)[begin : begin + self.batch_size]
        return [self._examples.examples[index].frame.image for index in indices]

    def state_dict(self) -> dict[str, int]:
        """How far it is: the epoch, and how many of its batches were given out."""
        return {"epoch": self._epoch, "num_given": self._num_given}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from there in the next iteration."""
        self._epoch, self._num_given, self._resumed = state["epoch"], state["num_given"], True


class MeasuredLoader(DataLoader[Measured]):
    """Views with measured depth, one by one and in order.

    Args:
        examples: what to read.
        num_workers: processes that read.
    """

    def __init__(self, examples: MeasuredExamples, num_workers: int) -> None:
        self._examples = examples
        super().__init__(examples, batch_size=1, **reader_options(num_workers))

    def __iter__(self) -> Iterator[Measured]:  # type: ignore[override]
        return answered(super().__iter__(), lambda number: self._examples.examples[number].frame.image)


def measured_loader(
    examples: MeasuredExamples, num_workers: int, trainer: Trainer | None
) -> DataLoader[Measured] | list[DataLoader[Measured]]:
    """This process's share of the examples, one by one; no loader if there are none.

    Fewer examples than processes are given to every process: the means over them stay the same, and
    a process without any would not come to validation, where the others wait for it.
    """
    rank, world_size = processes(trainer)
    mine = examples
    if len(examples) >= world_size:
        mine = MeasuredExamples(examples.examples[rank::world_size], examples.size)
    return MeasuredLoader(mine, num_workers) if len(mine) else []


def processes(trainer: Trainer | None) -> tuple[int, int]:
    """Rank and number of the processes that work together at this moment."""
    if trainer is None or trainer.state.status != TrainerStatus.RUNNING:
        return 0, 1
    return trainer.global_rank, trainer.world_size
