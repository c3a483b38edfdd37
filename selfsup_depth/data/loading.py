"""Loaders: batches in a stated order, read by worker processes."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.loops.progress import _ProcessedTracker
from pytorch_lightning.trainer.states import TrainerStatus
from torch.utils.data import DataLoader, Dataset

from selfsup_depth.data.examples import MeasuredExamples, TrainingExamples
from selfsup_depth.data.order import ShuffledOrder
from selfsup_depth.structures import Batch, Measured

Item = TypeVar("Item")

# A worker that hangs (a dead network drive) is an error after this time, not a run that waits.
WORKER_TIMEOUT_SECONDS = 300


def training_loader(
    examples: TrainingExamples, batch_size: int, num_workers: int, trainer: Trainer | None
) -> DataLoader[Batch]:
    """Shuffled batches; where a resumed run stopped within an epoch, the rest of that epoch.

    Args:
        examples: what to train on.
        batch_size: examples in a batch of this process.
        num_workers: processes that read.
        trainer: whose progress and number of processes count, if there is one.
    """
    order = ShuffledOrder(len(examples), examples.seed, *processes(trainer))
    if trainer is not None:
        batches = trainer.fit_loop.epoch_loop.batch_progress.current
        epochs = trainer.fit_loop.epoch_progress.current
        assert isinstance(batches, _ProcessedTracker)
        assert isinstance(epochs, _ProcessedTracker)
        if batches.processed < len(order) // batch_size:
            order.resume(epochs.processed, batches.processed * batch_size)
    return _loader(examples, num_workers, batch_size=batch_size, sampler=order, drop_last=True)


def measured_loader(
    examples: MeasuredExamples, num_workers: int, trainer: Trainer | None
) -> DataLoader[Measured] | list[DataLoader[Measured]]:
    """This process's share of the examples, one by one; no loader if there are none."""
    rank, world_size = processes(trainer)
    mine = MeasuredExamples(examples.examples[rank::world_size], examples.size)
    return _loader(mine, num_workers, batch_size=1) if len(mine) else []


def processes(trainer: Trainer | None) -> tuple[int, int]:
    """Rank and number of the processes that work together at this moment."""
    if trainer is None or trainer.state.status != TrainerStatus.RUNNING:
        return 0, 1
    return trainer.global_rank, trainer.world_size


def _loader(examples: Dataset[Item], num_workers: int, **options: Any) -> DataLoader[Item]:
    return DataLoader(
        examples,
        num_workers=num_workers,
        # An epoch may be two batches: starting the workers anew for each would cost more.
        persistent_workers=num_workers > 0,
        timeout=WORKER_TIMEOUT_SECONDS if num_workers else 0,
        pin_memory=torch.cuda.is_available(),
        **options,
    )
