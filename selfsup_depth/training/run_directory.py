"""The folder of a run: who may write there, and what lies in it."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import shutil
import socket
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

import yaml

from selfsup_depth.errors import ConfigError, RunInUseError, StorageError
from selfsup_depth.training.storage import check_space, part_of, remove_parts, write_text

CONFIG = "config.yaml"
LOCK = "run.lock"
PACKAGES = ("selfsup-depth", "torch", "pytorch-lightning", "kornia", "numpy", "pillow", "torchmetrics")


class RunDirectory:
    """The folder of one run, held by this process until it ends.

    config.yaml, environment.json, metrics.csv, evaluation.json, TensorBoard events,
    checkpoints/ and pictures/.

    Args:
        path: where it is or will be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: IO[str] | None = None

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def pictures(self) -> Path:
        return self.path / "pictures"

    @property
    def config(self) -> Path:
        return self.path / CONFIG

    def create(self, overwrite: bool) -> None:
        """Make the folder of a new run and hold it.

        Args:
            overwrite: remove an earlier run found there.

        Raises:
            ConfigError: something is there already.
            StorageError: the place cannot be written to.
            RunInUseError: another process holds it.
        """
        occupied = self.path.is_file() or (self.path.is_dir() and any(self._other_than_lock()))
        if occupied and not self.config.is_file():
            raise ConfigError(f"something other than a run exists, in {self.path}; choose another --run")
        if occupied and not overwrite:
            raise ConfigError(
                f"a run exists already, in {self.path}; use --resume, --overwrite or another --run"
            )
        self.hold()
        for entry in self._other_than_lock():
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
            raise ConfigError(f":: or :// in the name of the run, in {self.path}; choose another --run")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / LOCK).open("a+")
        except OSError as error:
            reason = error.strerror
            raise StorageError(
                f"the run cannot be written ({reason}), in {self.path}; choose another --run"
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.seek(0)
            holder = self._lock.read().strip() or "another process"
            raise RunInUseError(
                f"{holder} is training, in {self.path}; wait for it or choose another --run"
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

    def keep_metrics(self) -> None:
        """Set the table of an interrupted run aside: the logger would begin it anew."""
        table = self.path / "metrics.csv"
        if table.exists():
            earlier = len(list(self.path.glob("metrics_part_*.csv")))
            os.replace(table, self.path / f"metrics_part_{earlier + 1}.csv")

    def release(self) -> None:
        """Let other processes in."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def record(self, config: dict[str, Any]) -> None:
        """Write what is needed to repeat the run: its whole configuration, and the versions."""
        write_text(self.config, yaml.safe_dump(config, sort_keys=False, width=110))
        write_text(self.path / "environment.json", json.dumps(environment(), indent=2) + "\n")

    def discard(self) -> None:
        """Remove the folder of a run that took no step; it must be ours."""
        shutil.rmtree(self.path)

    def _other_than_lock(self) -> list[Path]:
        return [entry for entry in self.path.iterdir() if entry.name != LOCK]


def environment() -> dict[str, Any]:
    """Versions and machine of this process."""
    return {
        "versions": versions(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "command": sys.argv,
    }


def versions() -> dict[str, str]:
    """Versions of the packages that decide what is computed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
