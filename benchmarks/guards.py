"""What the guards of a run cost: `python -m benchmarks.guards [--pairs N]`.

One run with `small.yaml` over stereo and video takes turns in one process: twenty steps and a save with
the guards (non-finite steps, collapse, signals, a sealed and flushed checkpoint), and as many without
them, with torch's own saving. Counted is the processor's time; the number is the median over the pairs. A
real run saves less often. Where others use the machine, steps differ by more than the guards cost: so the
time that passes inside them is counted, too, and what of a save is not torch's.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from benchmarks.tiny import run_of
from selfsup_depth.cli import main as selfsup_depth
from selfsup_depth.training import collapse_monitor
from selfsup_depth.training import trainer as run_trainer
from selfsup_depth.training.collapse_monitor import CollapseMonitor
from selfsup_depth.training.finite_guard import FiniteGuard
from selfsup_depth.training.saving import LastCheckpoint
from selfsup_depth.training.signals import Signals

STEPS = 20  # of one turn; the monitor of collapse looks once in it
LEAST_RATIO = 0.98
GUARDS = FiniteGuard, CollapseMonitor, Signals
# Neither validation nor pictures, which both turns would have.
OPTIONS = ["--trainer.val_check_interval=1000000", "--trainer.check_val_every_n_epoch=null"]
OPTIONS += ["--config=small.yaml", "--data.num_workers=0"]


class Turns(Callback):
    """Takes the guards off and puts them on again, turn by turn, and counts the time of each.

    Args:
        folder: gets the checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seconds: dict[bool, list[float]] = {True: [], False: []}
        self.inside = 0.0  # in the guards, in all of their turns
        self.saves: dict[bool, list[float]] = {True: [], False: []}
        self._all: list[Callback] = []
        self._began = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # A run's own saves come at other intervals than turns.
        self._all = [callback for callback in trainer.callbacks if not isinstance(callback, LastCheckpoint)]
        trainer.callbacks = self._all
        for guard in self._all:
            if isinstance(guard, GUARDS):
                for hook in (name for name in vars(type(guard)) if name.startswith("on_")):
                    setattr(guard, hook, self._counted(getattr(guard, hook)))
        self._began = time.process_time()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        turn, in_turn = divmod(trainer.global_step, STEPS)
        if in_turn:
            return
        guarded, save_began = is_guarded(turn - 1), time.process_time()
        if guarded:
            trainer.save_checkpoint(self.folder / "guarded.ckpt")
        else:
            torch.save(trainer._checkpoint_connector.dump_checkpoint(), self.folder / "plain.ckpt")
        if turn > 2:  # the first pair warms up
            self.saves[guarded].append(time.process_time() - save_began)
            self.seconds[guarded].append(time.process_time() - self._began)
        else:
            self.inside = 0.0
        trainer.callbacks = [c for c in self._all if is_guarded(turn) or not isinstance(c, GUARDS)]
        self._began = time.process_time()

    def _counted(self, hook: Callable[..., None]) -> Callable[..., None]:
        def counted(*given: Any) -> None:
            began = time.process_time()
            hook(*given)
            self.inside += time.process_time() - began

        return counted


def is_guarded(turn: int) -> bool:
    """On, off, off, on: what drifts falls on both alike."""
    return turn % 4 in (0, 3)


def main() -> None:
    """Train, count, print; ends with 1 where the guards cost more than they may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7, help="default: 7")
    turns = 2 * (1 + parser.parse_args().pairs)
    torch.set_num_threads(1)
    collapse_monitor.WARM_UP_STEPS = 0
    make_callbacks = run_trainer.make_callbacks
    with tempfile.TemporaryDirectory() as folder:
        counted = Turns(Path(folder))
        run_trainer.make_callbacks = lambda *given: [*make_callbacks(*given), counted]
        arguments = run_of(Path(folder), STEPS * turns, "monodepth2_mono_stereo", *OPTIONS)
        assert selfsup_depth(arguments) == 0
    on, off = counted.seconds[True], counted.seconds[False]
    ratios = sorted(b / a for a, b in zip(on, off, strict=True))
    median = statistics.median(ratios)
    print(f"{len(on)} pairs of {STEPS} steps and a save, torch {torch.__version__}")
    with_guards, without = (statistics.median(seconds) / STEPS for seconds in (on, off))
    print(f"processor seconds a step: {with_guards:.3f} with, {without:.3f} without")
    print(f"steps per second with the guards over without: {median:.4f} ({ratios[0]:.4f}..{ratios[-1]:.4f})")
    saving = statistics.median(counted.saves[True]) - statistics.median(counted.saves[False])
    inside = counted.inside / len(on) + max(0.0, saving)
    share = inside / statistics.median(on)
    print(f"inside the guards: {1000 * inside / STEPS:.1f} ms a step, steps per second {1 - share:.4f}")
    raise SystemExit(median < LEAST_RATIO)


if __name__ == "__main__":
    main()
