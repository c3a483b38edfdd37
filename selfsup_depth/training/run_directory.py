"""The folder of a run: who may write there, and what lies in it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
from pathlib import Path
from typing import IO, Any, Literal

import yaml

from selfsup_depth.errors import CheckpointError, ConfigError, RunInUseError, StorageError
from selfsup_depth.training.environment import environment
from selfsup_depth.training.storage import check_space, part_of, remove_parts, write_text

CONFIG = "config.yaml"
LOCK = "run.lock"
Resume = Literal["no", "yes", "auto"]

# A reader's process lives on for seconds after the run was killed, and would keep others out.
_held: list[IO[str]] = []
os.register_at_fork(after_in_child=lambda: [lock.close() for lock in _held])


class RunDirectory:
    """The folder of one run, held by this process until it ends.

    config.yaml, environment.json, metrics.csv, evaluation.json, TensorBoard events,
    checkpoints/ and pictures/.

    Args:
        path: where it is or will be.
        option: of the command, that names another.
    """

    def __init__(self, path: Path, option: str = "--run") -> None:
        self.path = path
        self.option = option
        self._lock: IO[str] | None = None

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def last(self) -> Path:
        return self.checkpoints / "last.ckpt"

    @property
    def pictures(self) -> Path:
        return self.path / "pictures"

    @property
    def config(self) -> Path:
        return self.path / CONFIG

    def last_checkpoint(self, resume: Resume) -> Path | None:
        """The checkpoint to go on from; None: the run begins.

        Raises:
            CheckpointError: there is none where there must be one.
        """
        if resume == "no" or self.last.is_file():
            return None if resume == "no" else self.last
        if resume == "yes":
            raise CheckpointError(
                f"no checkpoint to go on from, in {self.last}; start the run without --resume"
            )
        if any(self.checkpoints.glob("*.ckpt")):
            raise CheckpointError(
                f"other checkpoints but no last.ckpt, in {self.checkpoints}; copy one to last.ckpt"
            )
        return None

    def create(self, overwrite: bool, unsaved: bool = False) -> None:
        """Make the folder of a new run and hold it.

        Args:
            overwrite: remove an earlier run found there.
            unsaved: remove one that has saved nothing.

        Raises:
            ConfigError: something is there already.
            StorageError: the place cannot be written to.
            RunInUseError: another process holds it, or has saved since it was looked at.
        """
        occupied = self.path.is_file() or (self.path.is_dir() and any(self._other_than_lock()))
        if occupied and not self.config.is_file():
            raise ConfigError(f"something other than a run exists, in {self.path}; choose another --run")
        if occupied and not overwrite and not unsaved:
            raise ConfigError(
                f"a run exists already, in {self.path}; use --resume, --overwrite or another --run"
            )
        self.hold()
        if unsaved and self.last.is_file():
            raise RunInUseError(f"another process has just saved, in {self.path}; run the command again")
        # What tells that this is a run goes last: a process that is killed here can be repeated.
        for entry in sorted(self._other_than_lock(), key=lambda entry: entry.name == CONFIG):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        self.prepare()

    def hold(self) -> None:
        """Keep other processes out until this one ends.

        Raises:
            ConfigError: the path would be read as an address.
            StorageError: the place cannot be written to.
            RunInUseError: another process holds it.
        """
        # The loggers' library takes such a path for a chain of addresses, and writes elsewhere.
        if "::" in str(self.path) or "://" in str(self.path):
            raise ConfigError(
                f":: or :// in the name of the run, in {self.path}; choose another {self.option}"
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / LOCK).open("a+")
        except OSError as error:
            reason = error.strerror
            raise StorageError(
                f"the run cannot be written ({reason}), in {self.path}; choose another {self.option}"
            ) from None
        _held.append(self._lock)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.seek(0)
            holder = self._lock.read().strip() or "another process"
            raise RunInUseError(
                f"{holder} is training, in {self.path}; wait for it or choose another {self.option}"
            ) from None
        self._lock.truncate(0)
        self._lock.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        self._lock.flush()

    def prepare(self) -> None:
        """Make the folders inside, try whether they can be written, remove half-written files.

        Raises:
            StorageError: one of them cannot be written to.
        """
        for folder in (self.path, self.checkpoints, self.pictures):
            try:
                folder.mkdir(exist_ok=True)
                part_of(folder / "probe").write_bytes(b"probe")
                remove_parts(folder)
            except OSError as error:
                reason = error.strerror
                raise StorageError(
                    f"the run cannot be written ({reason}), in {folder}; choose another --run"
                ) from None

    def check_space(self, needed: int) -> None:
        """Refuse a run whose checkpoints will not fit.

        Raises:
            StorageError: fewer bytes than needed are free.
        """
        check_space(self.checkpoints, needed)

    def set_aside(self, config: dict[str, Any]) -> None:
        """Keep the table of an interrupted run, which the logger would begin anew, and another configuration.

        Args:
            config: the one that it goes on with.
        """
        written = self.config.read_text(encoding="utf-8") if self.config.is_file() else ""
        for file in ["metrics.csv"] + [CONFIG] * (written not in ("", text_of(config))):
            stem, dot, suffix = file.partition(".")
            if (self.path / file).exists():
                earlier = len(list(self.path.glob(f"{stem}_part_*.{suffix}")))
                os.replace(self.path / file, self.path / f"{stem}_part_{earlier + 1}{dot}{suffix}")

    def release(self) -> None:
        """Let other processes in."""
        if self._lock is not None:
            self._lock.close()
            _held.remove(self._lock)
            self._lock = None

    def record(self, config: dict[str, Any]) -> None:
        """Write what is needed to repeat the run: its whole configuration, and the versions."""
        write_text(self.config, text_of(config))
        write_text(self.path / "environment.json", json.dumps(environment(), indent=2) + "\n")

    def discard(self) -> None:
        """Remove the folder of a run that took no step; it must be ours."""
        shutil.rmtree(self.path)

    def _other_than_lock(self) -> list[Path]:
        """What lies there, but for what a process leaves that is killed while it makes the folder."""
        return [entry for entry in self.path.iterdir() if not (entry.name == LOCK or is_remnant(entry))]


def is_remnant(entry: Path) -> bool:
    """Whether this is an empty folder or a half-written file of ours."""
    if entry.is_dir():
        return entry.name in ("checkpoints", "pictures") and not any(entry.iterdir())
    return entry.name == part_of(entry.with_name(CONFIG)).name


def text_of(config: dict[str, Any]) -> str:
    """A configuration as it is written down."""
    text: str = yaml.safe_dump(config, sort_keys=False, width=110)
    return text
