"""Contenders against each other in one process: ratios that hold on a shared machine.

Wall time on a shared machine says little, and an absolute time nothing about another machine. So
the contenders take turns, each turn is timed by the processor time of this process with one torch
thread, and what is reported is the median over the rounds of the ratio within a round. The wall
clock with every thread is looked at beside it.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch.profiler import ProfilerActivity, profile

Contender = Callable[[], object]


class Pace(NamedTuple):
    """How a contender ran.

    milliseconds: median over the rounds.
    ratio: median over the rounds of the first contender's time divided by this one's; above 1 is faster.
    lowest, highest: that ratio in the slowest and in the fastest round.
    """

    milliseconds: float
    ratio: float
    lowest: float
    highest: float


def race(
    contenders: dict[str, Contender],
    rounds: int = 5,
    repeat: int = 1,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, Pace]:
    """Let contenders take turns after one run each that is not counted.

    Args:
        contenders: by name; the first is the one that the others are compared with.
        rounds: turns of each.
        repeat: runs in one turn, for contenders of a few milliseconds.
        clock: seconds.
    """
    for contender in contenders.values():
        contender()
    times = {name: [] for name in contenders}  # type: dict[str, list[float]]
    for _ in range(rounds):
        for name, contender in contenders.items():
            start = clock()
            for _ in range(repeat):
                contender()
            times[name].append((clock() - start) / repeat)
        first = next(iter(times.values()))
    paces = {}
    for name, own in times.items():
        ratios = [reference / mine for reference, mine in zip(first, own, strict=True)]
        paces[name] = Pace(1000 * statistics.median(own), statistics.median(ratios), min(ratios), max(ratios))
    return paces


def peak_mebibytes(contender: Contender) -> float:
    """The most that a run holds beyond what was allocated before, on the CPU, in MiB."""
    contender()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        contender()
    events = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak / 2**20


def alone() -> None:
    """One thread, so that processor time is the work and not the waiting of threads for each other."""
    torch.set_num_threads(1)
    torch.manual_seed(0)


@contextmanager
def every_thread() -> Iterator[None]:
    """As many threads as there are processors, as in a run."""
    before = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
