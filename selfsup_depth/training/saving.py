"""When a run is saved, and which of its checkpoints are kept."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from selfsup_depth.errors import ConfigError
from selfsup_depth.modules.base import num_training_steps
from selfsup_depth.training.schedule import is_due
from selfsup_depth.training.storage import link_or_copy


class LastCheckpoint(Callback):
    """Keeps the newest state of the run in one file, for --resume, and earlier ones if asked.

    Lightning's own `save_last` writes only when the monitored error has improved, so that
    a run could lose everything since its best moment.

    Args:
        file: where.
        intervals: saved after every so many steps of each, besides the end of the run.
        keep: how many numbered checkpoints (step_000400.ckpt) are kept beside it.

    Raises:
        ConfigError: a number is negative.
    """

    def __init__(self, file: Path, intervals: Collection[int], keep: int = 0) -> None:
        for option, value in [("keep", keep), *(("save_every", interval) for interval in intervals)]:
            if value < 0:
                raise ConfigError(f"{option} is {value}; give 0 or more")
        self.file = file
        self.intervals = intervals
        self.keep = keep
        self.saved_at = -1

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # The last step is saved here, too: once the loop has ended, its state says that the
        # epoch was completed, and a run that goes on would miss the rest of it.
        last = trainer.global_step >= num_training_steps(trainer)
        if last or any(is_due(trainer.global_step, interval) for interval in self.intervals):
            self.save(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.save(trainer)

    def save(self, trainer: Trainer) -> None:
        """Save the state after this step, once; all processes must ask."""
        if self.saved_at == trainer.global_step:
            return
        trainer.save_checkpoint(self.file)
        self.saved_at = trainer.global_step
        if self.keep and trainer.is_global_zero:
            link_or_copy(self.file, self.file.with_name(f"step_{trainer.global_step:06d}.ckpt"))
            for old in numbered_checkpoints(self.file.parent)[: -self.keep]:
                old.unlink(missing_ok=True)


def numbered_checkpoints(folder: Path) -> list[Path]:
    """Those of single steps, the one written last at the end."""
    return sorted(folder.glob("step_*.ckpt"), key=lambda file: (file.stat().st_mtime_ns, file.name))
