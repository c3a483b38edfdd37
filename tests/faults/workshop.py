"""Where a fault is built and how the command is run on it."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import data_trees as trees
import torch

TINY = """
model:
  depth_net: {width: 0.125, norm: group, min_depth: 1.0, first_depth: 8.0}
  pose_net?: {width: 0.125, norm: group}
data: {height: 32, width: 64, batch_size: 2, num_workers: 0}
optimizer: {learning_rate: 1.0e-3}
trainer: {max_steps: 2, accelerator: cpu, devices: 1, log_every_n_steps: 1}
"""
SEAL = b"\nselfsup-depth sha256 "


class Outcome(NamedTuple):
    """What a command left: its exit code, and what it said on stderr."""

    code: int
    said: str


class Workshop(NamedTuple):
    """A folder for one fault, and the command.

    folder: empty at first; the command runs in it.
    run: runs the command with arguments in a folder.
    trained: a run that was trained before and must not be changed.
    """

    folder: Path
    run: Callable[[list[str], Path], Outcome]
    trained: Callable[[], Path]

    @property
    def root(self) -> Path:
        return self.folder / "root"

    def train(
        self, *options: str, method: str = "monodepth2_stereo", layout: str = "data/kitti_raw.yaml"
    ) -> list[str]:
        """Arguments that train a tiny network on what lies under `root`."""
        trees.write(self.folder / "tiny.yaml", TINY)
        files = [f"--config=method/{method}.yaml", f"--config={layout}", "--config=tiny.yaml"]
        return ["train", *files, f"--data.root={self.root}", f"--run={self.folder / 'run'}", *options]

    def copy_of_trained(self) -> Path:
        """The trained run, to be damaged."""
        return Path(shutil.copytree(self.trained(), self.folder / "trained"))


Make = Callable[[Workshop], list[str]]


class Case(NamedTuple):
    """A fault, and what the command must do about it.

    number: of the fault; with a letter where it is tried in another way, too.
    fault: what is wrong.
    make: builds it and returns the command's arguments.
    expected: exit code.
    told: pattern of what the error line must name, or of what is said where the run goes on.
    begun: whether a run was begun, which then stays.
    prefix: a program that runs the command, with fewer rights.
    around: what must hold while the command runs.
    """

    number: str
    fault: str
    make: Make
    expected: int
    told: str
    begun: bool = False
    prefix: tuple[str, ...] = ()
    around: Callable[[Workshop], AbstractContextManager[Any]] = lambda shop: nullcontext()


def faults_of(case: Case, outcome: Outcome, shop: Workshop) -> list[str]:
    """What is wrong with the command's answer; empty if it is as it should be."""
    errors = [line for line in outcome.said.splitlines() if line.startswith("error:")]
    text = errors[0] if case.expected and errors else outcome.said
    left = [str(path) for path in shop.folder.rglob("*.part")]
    if case.expected and not case.begun and (shop.folder / "run" / "config.yaml").exists():
        left.append("run")
    wrong = {
        f"exit code {outcome.code}": outcome.code != case.expected,
        "traceback": "Traceback" in outcome.said,
        f"{len(errors)} error lines": len(errors) != bool(case.expected),
        f"no /{case.told}/": re.search(case.told, text) is None,
        f"left behind {left}": bool(left),
    }
    return [what for what, is_so in wrong.items() if is_so]


def train_once(shop: Workshop) -> None:
    """The run that `Workshop.trained` gives out."""
    trees.kitti_raw(shop.root, num_frames=4)
    outcome = shop.run(shop.train(), shop.folder)
    assert outcome.code == 0, outcome.said


def reseal(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a checkpoint's content and seal it anew, as somebody who knows the format could."""
    content = torch.load(file, weights_only=True)
    change(content)
    torch.save(content, file)
    seal(file)


def seal(file: Path) -> None:
    """Append the hash of the content."""
    content = file.read_bytes()
    file.write_bytes(content + SEAL + hashlib.sha256(content).hexdigest().encode())
