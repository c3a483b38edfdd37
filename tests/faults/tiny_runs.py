"""Tiny runs as processes of their own, started in a moment: forked from one that has imported everything.

Each is the real command in a real process, which can be killed; only the seconds that the
imports take are saved.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from selfsup_depth.cli import main
from selfsup_depth.training import run as _imported_before_forking  # noqa: F401
from selfsup_depth.training.checkpoint_io import read_sealed, tensors_in

STEPS = 40
RECIPES = {
    "stereo": ["--config=method/monodepth2_stereo.yaml"],
    # At this size two-view geometry finds no motion.
    "video": [
        "--config=method/monodepth2_mono.yaml",
        "--data.two_view_motion=false",
        "--model.geometric_start.steps=0",
        "--model.pose_net.width=0.125",
    ],
}
TINY = [
    "--config=data/kitti_raw.yaml",
    "--model.depth_net.width=0.125",
    "--data.height=32",
    "--data.width=64",
    "--data.batch_size=2",
    "--trainer.accelerator=cpu",
    "--trainer.devices=1",
    "--trainer.limit_val_batches=1",
    f"--trainer.max_steps={STEPS}",
    "--save-every=1",
    "--resume=auto",
]


class TinyRuns:
    """Starts runs on a small synthetic recording.

    Args:
        folder: for the recording and what the runs print; $TMPDIR of the runs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        os.environ["TMPDIR"] = str(folder)
        torch.set_num_threads(1)  # a thread would not survive a fork
        options = ["--drives=2", "--frames=10", "--held_out_drives=1", "--height=48", "--width=96"]
        self._ended_well(self.start(["data", "synthesize", f"--output={self.data}", *options]))

    def told(self) -> str:
        """What the process that ran last printed."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self, arguments: list[str]) -> BaseProcess:
        """A process that runs the command."""
        process = multiprocessing.get_context("fork").Process(target=self._live, args=(arguments,))
        process.start()
        return process

    def train(self, recipe: str, workers: int, run: Path) -> BaseProcess:
        """A process that trains, going on where there is a checkpoint."""
        places = [f"--data.root={self.data}", f"--data.num_workers={workers}", f"--run={run}"]
        return self.start(["train", *RECIPES[recipe], *TINY, *places])

    def reference(self, recipe: str, run: Path) -> str:
        """The hash of a run that nothing interrupts, without workers."""
        self._ended_well(self.train(recipe, 0, run))
        return digest(run)

    def _ended_well(self, process: BaseProcess) -> None:
        process.join()
        if process.exitcode:
            raise SystemExit(f"exit code {process.exitcode}:\n{self.told()[-3000:]}")

    def _live(self, arguments: list[str]) -> None:
        with (self.folder / "log").open("w") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        sys.exit(main(arguments))


def digest(run: Path) -> str:
    """SHA-256 of the last checkpoint's weights and optimizer; the step where it is not the last one."""
    content = read_sealed(last(run))
    if content["global_step"] != STEPS:
        return f"step {content['global_step']}"
    found = hashlib.sha256()
    for key in ("state_dict", "optimizer_states"):
        for name, tensor in tensors_in(content[key], key):
            found.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return found.hexdigest()


def last(run: Path) -> Path:
    return run / "checkpoints" / "last.ckpt"


def wait_for(condition: Callable[[], bool], process: BaseProcess, seconds: float = 120) -> bool:
    """Whether a condition comes true while the process lives."""
    until = time.monotonic() + seconds
    while not condition():
        if not process.is_alive() or time.monotonic() > until:
            return False
        time.sleep(0.0005)
    return True


def wait_for_save(run: Path, process: BaseProcess) -> bool:
    """Whether the process saves anew while it lives."""

    def written() -> int:
        return last(run).stat().st_mtime_ns if last(run).exists() else 0

    before = written()
    return wait_for(lambda: written() != before, process)


def print_table(rows: list[tuple[object, ...]]) -> None:
    """Columns as wide as their widest entry."""
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(str(entry).ljust(width) for entry, width in zip(row, widths, strict=True)).rstrip())
