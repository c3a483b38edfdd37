"""One line that tells how a run is going: steps, loss terms, speed and remaining time."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from pytorch_lightning import Callback, LightningModule, Trainer
from tqdm import tqdm

from selfsup_depth.modules.base import num_training_steps
from selfsup_depth.structures import Batch
from selfsup_depth.training.processes import is_lost_connection

# Seconds between two lines where the output is a file, so that a log stays readable.
LOG_INTERVAL = 15.0
# What is over sooner needs no bar.
PATIENCE = 3.0

Item = TypeVar("Item")


def passing_bar(items: Iterable[Item], name: str, total: int, unit: str) -> Iterator[Item]:
    """The items, with a bar that is gone when they are done, and never there if that is soon."""
    watched = sys.stderr.isatty()
    interval = 0.2 if watched else LOG_INTERVAL
    yield from tqdm(items, name, total, unit=unit, delay=PATIENCE, mininterval=interval, leave=not watched)


class Progress(Callback):
    """A bar over the steps of the whole run (Lightning's own restarts with every epoch)."""

    def __init__(self) -> None:
        self.bar: tqdm[Any] | None = None
        self.num_images = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        watched = sys.stderr.isatty()
        self.bar = tqdm(
            total=num_training_steps(trainer),
            initial=trainer.global_step,
            desc="training",
            unit="step",
            mininterval=0.2 if watched else LOG_INTERVAL,
            dynamic_ncols=watched,
            ncols=None if watched else 160,
        )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        if self.bar is None:
            return
        self.num_images += len(batch.target.image) * trainer.world_size
        elapsed = self.bar.format_dict["elapsed"]
        terms = {
            name.removeprefix("loss/"): f"{float(value):.4f}"
            for name, value in trainer.callback_metrics.items()
            if name.startswith("loss/")
        }
        if elapsed:
            terms["images/s"] = f"{self.num_images / elapsed:.1f}"
        self.bar.set_postfix(terms, refresh=False)
        self.bar.update(trainer.global_step - self.bar.n)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._say("validating")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._say("training")

    def _say(self, what: str) -> None:
        if self.bar is not None:
            self.bar.set_description(what, refresh=sys.stderr.isatty())

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if self.bar is not None:
            # Another process that has failed has said why; nothing comes after that.
            self.bar.disable = self.bar.disable or is_lost_connection(exception)
        self.close()

    def close(self) -> None:
        """Leave the last state of the bar on the screen."""
        bar, self.bar = self.bar, None
        try:
            if bar is not None:
                bar.close()
        except BaseException:
            # A second reader's death, or a signal, in the middle of it: what is said next begins a line.
            print(file=sys.stderr)
            raise
