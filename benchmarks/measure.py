"""One part, repeated: ratios of time, by the processor and by the wall clock, and of memory."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable

from benchmarks.parts import How, Part
from benchmarks.race import every_thread, peak_mebibytes, race


def num_turns(part: Part, how: How, repetitions: int, rounds: int) -> int:
    """How often `after_turn` will be called: rounds, runs that are not counted, and the memory."""
    return repetitions * ((rounds + 1) * (1 + (part.in_torch and how.wall)) + part.in_torch)


def measure(
    part: Part, how: How, repetitions: int, rounds: int, after_turn: Callable[[], object]
) -> dict[str, dict[str, list[float]]]:
    """Race a part's contenders.

    Returns:
        By contender, of each repetition: `ratio` and `wall_ratio` of time to the first contender's
        (medians over the rounds; above 1 is faster), `milliseconds`, `memory` as a share of the
        first's, `peak_mebibytes`.
    """
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    repeat = 1 if how.quick else part.repeat
    with part.contenders(how) as contenders:
        for _ in range(repetitions):
            for name, pace in race(contenders, rounds, repeat, after_round=after_turn).items():
                found[name]["ratio"].append(pace.ratio)
                found[name]["milliseconds"].append(pace.milliseconds)
            if not part.in_torch:
                continue
            if how.wall:
                with every_thread():
                    paces = race(contenders, rounds, repeat, time.perf_counter, after_turn)
                for name, pace in paces.items():
                    found[name]["wall_ratio"].append(pace.ratio)
            peaks = {name: peak_mebibytes(run) for name, run in contenders.items()}
            first = next(iter(peaks.values()))
            for name, peak in peaks.items():
                found[name]["peak_mebibytes"].append(peak)
                if peak:
                    found[name]["memory"].append(peak / first)
            after_turn()
    return {name: dict(values) for name, values in found.items()}
