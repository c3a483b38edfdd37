"""Checkpoint files: whole or refused, old or new, never neither, and never other than finite."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from selfsup_depth.errors import CheckpointError, ConfigError, NumericError, RunInUseError, StorageError
from selfsup_depth.training import checkpoint_io, storage
from selfsup_depth.training.checkpoint_io import SealedCheckpoints, read_sealed, write_sealed
from selfsup_depth.training.run_directory import RunDirectory

CONTENT = {"state_dict": {"weight": torch.arange(1000.0)}, "epoch": 3, "names": ["a", None, True]}


@pytest.fixture
def file(tmp_path) -> Path:
    write_sealed(CONTENT, tmp_path / "last.ckpt")
    return tmp_path / "last.ckpt"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_is_read(file):
    content = SealedCheckpoints().load_checkpoint(str(file), weights_only=False)
    assert torch.equal(content["state_dict"]["weight"], CONTENT["state_dict"]["weight"])
    assert (content["epoch"], content["names"]) == (3, ["a", None, True])
    assert names(file.parent) == ["last.ckpt"]
    # Any other reader of torch's files reads it, too.
    assert torch.load(file, weights_only=True, mmap=True)["epoch"] == 3


def test_the_umask_decides_who_may_read(tmp_path):
    before = os.umask(0o022)
    try:
        write_sealed(CONTENT, tmp_path / "x.ckpt")
    finally:
        os.umask(before)
    assert (tmp_path / "x.ckpt").stat().st_mode & 0o777 == 0o644


def test_every_flipped_bit_and_every_cut_is_noticed(file, tmp_path):
    whole = file.read_bytes()
    draw = random.Random(0)
    seal = [len(whole) - 1, len(whole) - 64, len(whole) - 65, len(whole) - checkpoint_io.SEAL_LENGTH]
    damaged = tmp_path / "damaged.ckpt"
    for place in [*seal, *(draw.randrange(len(whole)) for _ in range(300))]:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << draw.randrange(8)
        damaged.write_bytes(flipped)
        with pytest.raises(CheckpointError, match="damaged\\.ckpt"):
            read_sealed(damaged)
    for length in [0, 1, len(whole) - 1, *(draw.randrange(len(whole)) for _ in range(50))]:
        damaged.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match="damaged\\.ckpt"):
            read_sealed(damaged)


def test_a_missing_checkpoint_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.ckpt"):
        read_sealed(tmp_path / "none.ckpt")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("place", ["state_dict", "optimizer_states"])
def test_nothing_but_finite_numbers_reaches_the_disk(file, place, value):
    before = file.read_bytes()
    bad = {
        "state_dict": {},
        place: [{"state": {0: {"step": torch.ones(2), "mean": torch.tensor([1, value])}}}],
    }
    with pytest.raises(NumericError, match=f"{place}.*mean is not finite"):
        SealedCheckpoints().save_checkpoint(bad, file)
    assert file.read_bytes() == before


def test_numbers_whose_squares_overflow_are_finite(file):
    large = {"state_dict": {"weight": torch.tensor([1e30, -1e30])}, "optimizer_states": []}
    SealedCheckpoints().save_checkpoint(large, file)
    torch.testing.assert_close(read_sealed(file)["state_dict"]["weight"], torch.tensor([1e30, -1e30]))


class Full:
    """A stream on a disk that is full after some bytes, for one write."""

    def __init__(self, stream, room):
        self.stream, self.room = stream, room

    def write(self, data):
        self.room -= len(data)
        if self.room < 0:
            self.room = 1 << 30  # somebody else has removed a file
            raise OSError(28, "No space left on device")
        return self.stream.write(data)

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()


@pytest.mark.parametrize("room", [0, 100, 5000])
def test_a_disk_that_fills_up_keeps_the_old_file(file, monkeypatch, room):
    before = file.read_bytes()
    opened = Path.open
    monkeypatch.setattr(Path, "open", lambda path, mode="r": Full(opened(path, mode), room))
    with pytest.raises(StorageError, match="No space left"):
        write_sealed(CONTENT, file)
    monkeypatch.undo()
    assert file.read_bytes() == before
    assert names(file.parent) == ["last.ckpt"]


def test_too_little_space_is_noticed_before_writing(file, monkeypatch):
    before = file.stat().st_mtime_ns
    disk = os.statvfs_result((4096, 4096, 100, 2, 2, 1, 1, 1, 0, 255))
    monkeypatch.setattr(storage.os, "statvfs", lambda _: disk)
    with pytest.raises(StorageError, match=r"disk full: need 1\.1 MB, have 0\.0 MB, in .*last\.ckpt"):
        write_sealed(CONTENT, file)
    assert file.stat().st_mtime_ns == before


def test_a_folder_that_has_gone_is_said(file):
    file.unlink()
    file.parent.rmdir()
    with pytest.raises(StorageError, match="not saved"):
        write_sealed(CONTENT, file)


def test_leftovers_of_a_killed_save_are_removed_at_the_next_start(tmp_path):
    directory = RunDirectory(tmp_path / "run")
    directory.create(overwrite=False)
    directory.release()
    leftover = storage.part_of(directory.checkpoints / "last.ckpt")
    leftover.write_bytes(b"half")
    directory.hold()
    directory.prepare()
    directory.release()
    assert not leftover.exists()
    assert names(directory.checkpoints) == []


def test_a_run_whose_checkpoints_cannot_be_written_is_refused_at_once(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoints").symlink_to("/proc/self")
    directory = RunDirectory(tmp_path / "run")
    directory.hold()
    with pytest.raises(StorageError, match="run/checkpoints; "):
        directory.prepare()
    directory.release()


def test_a_forked_reader_does_not_keep_the_folder_of_a_run_that_is_gone(tmp_path):
    directory = RunDirectory(tmp_path / "run")
    directory.hold()
    forking = multiprocessing.get_context("fork")
    begun = forking.Event()
    reader = forking.Process(target=lambda: (begun.set(), time.sleep(60)))
    reader.start()
    try:
        assert begun.wait(60)
        with pytest.raises(RunInUseError):
            RunDirectory(tmp_path / "run").hold()
        directory.release()
        RunDirectory(tmp_path / "run").hold()
        assert reader.is_alive()
    finally:
        reader.kill()
        reader.join()


def test_a_path_that_reads_as_an_address_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="::"):
        RunDirectory(tmp_path / "a::b").hold()


SAVE_FOR_EVER = """
import sys, itertools, torch
from pathlib import Path
from selfsup_depth.training.checkpoint_io import write_sealed
for number in itertools.count():
    write_sealed({"weight": torch.full((300_000,), float(number))}, Path(sys.argv[1]))
    print(number, flush=True)
"""


def test_a_save_that_is_killed_leaves_the_old_or_the_new_checkpoint(tmp_path):
    file = tmp_path / "last.ckpt"
    draw = random.Random(0)
    saving = subprocess.Popen(
        [sys.executable, "-c", SAVE_FOR_EVER, str(file)], stdout=subprocess.PIPE, text=True
    )
    for _ in range(3):
        assert saving.stdout.readline()
    # Looked at while it is being replaced: always whole.
    for _ in range(20):
        time.sleep(draw.uniform(0, 0.02))
        assert read_sealed(file)["weight"].unique().numel() == 1
    saving.send_signal(signal.SIGKILL)
    saving.wait()
    assert read_sealed(file)["weight"].unique().numel() == 1
    assert set(names(tmp_path)) <= {"last.ckpt", ".last.ckpt.part"}
