"""A run that is told to stop finishes its step, saves, says so, and can be gone on with."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import types

import pytest
import torch

from selfsup_depth.cli import main
from selfsup_depth.errors import NumericError
from selfsup_depth.modules.base import SelfSupervisedDepth
from selfsup_depth.training.agreement import end_together
from selfsup_depth.training.checkpoint_io import read_sealed

SIGNALLING_TERM = """
import os
from selfsup_depth.losses.base import LossTerm


class Signalling(LossTerm):
    \"\"\"Zero; in the step that the environment names, the process gets a signal.\"\"\"

    calls = 0

    def forward(self, batch, estimates):
        if self.training:
            number, step = map(int, os.environ.get("SIGNAL_AT", "0,0").split(","))
            type(self).calls += 1
            if number and self.calls == step:
                os.kill(os.getpid(), number)
        return estimates[0].inverse_depth.mean() * 0
"""
FLAG = "--model.losses.signalling.class_path=signalling.Signalling"
STEPS = ["--trainer.max_steps=7", "--optimizer.milestones=[]", FLAG]


@pytest.fixture
def signalled(tmp_path, monkeypatch):
    (tmp_path / "signalling.py").write_text(SIGNALLING_TERM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "signalling", raising=False)

    def at(number: int, step: int) -> None:
        monkeypatch.setenv("SIGNAL_AT", f"{number},{step}")
        if "signalling" in sys.modules:
            sys.modules["signalling"].Signalling.calls = 0

    return at


def last(run):
    return read_sealed(run / "checkpoints" / "last.ckpt")


def same(first, second) -> bool:
    one, other = last(first)["state_dict"], last(second)["state_dict"]
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@pytest.mark.parametrize(
    ("number", "code", "workers"), [(15, 143, 0), (15, 143, 2), (1, 143, 0), (2, 130, 0)]
)
def test_a_signal_ends_the_run_after_its_step_and_loses_nothing(
    train, tmp_path, signalled, number, code, workers
):
    # A run of 70 steps would save by itself after 7.
    signalled(number, 3)
    options = [*STEPS, f"--data.num_workers={workers}", "--trainer.max_steps=70"]
    assert train(tmp_path / "broken", *options) == code
    assert last(tmp_path / "broken")["global_step"] == 3
    signalled(0, 0)
    assert main(["train", f"--resume={tmp_path / 'broken'}", "--trainer.max_steps=7"]) == 0
    assert train(tmp_path / "whole", *STEPS, f"--data.num_workers={workers}") == 0
    assert same(tmp_path / "broken", tmp_path / "whole")


def test_sigusr1_saves_and_the_run_goes_on(train, tmp_path, signalled, capsys):
    signalled(10, 3)
    assert train(tmp_path / "run", *STEPS, "--trainer.max_steps=40") == 0
    assert "saved after step 3, in" in capsys.readouterr().err
    assert last(tmp_path / "run")["global_step"] == 40


def test_a_signal_during_validation_ends_the_run_there(train, tmp_path, monkeypatch, signalled, capsys):
    seen = []
    validate = SelfSupervisedDepth.validation_step

    def signalled_validation(module, batch, batch_idx):
        if module.global_step == 2:
            seen.append(batch_idx)
            os.kill(os.getpid(), 15) if batch_idx == 1 else None
        validate(module, batch, batch_idx)

    monkeypatch.setattr(SelfSupervisedDepth, "validation_step", signalled_validation)
    assert train(tmp_path / "broken", *STEPS) == 143
    assert seen == [0, 1]
    assert "saved after step 2, in" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert last(tmp_path / "broken")["global_step"] == 2
    assert main(["train", f"--resume={tmp_path / 'broken'}"]) == 0
    assert train(tmp_path / "whole", *STEPS) == 0
    assert same(tmp_path / "broken", tmp_path / "whole")


@pytest.mark.parametrize(("first", "code"), [(True, 143), (False, 0)])
def test_only_the_first_process_says_why_all_end(first, code):
    """Another one's error would have Lightning kill the first before it has said anything."""
    trainer = types.SimpleNamespace(is_global_zero=first)
    with pytest.raises(SystemExit) as ending:
        end_together(trainer, SystemExit(143))
    assert ending.value.code == code
    with pytest.raises(NumericError if first else SystemExit):
        end_together(trainer, NumericError("loss is not finite"))


def start(tmp_path, drive, tiny, *options):
    command = [sys.executable, "-m", "selfsup_depth", "train", "--config=method/monodepth2_stereo.yaml"]
    command += ["--config=data/kitti_raw.yaml", f"--config={tiny}", f"--data.root={drive}"]
    command += [f"--run={tmp_path / 'run'}", "--trainer.max_steps=100000", *options]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path)


def wait_for(condition, seconds=120):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


SECOND_SAVE_IS_SIGNALLED_TWICE = """
import os, signal, sys, time, torch
from selfsup_depth.cli import main

save, saves = torch.save, []

def signalled(content, stream):
    saves.append(1)
    if len(saves) == 2:
        stream.write(b"half a file")
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    save(content, stream)

torch.save = signalled
raise SystemExit(main(sys.argv[1:]))
"""


def test_a_second_signal_ends_it_at_once_and_what_was_saved_stays(tmp_path, drive, tiny):
    command = ["-c", SECOND_SAVE_IS_SIGNALLED_TWICE, "train", "--config=method/monodepth2_stereo.yaml"]
    command += ["--config=data/kitti_raw.yaml", f"--config={tiny}", f"--data.root={drive}"]
    command += [f"--run={tmp_path / 'run'}", "--trainer.max_steps=2", "--trainer.num_sanity_val_steps=0"]
    command += ["--trainer.limit_val_batches=0"]
    ended = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=50)
    assert ended.returncode == 143, ended.stderr[-2000:]
    assert last(tmp_path / "run")["global_step"] == 1
    leftover = tmp_path / "run" / "checkpoints" / ".last.ckpt.part"
    assert leftover.exists()
    assert main(["train", f"--resume={tmp_path / 'run'}"]) == 0
    assert last(tmp_path / "run")["global_step"] == 2
    assert not leftover.exists()


@pytest.mark.slow
def test_two_processes_end_together_with_the_code_of_the_signal(tmp_path, drive, tiny):
    running = start(tmp_path, drive, tiny, "--trainer.devices=2", "--trainer.strategy=ddp")
    wait_for(lambda: any((tmp_path / "run").glob("pictures/*.png")))
    time.sleep(1)
    running.terminate()
    _, error = running.communicate(timeout=60)
    assert running.returncode == 143, error[-2000:]
    assert "error" not in error, error[-2000:]
    assert last(tmp_path / "run")["global_step"] > 0
