"""Processes that read for a run: signals to the job are not for them, and a lost one is named in one line."""

from __future__ import annotations

import ctypes
import multiprocessing
import subprocess
import sys
import time

import pytest
import torch

from selfsup_depth.data import readers
from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.data.examples import TrainingExamples
from selfsup_depth.data.kitti_raw import KittiRaw
from selfsup_depth.errors import LostProcessError


@pytest.fixture
def batches(drive):
    """Makes the batches of an epoch, shuffled by seed 0."""

    def make(num_workers: int):
        data = DepthDataModule(KittiRaw(), drive, 32, 64, batch_size=1, num_workers=num_workers, video=())
        data.setup("fit")
        return iter(data.train_dataloader())

    return make


def send(signal: str, pid: int | None) -> None:
    """From a process that neither reads nor is read from, as a scheduler's signal comes."""
    subprocess.run(["kill", f"-{signal}", str(pid)], check=True)


def left(before: set[int | None]) -> set[int | None]:
    return {child.pid for child in multiprocessing.active_children()} - before


@pytest.mark.parametrize("signal", ["TERM", "INT", "HUP", "USR1"])
def test_a_signal_to_every_process_of_a_job_is_not_for_its_readers(batches, signal):
    before = left(set())
    expected = [batch.target.image for batch in batches(0)]
    given = batches(2)
    # The readers take turns: with two answers both are past their beginning.
    images = [next(given).target.image, next(given).target.image]
    assert len(left(before)) == 2
    for pid in left(before):
        send(signal, pid)
    images += [batch.target.image for batch in given]
    assert torch.equal(torch.cat(images), torch.cat(expected))


def test_readers_end_when_nobody_reads_from_them_any_more(batches):
    before = left(set())
    given = batches(2)
    next(given)
    del given
    assert not left(before)


# The second holds Python's lock meanwhile, so that nothing else in its process runs.
HANGS = {"waiting": lambda: time.sleep(1000), "computing": lambda: ctypes.PyDLL(None).sleep(1000)}


@pytest.mark.parametrize("hang", HANGS)
def test_a_reader_that_hangs_is_named_with_its_file_and_ended(batches, drive, monkeypatch, hang):
    monkeypatch.setattr(readers, "TIMEOUT_SECONDS", 2)
    monkeypatch.setattr(TrainingExamples, "__getitem__", lambda self, key: HANGS[hang]())
    before = left(set())
    with pytest.raises(LostProcessError, match=f"no answer for 2 s .* reads, in {drive}/.*/image_0.*png or"):
        next(batches(1))
    for child in multiprocessing.active_children():
        child.join(5)
    assert not left(before)


KILLING_TERM = """
import os
import signal
from multiprocessing import active_children
from selfsup_depth.losses.base import LossTerm


class Killing(LossTerm):
    \"\"\"Zero; kills a reader.\"\"\"

    def forward(self, batch, estimates):
        for child in active_children():
            os.kill(child.pid, signal.SIGKILL)
        return estimates[0].inverse_depth.mean() * 0
"""


def test_a_reader_that_is_killed_ends_the_run_in_one_line(train, tmp_path, monkeypatch, capfd):
    (tmp_path / "killing.py").write_text(KILLING_TERM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "killing", raising=False)
    options = [
        "--model.losses.killing.class_path=killing.Killing",
        "--data.num_workers=1",
        "--trainer.max_steps=9",
    ]
    assert train(tmp_path / "run", *options) == 9
    said = capfd.readouterr().err.strip().splitlines()
    assert sum("error:" in line for line in said) == 1
    assert said[-1].startswith("error: a process that reads (pid ")
    assert "killed by signal: Killed; is there too little memory?" in said[-1]
