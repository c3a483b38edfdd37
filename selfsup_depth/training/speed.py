"""How fast a run was, and where its time went."""

from __future__ import annotations

import resource
import sys
import time
from typing import Any, NamedTuple

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from selfsup_depth.data.loading import TrainingLoader
from selfsup_depth.structures import Batch

# Shares of the time from which on they are worth a word.
NOTABLE = 0.1
# Steps from which on what was measured can be relied on.
ENOUGH_STEPS = 20


class Speed(NamedTuple):
    """What was measured from the end of the first step on, which also makes and compiles things.

    num_steps: that were counted.
    images_per_second: targets of all processes, while steps are taken.
    waiting_share: of the steps' time, for data.
    beside_share: of the whole time, for what is between the steps: validation, pictures, checkpoints.
    peak_mebibytes: most memory that the process ever held, without those that read.
    peak_gpu_mebibytes: most that torch held on the GPU; 0 without one.
    """

    num_steps: int
    images_per_second: float
    waiting_share: float
    beside_share: float
    peak_mebibytes: float
    peak_gpu_mebibytes: float

    def report(self) -> str:
        """In one line."""
        few = f" (few steps: {self.num_steps})" if self.num_steps < ENOUGH_STEPS else ""
        gpu = f", {self.peak_gpu_mebibytes / 1024:.1f} GiB on the GPU" if self.peak_gpu_mebibytes else ""
        beside = ""
        if self.beside_share > NOTABLE:
            beside = f"; {self.beside_share:.0%} of all time between the steps (validation, pictures, saving)"
        return (
            f"speed: {self.images_per_second:.3g} images/s, {self.waiting_share:.0%} of a step waiting for "
            f"data{few}, peak memory {self.peak_mebibytes / 1024:.1f} GiB{gpu}{beside}"
        )


class SpeedMeter(Callback):
    """Looks at the clock twice a step; the first callback, so that what others do is beside the steps."""

    def __init__(self) -> None:
        self.num_steps = self.num_images = 0
        self.in_steps = 0.0
        self._began = self._counting_from = self._last_end = 0.0
        self._waited_before = 0.0

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        self._began = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        now = time.perf_counter()
        if not self._counting_from:
            self._counting_from, self._waited_before = now, waited(trainer)
            return
        self.in_steps += now - self._began
        self._last_end = now
        self.num_steps += 1
        self.num_images += len(batch.target.image) * trainer.world_size

    def speed(self, trainer: Trainer) -> Speed | None:
        """What was measured; None where there was but one step."""
        if not self.num_steps:
            return None
        waiting = waited(trainer) - self._waited_before
        stepping = self.in_steps + waiting
        whole = max(self._last_end - self._counting_from, stepping)
        return Speed(
            self.num_steps,
            self.num_images / stepping,
            waiting / stepping,
            1 - stepping / whole,
            peak_mebibytes(),
            torch.cuda.max_memory_allocated() / 2**20,  # 0 without a GPU
        )


def waited(trainer: Trainer) -> float:
    """Seconds that the run has waited for its batches."""
    loader = trainer.train_dataloader
    return loader.waiting.seconds if isinstance(loader, TrainingLoader) else 0.0


def peak_mebibytes() -> float:
    """Most memory that this process ever held; Linux tells it in KiB, macOS in bytes."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held / (2**20 if sys.platform == "darwin" else 2**10)
