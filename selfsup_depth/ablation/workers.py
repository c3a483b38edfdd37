"""Processes that train side by side: started, told to stop, and asked how they ended."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import types
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, NamedTuple

from selfsup_depth.ablation.worker import BUG, Ending, Surroundings
from selfsup_depth.console import EXIT_CODES

SERVER_IMPORTS = ["selfsup_depth.ablation.worker"]


class _Running(NamedTuple):
    process: ForkServerProcess
    answer: Connection
    slot: int


class Workers:
    """At most so many processes at a time, with the cores shared out among them.

    Args:
        jobs: how many.
        threads: that torch may use in all of them together.
    """

    def __init__(self, jobs: int, threads: int) -> None:
        self.jobs = jobs
        self.threads = max(1, threads // jobs)
        self.exit_code = 0
        self._running: dict[str, _Running] = {}
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(SERVER_IMPORTS)

    def __len__(self) -> int:
        return len(self._running)

    @property
    def names(self) -> list[str]:
        """What is running."""
        return list(self._running)

    def start(self, name: str, log: Path | None, target: Callable[..., None], *arguments: Any) -> None:
        """Let a process do something; what it prints goes to a file, or stays where it is."""
        slot = min(set(range(self.jobs)) - {running.slot for running in self._running.values()})
        surroundings = Surroundings(Path.cwd(), environment_of(slot, self.jobs), self.threads, log)
        answer, theirs = multiprocessing.Pipe(duplex=False)
        process = self._context.Process(target=target, args=(surroundings, theirs, *arguments))
        process.start()
        theirs.close()
        self._running[name] = _Running(process, answer, slot)

    def ended(self, seconds: float) -> Iterator[tuple[str, Ending]]:
        """What has ended, after waiting so long for it at most."""
        sentinels = {running.process.sentinel: name for name, running in self._running.items()}
        for sentinel in wait(list(sentinels), seconds):
            name = sentinels[sentinel]  # type: ignore[index]
            running = self._running.pop(name)
            running.process.join()
            yield name, _ending(running)

    def run(self, target: Callable[..., None], *arguments: Any) -> Ending:
        """Let one process do something and wait for it."""
        self.start("", None, target, *arguments)
        while True:
            for _, ending in self.ended(0.5):
                return ending

    @contextlib.contextmanager
    def hearing_signals(self) -> Iterator[None]:
        """Pass signals on to every process; the first one to stop is remembered in `exit_code`."""

        def hear(number: int, frame: types.FrameType | None) -> None:
            self.exit_code = self.exit_code or EXIT_CODES.get(signal.Signals(number), 0)
            for running in self._running.values():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(running.process.pid or 0, number)

        heard = [number for number in EXIT_CODES if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, hear) for number in [*heard, signal.SIGUSR1]}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def environment_of(slot: int, jobs: int) -> dict[str, str]:
    """Variables of a worker: of several GPUs, workers side by side take one each in turn."""
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    mine = {"CUDA_VISIBLE_DEVICES": visible[slot % len(visible)]} if jobs > 1 and len(visible) > 1 else {}
    return {**os.environ, **mine}


def _ending(running: _Running) -> Ending:
    """What the process said, or what killed it."""
    code = running.process.exitcode or 0
    with running.answer as answer:
        if answer.poll():
            with contextlib.suppress(EOFError):
                said = answer.recv()
                assert isinstance(said, Ending)
                return said
    if -code in list(signal.Signals):
        number = signal.Signals(-code)
        memory = ", as a machine short of memory does" if number == signal.SIGKILL else ""
        return Ending(BUG, f"killed by {number.name}{memory}; see its log")
    return Ending(code or BUG, f"ended by itself with exit code {code}; see its log")
