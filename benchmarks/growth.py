"""Does a run grow: `python -m benchmarks.growth [--steps N]`.

Trains a tiny network with two readers, validation, checkpoints and pictures. Every fifty steps after
the warm-up it counts memory, descriptors and threads of the run and its readers. Memory is fitted by
Theil and Sen's line, the median slope of all pairs, which a single peak does not move.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from benchmarks.tiny import tiny_run
from selfsup_depth.cli import main as selfsup_depth
from selfsup_depth.training import trainer as run_trainer

WARM_UP_STEPS, EVERY = 500, 50
MOST_MEGABYTES = 1.0  # in a thousand steps
OPTIONS = ["--data.num_workers=2", "--save-every=50", "--keep=3", "--trainer.val_check_interval=100"]
OPTIONS += ["--trainer.check_val_every_n_epoch=null"]


class Sample(NamedTuple):
    """What a run holds after a step: memory in MB, open descriptors, threads."""

    step: int
    megabytes: float
    descriptors: int
    threads: int


class Count(Callback):
    """Counts every fifty steps after the warm-up."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step >= WARM_UP_STEPS and trainer.global_step % EVERY == 0:
            self.samples.append(sample(trainer.global_step))


def sample(step: int) -> Sample:
    """This process and its readers, together."""
    pids = [os.getpid(), *[child.pid for child in multiprocessing.active_children()]]
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    descriptors, threads = (
        sum(len(os.listdir(f"/proc/{pid}/{kind}")) for pid in pids) for kind in ("fd", "task")
    )
    return Sample(step, pages * os.sysconf("SC_PAGE_SIZE") / 1e6, descriptors, threads)


def slope(samples: list[Sample]) -> float:
    """Growth of the memory, MB in a thousand steps."""
    pairs = itertools.combinations(samples, 2)
    return 1000 * statistics.median((b.megabytes - a.megabytes) / (b.step - a.step) for a, b in pairs)


def main() -> None:
    """Train, count, print; ends with 1 where a run grows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=5000, help="after the warm-up; default: 5000")
    steps = WARM_UP_STEPS + parser.parse_args().steps
    torch.set_num_threads(1)
    count, callbacks = Count(), run_trainer.make_callbacks
    run_trainer.make_callbacks = lambda *given: [*callbacks(*given), count]
    with tempfile.TemporaryDirectory() as folder:
        assert selfsup_depth(tiny_run(Path(folder), steps, *OPTIONS)) == 0
    grown, samples = slope(count.samples), count.samples
    # Batches on their way from the readers hold descriptors, now more and now fewer: the most counts.
    middle = len(samples) // 2
    early, late = (
        (max(s.descriptors for s in part), max(s.threads for s in part))
        for part in (samples[:middle], samples[middle:])
    )
    print(f"{len(samples)} samples, steps {samples[0].step}..{samples[-1].step}")
    print(
        f"memory {samples[0].megabytes:.1f} -> {samples[-1].megabytes:.1f} MB, {grown:+.3f} MB in 1,000 steps"
    )
    print(f"most descriptors and threads: {early} in the first half, {late} in the second")
    raise SystemExit(grown >= MOST_MEGABYTES or late[0] > early[0] or late[1] > early[1])


if __name__ == "__main__":
    main()
