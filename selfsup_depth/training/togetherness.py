"""Processes of a run begin with the same examples, and do not wait for each other for ever."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import torch.distributed
from pytorch_lightning import Callback, LightningModule, Trainer

from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.errors import DataError
from selfsup_depth.training.agreement import end_together, gather


class Togetherness(Callback):
    """Processes of a run begin with the same examples, and wait only so long for each other.

    Args:
        timeout: seconds that a process may leave the others without an answer once training has begun.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, DepthDataModule)
        counts = gather(data.num_examples, trainer)
        if stage == "fit" and len(set(counts)) > 1:
            what = "the processes of the run found different numbers of examples (training, validation)"
            fix = "give every machine the same data"
            end_together(trainer, DataError(f"{what}: {counts}, in {data.root}; {fix}"))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.world_size > 1:
            torch.distributed.distributed_c10d._set_pg_timeout(timedelta(seconds=self.timeout))
