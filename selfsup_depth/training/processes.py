"""The processes of one run end together, and the one that failed first has the last word.

Whoever fails says so and ends; the others lose their connection to it and must not talk over it.
Where the first process has started the others, it watches them here and ends with the code of the
first that failed. torchrun and srun watch by themselves, and name the process that they lost.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import torch.distributed
from lightning_fabric.utilities.distributed import _set_num_threads_if_needed
from pytorch_lightning import Trainer
from pytorch_lightning.strategies.launchers.subprocess_script import _SubprocessScriptLauncher

from selfsup_depth.errors import LostProcessError, SelfsupDepthError, first_line

# The processes of a run come to its start at different times: a cold disk, a queue.
START_SECONDS = 600.0
POLL_SECONDS = 0.3
# How long a process that lost its connection waits for what ended the other one to show, the first
# process and then those it started: they would otherwise end it before it has spoken. Whoever closes a
# connection is about to end, on a busy machine slowly; whoever gives no answer will hardly do so.
PATIENCE_WITH_CLOSED, PATIENCE_WITH_SILENT = (20.0, 28.0), (6.0, 12.0)

GO_ON = "--resume goes on from the last checkpoint"
# The process that started this one, in the environment of those that the first process starts.
STARTED_BY = "SELFSUP_DEPTH_STARTED_BY"

# gloo says what it does by RuntimeError alone.
LOST_CONNECTION = re.compile(
    r"gloo|nccl|tcpstore|connection (closed|reset|refused)|broken pipe", re.IGNORECASE
)
NO_ANSWER = re.compile(r"tim(ed |e)out", re.IGNORECASE)


class WatchedLauncher(_SubprocessScriptLauncher):
    """Starts the other processes as Lightning does, and watches them.

    Lightning's own watch kills this process before it could say why.
    """

    def launch(self, function: Callable[..., Any], *args: Any, trainer: Any = None, **kwargs: Any) -> Any:
        """Start the processes, if nobody else does, then call the function."""
        self.cluster_environment.validate_settings(num_devices=self.num_processes, num_nodes=self.num_nodes)
        if not self.cluster_environment.creates_processes_externally:
            os.environ[STARTED_BY] = str(os.getpid())
            try:
                self._call_children_scripts()
            finally:
                del os.environ[STARTED_BY]
            threading.Thread(target=watch, args=(self.procs,), name="processes", daemon=True).start()
        _set_num_threads_if_needed(num_processes=self.num_processes)
        return function(*args, **kwargs)


def stand_together(trainer: Trainer) -> None:
    """Let the processes of a run come to its start in their time, and watch those that this one starts.

    Args:
        trainer: before its first fit.
    """
    strategy: Any = trainer.strategy
    if hasattr(strategy, "_timeout"):
        strategy._timeout = timedelta(seconds=START_SECONDS)
    launcher = strategy.launcher
    if isinstance(launcher, _SubprocessScriptLauncher):
        strategy._launcher = WatchedLauncher(
            launcher.cluster_environment, launcher.num_processes, launcher.num_nodes
        )


@contextlib.contextmanager
def ending_with_the_first() -> Iterator[None]:
    """While the context lasts, a process that another one started ends when that one is gone."""
    ended = threading.Event()

    def watch_parent(parent: int, speaks: bool) -> None:
        while not ended.wait(POLL_SECONDS):
            if os.getppid() != parent:
                end_at_once(f"the process that started this one is gone; {GO_ON}" if speaks else "")

    # One of them says so.
    if STARTED_BY in os.environ:
        of_whom = int(os.environ[STARTED_BY]), os.environ["LOCAL_RANK"] == "1"
        threading.Thread(target=watch_parent, args=of_whom, name="parent", daemon=True).start()
    elif "TORCHELASTIC_RUN_ID" in os.environ:
        of_whom = os.getppid(), os.environ["LOCAL_RANK"] == "0"
        threading.Thread(target=watch_parent, args=of_whom, name="parent", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def watch(others: list[subprocess.Popen[Any]]) -> None:
    """In the first process: end as soon as another one has failed, with its exit code."""
    while True:
        codes = [other.poll() for other in others]
        failed = next(((rank, code) for rank, code in enumerate(codes, 1) if code), None)
        if failed:
            for other in others:
                other.kill()
            rank, code = failed
            # One that ended by itself has said why.
            end_at_once(*((killed(rank, code),) if code < 0 else ("", code)))
        if all(code == 0 for code in codes):
            return
        time.sleep(POLL_SECONDS)


def end_others(error: Exception, trainer: Trainer) -> None:
    """After an exception in a run of several processes: end the others, and say what it means.

    Returns if the exception is this process's own, and is to be raised.

    Args:
        error: as it was raised in this process.
        trainer: of the run.

    Raises:
        LostProcessError: another process was lost, and nobody else says so.
        SystemExit: another process was lost, and whoever started this one says so.
    """
    if trainer.world_size == 1:
        return
    started = getattr(trainer.strategy.launcher, "procs", [])
    lost, outside = is_lost_connection(error), not started and STARTED_BY not in os.environ
    silent = bool(NO_ANSWER.search(str(error)))
    if lost and not outside:
        # Whoever failed ends this process meanwhile (see `watch`), or the first one does.
        of_first, of_others = PATIENCE_WITH_SILENT if silent else PATIENCE_WITH_CLOSED
        time.sleep(of_first if started else of_others)
    elif lost and not silent:
        raise SystemExit(LostProcessError.exit_code)
    for other in started:
        other.kill()
    if not lost:
        # The first process may have left its progress on the line.
        print(end="" if trainer.is_global_zero else "\n", file=sys.stderr)
        return
    what = f"another process of the run gave no answer to process {trainer.global_rank}"
    message = f"{what} ({first_line(error)[:120]}); --process-timeout waits longer, {GO_ON}"
    if not started and not outside:
        os.kill(os.getppid(), signal.SIGKILL)  # the first process hangs and hears nothing else
        end_at_once(message)
    print(file=sys.stderr)  # this process, or the first one, may have left its progress on the line
    raise LostProcessError(message)


def is_lost_connection(error: BaseException) -> bool:
    """Whether an exception only says that another process has failed."""
    if isinstance(error, torch.distributed.DistError):
        return True
    plain = isinstance(error, RuntimeError) and not isinstance(error, SelfsupDepthError)
    return plain and bool(LOST_CONNECTION.search(str(error)))


def killed(rank: int, code: int) -> str:
    """What is said of a process that a signal has ended."""
    name = signal.Signals(-code).name
    return f"process {rank} of the run was killed by {name}; look at the machine's memory, {GO_ON}"


def end_at_once(message: str, exit_code: int = LostProcessError.exit_code) -> None:
    """End this process and the workers it started, in the middle of whatever it does."""
    for worker in multiprocessing.active_children():
        worker.kill()
    if message:
        print(f"\nerror: {message}", file=sys.stderr, flush=True)
    os._exit(exit_code)
