"""One part, repeated: ratios of time, by the processor and by the wall clock, and of memory.

Each repetition has a process of its own: what an earlier one has left there decides whether memory
is at hand or has to be asked for, and that is a good part of the time where maps are large.
"""

from __future__ import annotations

import multiprocessing
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

from benchmarks.parts import PARTS, How
from benchmarks.race import alone, every_thread, peak_mebibytes, race


def measure(
    name: str, how: How, repetitions: int, rounds: int, after_each: Callable[[], object]
) -> dict[str, dict[str, list[float]]]:
    """Race a part's contenders.

    Returns:
        By contender, of each repetition: `ratio` and `wall_ratio` of time to the first contender's
        (medians over the rounds; above 1 is faster), `milliseconds`, `memory` as a share of the
        first's, `peak_mebibytes`.
    """
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    context = multiprocessing.get_context("spawn")
    for _ in range(repetitions):
        with ProcessPoolExecutor(1, context) as fresh:
            once = fresh.submit(repetition, name, how, rounds).result()
        for contender, values in once.items():
            for key, value in values.items():
                found[contender][key].append(value)
        after_each()
    return {contender: dict(values) for contender, values in found.items()}


def repetition(name: str, how: How, rounds: int) -> dict[str, dict[str, float]]:
    """What one repetition measures of each contender."""
    alone()
    part = PARTS[name]
    repeat = 1 if how.quick else part.repeat
    with part.contenders(how) as contenders:
        paces = race(contenders, rounds, repeat)
        found = {one: {"ratio": p.ratio, "milliseconds": p.milliseconds} for one, p in paces.items()}
        if part.in_torch and how.wall:
            with every_thread():
                by_wall = race(contenders, rounds, repeat, time.perf_counter)
            for one, pace in by_wall.items():
                found[one]["wall_ratio"] = pace.ratio
        if part.in_torch:
            peaks = {one: peak_mebibytes(run) for one, run in contenders.items()}
            first = next(iter(peaks.values()))
            for one, peak in peaks.items():
                # What another library allocates is not seen.
                found[one] |= {"peak_mebibytes": peak, "memory": peak / first} if peak else {}
    return found
