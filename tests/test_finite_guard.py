"""A number that is not finite costs one step and no more, is written down, and ends a run if it stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch

from selfsup_depth.data.examples import TrainingExamples
from selfsup_depth.training.checkpoint_io import read_sealed

BROKEN_TERM = """
import os
import torch
from selfsup_depth.losses.base import LossTerm


class Broken(LossTerm):
    \"\"\"Zero; from one step to another its value or its gradient is not finite.\"\"\"

    def __init__(self, weight=1.0, first=2, last=2, kind="loss", rank=0):
        super().__init__(weight)
        self.first, self.last, self.kind, self.rank, self.calls = first, last, kind, rank, 0

    def forward(self, batch, estimates):
        if not self.training:
            return torch.zeros(())
        self.calls += 1
        mean = estimates[0].inverse_depth.mean()
        mine = int(os.environ.get("LOCAL_RANK", 0)) == self.rank
        if not (mine and self.first < self.calls <= self.last + 1):
            return mean * 0
        # The root's slope at zero is infinite, its value is not.
        return mean * torch.inf if self.kind == "loss" else (mean - mean.detach()).sqrt()
"""


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Flags for a term that breaks; steps count from 0."""
    (tmp_path / "broken_term.py").write_text(BROKEN_TERM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "broken_term", raising=False)

    def flags(**options) -> list[str]:
        name = "--model.losses.broken"
        return [f"{name}.class_path=broken_term.Broken", *(f"{name}.{k}={v}" for k, v in options.items())]

    return flags


def record(run) -> list[dict]:
    return [json.loads(line) for line in (run / "nonfinite_steps.jsonl").read_text().splitlines()]


def finite(tensors) -> bool:
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values())


@pytest.mark.parametrize("kind", ["loss", "gradient"])
def test_a_step_that_is_not_finite_is_left_out_and_written_down(train, tmp_path, broken, capsys, kind):
    assert train(tmp_path / "run", *broken(kind=kind)) == 0
    checkpoint = read_sealed(tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert finite(checkpoint["state_dict"])
    # Three of four steps reached the optimizer.
    assert checkpoint["global_step"] == 4
    assert {int(state["step"]) for state in checkpoint["optimizer_states"][0]["state"].values()} == {3}
    (line,) = record(tmp_path / "run")
    assert line["step"] == 2
    (seen,) = line["processes"]
    assert seen["terms"]["loss/broken"] == ("inf" if kind == "loss" else 0)
    assert seen["gradient_norm"] in ("nan", "inf")
    assert len(seen["images"]) == 2
    assert all(image.endswith(".png") for image in seen["images"])
    assert "step 2 is left out" in capsys.readouterr().err


def test_the_statistics_of_batch_normalisation_stay_whole(train, tmp_path, monkeypatch):
    """An image of NaNs goes through the network before anybody can see that the loss is NaN."""
    read = TrainingExamples.__getitem__
    read_as = {}

    def poisoned(self, key):
        batch = read(self, key)
        if key[1] != 3:
            return batch
        read_as[key] = self.examples[3].frame.image
        return batch._replace(target=batch.target._replace(image=batch.target.image * torch.nan))

    monkeypatch.setattr(TrainingExamples, "__getitem__", poisoned)
    assert train(tmp_path / "run", "--model.depth_net.norm=batch") == 0
    weights = read_sealed(tmp_path / "run" / "checkpoints" / "last.ckpt")["state_dict"]
    assert finite(weights)
    assert {int(v) for k, v in weights.items() if k.endswith("num_batches_tracked")} == {3}
    (line,) = record(tmp_path / "run")
    assert str(read_as[0, 3]) in line["processes"][0]["images"]


def test_five_in_a_row_are_borne_and_six_end_the_run(train, tmp_path, broken, capsys):
    steps = "--trainer.max_steps=9"
    assert train(tmp_path / "five", steps, *broken(first=2, last=6)) == 0
    assert len(record(tmp_path / "five")) == 5
    capsys.readouterr()
    assert train(tmp_path / "six", steps, *broken(first=2, last=7)) == 5
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: loss or gradient was not finite in 6 steps in a row, in ")
    assert [line["step"] for line in record(tmp_path / "six")] == [2, 3, 4, 5, 6, 7]
    checkpoint = read_sealed(tmp_path / "six" / "checkpoints" / "last.ckpt")
    assert finite(checkpoint["state_dict"])


def test_a_run_of_which_no_step_was_taken_is_no_result(train, tmp_path, broken, capsys):
    """Four steps are fewer than end a run by themselves; what stands there is what it began with."""
    run = tmp_path / "run"
    assert train(run, *broken(first=0, last=99)) == 5
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: loss or gradient was not finite in all 4 steps, in ")
    assert not (run / "evaluation.json").exists()
    assert train(run, "--resume=auto", *broken(first=0, last=99)) == 5
    assert not (run / "evaluation.json").exists()


def test_all_processes_decide_alike(tmp_path, broken, drive, tiny):
    """The second process alone sees the loss break; the first ends the run and says so."""
    command = [sys.executable, "-m", "selfsup_depth", "train", "--config=method/monodepth2_stereo.yaml"]
    command += ["--config=data/kitti_raw.yaml", f"--config={tiny}", f"--data.root={drive}"]
    command += [f"--run={tmp_path / 'run'}", "--trainer.devices=2", "--trainer.strategy=ddp"]
    command += ["--trainer.max_steps=20", *broken(first=1, last=99, rank=1)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=240, cwd=tmp_path
    )
    assert ended.returncode == 5, ended.stderr[-2000:]
    assert ended.stderr.count("error: ") == 1, ended.stderr[-2000:]
    lines = record(tmp_path / "run")
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    first, second = lines[0]["processes"]
    assert (first["terms"]["loss/broken"], second["terms"]["loss/broken"]) == (0, "inf")
    assert set(first["images"]).isdisjoint(second["images"])
