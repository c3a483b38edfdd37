"""A run of several processes in which one fails: all of them end, and the first cause is said last."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

# The third step of one process raises, or the process gets a signal; or it has fewer examples.
PROGRAM = """
import os, signal, sys, time
from selfsup_depth.cli import main
from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.errors import StorageError
from selfsup_depth.modules.base import SelfSupervisedDepth
from selfsup_depth.training.run_directory import RunDirectory

rank, fault = os.environ["FAULT"].split(",")
step, setup, create = SelfSupervisedDepth.training_step, DepthDataModule.setup, RunDirectory.create


def faulty_step(self, batch, number):
    if self.global_step == 2 and self.global_rank == int(rank):
        if fault == "raise":
            raise StorageError("planted, in a step; mend it")
        if fault in ("KILL", "STOP"):
            os.kill(os.getpid(), signal.Signals["SIG" + fault])
    return step(self, batch, number)


def uneven_setup(self, stage):
    setup(self, stage)
    if fault == "uneven" and os.environ.get("LOCAL_RANK", "0") == rank:
        del self._training.examples[6:]


def late_create(*arguments, **options):
    if fault == "late":
        time.sleep(5)
    create(*arguments, **options)


SelfSupervisedDepth.training_step = faulty_step
RunDirectory.create = late_create
DepthDataModule.setup = uneven_setup
raise SystemExit(main(sys.argv[1:]))
"""
# The dashes keep torchrun from taking --run for one of its own options.
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "--"]
TIMEOUT = 8
# Whoever watches the processes may give one that does not answer half a minute; starting takes a while.
LIMIT = TIMEOUT + 30 + 120


@pytest.fixture
def pair(tmp_path, drive, tiny):
    """Trains in two processes one of which has a fault; what it said, and its exit code."""

    def run(fault: str, *options: str, launcher: list[str]) -> subprocess.CompletedProcess[str]:
        (tmp_path / "program.py").write_text(PROGRAM)
        command = [sys.executable, *launcher, str(tmp_path / "program.py"), "train"]
        command += ["--config=method/monodepth2_stereo.yaml", "--config=data/kitti_raw.yaml"]
        command += [f"--config={tiny}", f"--data.root={drive}", f"--run={tmp_path / 'run'}"]
        command += ["--trainer.max_steps=6", "--trainer.devices=2", "--trainer.strategy=ddp"]
        command += [f"--process-timeout={TIMEOUT}", *options]
        mark = uuid.uuid4().hex
        environment = os.environ | {"OMP_NUM_THREADS": "1", "FAULT": fault, "MARK": mark}
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        try:
            out, err = process.communicate(timeout=LIMIT)
            assert gone(mark), f"orphans: {left(mark)}"
        finally:
            for pid in left(mark):
                os.kill(pid, signal.SIGKILL)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    return run


def left(mark: str) -> list[int]:
    """Processes of a run that are there."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"MARK={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue  # it has ended meanwhile
    return found


def gone(mark: str) -> bool:
    """Whether all processes have ended; readers look every few seconds whether theirs is there."""
    until = time.monotonic() + 15
    while left(mark) and time.monotonic() < until:
        time.sleep(0.2)
    return not left(mark)


def errors(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("error:")]


# Fault, exit code (negative: a signal's), and what the line names.
FAULTS = {
    "1,raise": (6, "planted"),
    "0,raise": (6, "planted"),
    "1,KILL": (9, "process 1 of the run was killed by SIGKILL"),
    "0,KILL": (-9, "the process that started this one is gone"),
    "1,STOP": (9, "gave no answer to process 0"),
    "0,STOP": (-9, "gave no answer to process 1"),
    "1,uneven": (3, "different numbers of examples (training, validation): [(8, 8), (6, 8)]"),
}


def judge(ended, code, what):
    lines = [line for line in ended.stderr.splitlines() if line.strip()]
    assert ended.returncode == code, ended.stderr[-2000:]
    assert len(errors(ended.stderr)) == 1, ended.stderr[-2000:]
    assert what in lines[-1], lines[-3:]
    assert lines[-1].startswith("error:")


def test_a_process_that_raises_ends_the_others_and_has_the_last_word(pair):
    # One validation frame for two processes, which is looked at before.
    judge(pair("1,raise", "--data.hold_out=0.1", launcher=[]), *FAULTS["1,raise"])


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_process_that_fails_ends_all(pair, fault):
    judge(pair(fault, "--data.num_workers=1", launcher=[]), *FAULTS[fault])


# torchrun itself speaks last, in many lines, and ends with 1.
@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_under_torchrun_all_end_and_the_cause_is_said_once(pair, fault):
    ended = pair(fault, launcher=TORCHRUN)
    assert ended.returncode == 1
    if fault.endswith("KILL"):
        assert f"rank      : {fault[0]}" in ended.stderr
        assert "Signal 9 (SIGKILL)" in ended.stderr
    else:
        assert len(errors(ended.stderr)) == 1, ended.stderr[-3000:]
        assert FAULTS[fault][1] in errors(ended.stderr)[0]


@pytest.mark.slow
def test_fewer_validation_frames_than_processes_hang_nothing(pair, drive):
    ended = pair("0,none", "--data.hold_out=0.1", launcher=[])
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert "validation with measured depth: 1 " in ended.stderr


@pytest.mark.slow
def test_a_process_of_torchruns_may_be_ahead_of_the_one_that_makes_the_folder(pair):
    ended = pair("0,late", launcher=TORCHRUN)
    assert ended.returncode == 0, ended.stderr[-2000:]
