"""What a run does when it is told to stop: finish the step, save, and say by its exit code why."""

from __future__ import annotations

import logging
import os
import signal
import threading
import types
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from selfsup_depth.console import EXIT_CODES
from selfsup_depth.structures import Batch, Measured
from selfsup_depth.training.agreement import end_together, largest_of_all
from selfsup_depth.training.saving import LastCheckpoint

log = logging.getLogger(__name__)


class Signals(Callback):
    """Hears signals while a run trains; whichever process hears one, all act on it together.

    SIGTERM, SIGHUP and SIGINT finish the step, save and end the run; a second one ends it at
    once, and what was saved before stays whole. SIGUSR1 saves, and the run goes on.

    Args:
        last: what saves.
    """

    def __init__(self, last: LastCheckpoint) -> None:
        self.last = last
        self.exit_code = 0
        self._save_asked = False
        self._step = -1

    def on_sanity_check_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._listen(trainer)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._listen(trainer)
        self._step = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        # While gradients are gathered over several batches, the step is not finished.
        if trainer.global_step == self._step:
            return
        self._step = trainer.global_step
        asked = largest_of_all(self.exit_code or int(self._save_asked), trainer)
        if asked:
            self._save_asked = False
            self.last.save(trainer)
            self._say_saved(trainer)
        if asked > 1:
            end_together(trainer, SystemExit(asked))

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Measured,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        # Processes validate different numbers of images: only a single one can decide here.
        if self.exit_code and trainer.world_size == 1 and self.last.saved_at == trainer.global_step:
            self._say_saved(trainer)
            raise SystemExit(self.exit_code)

    def _say_saved(self, trainer: Trainer) -> None:
        log.info("saved after step %d, in %s", trainer.global_step, self.last.file)

    def _listen(self, trainer: Trainer) -> None:
        """Take the signals over from Lightning, which gives them back when it ends."""
        if threading.current_thread() is not threading.main_thread():
            return

        def hear(number: int, frame: types.FrameType | None) -> None:
            if self.exit_code:
                end_at_once(trainer, EXIT_CODES[signal.Signals(number)])
            self.exit_code = EXIT_CODES[signal.Signals(number)]

        def hear_save(number: int, frame: types.FrameType | None) -> None:
            self._save_asked = True

        for number in EXIT_CODES:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, hear)
        signal.signal(signal.SIGUSR1, hear_save)


def end_at_once(trainer: Trainer, exit_code: int) -> None:
    """End this process and those it started, in the middle of whatever they do."""
    launcher: Any = trainer.strategy.launcher
    for process in getattr(launcher, "procs", []):
        process.kill()
    os.write(2, b"stopped at once; the checkpoint before is kept\n")
    os._exit(exit_code)
