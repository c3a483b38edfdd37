"""A drive of a few small frames, and tiny runs on it."""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path

import data_trees
import pytest
from known_network import SIZE, Brightness

from selfsup_depth.cli import main
from selfsup_depth.training import prediction
from selfsup_depth.training.checkpoint import LoadedCheckpoint

TINY = """
model:
  depth_net:
    width?: 0.125
    norm?: group
    min_depth?: 1.0
    first_depth?: 8.0
  pose_net?:
    width?: 0.125
    norm?: group
data: {height: 32, width: 64, batch_size: 2, num_workers: 0}
optimizer: {learning_rate: 1.0e-3}
trainer: {max_steps: 4, accelerator: cpu, devices: 1, log_every_n_steps: 1}
"""


@pytest.fixture(scope="session", autouse=True)
def _hang_ups_are_heard():
    """Also where the tests were started by nohup, under which a command passes over them."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(autouse=True)
def _process_is_left_as_it_was():
    """What a test changed for those after it would fail them in another order."""
    before = process_state()
    yield
    after = process_state()
    assert {key: after.get(key) for key in before} == before


def process_state() -> dict[str, object]:
    """What all tests of a process share."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    state: dict[str, object] = {
        "folder": os.getcwd(),
        "variables": variables,
        "path": [folder for folder in sys.path if folder],
    }
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        state[number.name] = signal.getsignal(number)
    libraries = [name for name in ("pytorch_lightning", "lightning_fabric") if name in sys.modules]
    for name in ("", "selfsup_depth", *libraries):
        logger = logging.getLogger(name)
        state[f"logger {name}"] = logger.level, logger.propagate, logger.disabled
    state["logging"] = logging.root.manager.disable
    if torch := sys.modules.get("torch"):
        deterministic = torch.are_deterministic_algorithms_enabled()
        state["torch"] = (
            torch.get_num_threads(),
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
            deterministic,
        )
    return state


@pytest.fixture(scope="session")
def drive(tmp_path_factory) -> Path:
    return data_trees.kitti_raw(tmp_path_factory.mktemp("drive"), num_frames=8)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("conf") / "tiny.yaml"
    file.write_text(TINY)
    return file


@pytest.fixture(scope="session")
def train(tiny, drive):
    """Train a recipe on the tiny drive; returns the exit code."""

    def run(folder: Path, *options: str, method: str = "monodepth2_stereo") -> int:
        files = [f"--config=method/{method}.yaml", "--config=data/kitti_raw.yaml", f"--config={tiny}"]
        return main(["train", *files, f"--data.root={drive}", f"--run={folder}", *options])

    return run


@pytest.fixture
def checkpoint(monkeypatch, tmp_path):
    """Stands for a run of `Brightness` on disk; returns what sets the record's scale and more of it."""

    def with_scale(kind: str, **more: object) -> list[str]:
        record = {"size": list(SIZE), "scale": {"kind": kind, "unit": "metre"}, "depth_range": [1.0, 80.0]}
        loaded = LoadedCheckpoint(Brightness(), record | more, tmp_path)
        monkeypatch.setattr(prediction, "load_checkpoint", lambda path, trust=False: loaded)
        return ["--checkpoint", str(tmp_path)]

    return with_scale
