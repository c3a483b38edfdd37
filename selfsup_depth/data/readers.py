"""The processes that read examples for a loader: what they hear, and what is said of one that is lost."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch

from selfsup_depth.data.photograph import Photograph
from selfsup_depth.errors import LostProcessError, first_line

# A reader that hangs (a dead network drive) is an error after this time, not a run that waits.
TIMEOUT_SECONDS = 300
# torch says what became of a reader by RuntimeError alone, and wherever the run is at that moment.
KILLED, NO_ANSWER = re.compile(r"DataLoader worker"), re.compile(r"DataLoader timed out")

Read = TypeVar("Read")


def reader_options(num_workers: int) -> dict[str, Any]:
    """Arguments of a loader that has so many readers."""
    return {
        "num_workers": num_workers,
        # An epoch may be two batches: starting the readers anew for each would cost more.
        "persistent_workers": num_workers > 0,
        "worker_init_fn": _leave_signals_to_the_run if num_workers else None,
        "timeout": TIMEOUT_SECONDS if num_workers else 0,
        "pin_memory": torch.cuda.is_available(),
    }


def answered(batches: Iterator[Read], awaited: Callable[[int], Photograph]) -> Iterator[Read]:
    """What a loader's iterator gives, as long as its readers answer.

    Args:
        batches: the iterator.
        awaited: an image of the batch of that number, from 0.

    Raises:
        LostProcessError: there was no answer in time.
    """
    for number in itertools.count():
        try:
            batch = next(batches)
        except StopIteration:
            return
        except RuntimeError as error:
            if not NO_ANSWER.search(str(error)):
                raise
            for reader in getattr(batches, "_workers", []):
                reader.kill()  # one that does not answer does not end when it is told to, either
            what = f"no answer for {TIMEOUT_SECONDS} s from a process that reads, in {awaited(number)}"
            raise LostProcessError(f"{what} or beside it; is the drive there?") from error
        yield batch


@contextlib.contextmanager
def killed_readers_named() -> Iterator[None]:
    """Say in one line that a process that reads was killed.

    Raises:
        LostProcessError: it was.
    """
    try:
        yield
    except RuntimeError as error:
        if not KILLED.search(str(error)):
            raise
        what = first_line(error).strip().rstrip(".").replace("DataLoader worker", "a process that reads")
        fix = "is there too little memory? fewer --data.num_workers need less"
        raise LostProcessError(f"{what}; {fix}") from error


def _leave_signals_to_the_run(number: int) -> None:
    """Let a signal to every process of a job reach the one that decides, not its readers.

    They end when it closes their queue, when it tells them to, or when they find it gone.
    """
    os.setpgid(0, 0)
    for heard in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(heard, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_when_told, name="ending", daemon=True).start()


def _end_when_told() -> None:
    """Obey a SIGTERM of the process that reads from this one; a scheduler's is for that one."""
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)
