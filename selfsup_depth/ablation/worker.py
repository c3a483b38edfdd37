"""What a process of an ablation does: one run, or a look at whether all of them can be run.

A process of its own keeps a run that crashes from the others. It is forked from a server that
has imported this module, and with it torch and Lightning, once for all.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import parent_process
from pathlib import Path
from typing import Any, NamedTuple

import torch

from selfsup_depth.console import EXIT_CODES, console
from selfsup_depth.errors import CheckpointError, RunInUseError, SelfsupDepthError
from selfsup_depth.training.processes import end_at_once
from selfsup_depth.training.run import assemble, fit, module_and_data
from selfsup_depth.training.run_directory import RunDirectory

BUG = 70
# How long the process of an ablation that was killed may take to finish its step and save.
PATIENCE = 60.0


class Surroundings(NamedTuple):
    """What a worker takes over from the command's process, not from the server it is forked from.

    folder: working directory.
    environment: variables.
    threads: that torch may use.
    log: file for what is printed; absent, it is printed where the command prints.
    """

    folder: Path
    environment: dict[str, str]
    threads: int
    log: Path | None


class Ending(NamedTuple):
    """How a worker ended.

    exit_code: as the command's own; 0 is done.
    error: one line, "" when done.
    """

    exit_code: int
    error: str


def train_one(
    surroundings: Surroundings, answer: Connection, config: dict[str, Any], run: Path, command: list[str]
) -> None:
    """Train one run in this process: go on with what is there, or begin."""
    sys.argv = command
    _answer(surroundings, answer, lambda: go_on_or_begin(config, run))


def check_all(
    surroundings: Surroundings,
    answer: Connection,
    configs: dict[str, dict[str, Any]],
    runs: Path,
    read_data: bool,
) -> None:
    """Put every variant together once, then with its data, so that what cannot train is refused at once."""

    def check() -> None:
        for name, config in configs.items():
            with _naming(name):
                module_and_data(config)
        for name, config in configs.items() if read_data else ():
            with _naming(name):
                assemble(config, RunDirectory(runs / "none"))
            # What is said about the data is the same for all.
            logging.getLogger("selfsup_depth").setLevel(logging.WARNING)

    _answer(surroundings, answer, check)


@contextlib.contextmanager
def _naming(variant: str) -> Iterator[None]:
    """A refusal inside says whose it is."""
    try:
        yield
    except SelfsupDepthError as error:
        raise type(error)(f"{variant}: {error}") from error


def go_on_or_begin(config: dict[str, Any], run: Path) -> None:
    """Train from the last checkpoint that is whole, or from the start."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            _remove_unbegun(run)
            return fit(config, run, resume="auto")
        except CheckpointError as error:
            print(f"{error}\nthe run begins anew", file=sys.stderr)
            return fit(config, run, overwrite=True)
        except RunInUseError:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)


def _remove_unbegun(run: Path) -> None:
    """Remove the folder of a run that was killed before it had written down what it is."""
    made_first = {"run.lock", "checkpoints", "pictures", ".config.yaml.part"}
    if run.is_dir() and {entry.name for entry in run.iterdir()} <= made_first:
        directory = RunDirectory(run)
        directory.hold()
        shutil.rmtree(run)
        directory.release()


def _answer(surroundings: Surroundings, answer: Connection, action: Callable[[], None]) -> None:
    """Do something as the command would, and tell the command how it ended."""
    _settle(surroundings)
    with console(quiet=True):
        answer.send(_ending_of(action, logged=surroundings.log is not None))


def _ending_of(action: Callable[[], None], logged: bool) -> Ending:
    try:
        action()
    except SelfsupDepthError as error:
        if logged:  # else the command says it, to the same reader
            print(f"error: {error}", file=sys.stderr)
        return Ending(error.exit_code, " ".join(str(error).split()))
    except SystemExit as ending:
        return Ending(ending.code if isinstance(ending.code, int) else 0, "stopped by a signal")
    except Exception as error:
        traceback.print_exc()
        return Ending(BUG, " ".join(f"bug, {type(error).__name__}: {error or 'no message'}".split()))
    return Ending(0, "")


def _settle(surroundings: Surroundings) -> None:
    # A ^C in the terminal reaches the command alone, which tells each worker once: a worker
    # that heard it twice would end without saving.
    os.setpgrp()
    if surroundings.log is not None:
        descriptor = os.open(surroundings.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.close(descriptor)
        faulthandler.enable()
    os.chdir(surroundings.folder)
    os.environ.clear()
    os.environ.update(surroundings.environment)
    torch.set_num_threads(surroundings.threads)
    threading.Thread(target=_end_with_the_command, daemon=True).start()


def _end_with_the_command() -> None:
    """Save and end when the command's process is gone, even if it was killed without a word.

    A step that hangs, or a signal that a library swallowed, does not keep the process for ever.
    """
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE)
    end_at_once("", EXIT_CODES[signal.SIGTERM])
