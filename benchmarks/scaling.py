"""How time and memory of the objective grow: `python -m benchmarks.scaling`.

One quantity grows at a time. In the last column the power of it with which the time grows, fitted to
the logarithms: 1 is linear, and no worse than linear is what it should be.
"""

from __future__ import annotations

import math
import statistics
from typing import Any

from benchmarks.objective import forward_and_backward, ours, work
from benchmarks.race import alone, peak_mebibytes, race

GROWING: dict[str, list[tuple[float, dict[str, Any]]]] = {
    "batch": [(n, {"batch": n}) for n in (1, 2, 4, 8)],
    "levels": [(n, {"levels": n}) for n in (1, 2, 3, 4)],
    "sources": [(n, {"sources": n}) for n in (1, 2, 3, 4)],
    "pixels": [(h * w, {"size": (h, w)}) for h, w in ((128, 416), (192, 640), (256, 832), (384, 1280))],
}


def power(sizes: list[float], values: list[float]) -> float:
    """The slope of the line through the logarithms."""
    return statistics.linear_regression(list(map(math.log, sizes)), list(map(math.log, values))).slope


def main() -> None:
    """Print a table for each quantity."""
    alone()
    print("| quantity | sizes | ms | peak MiB | power of time | power of memory |\n|---|---|---|---|---|---|")
    for name, points in GROWING.items():
        runs = {str(size): forward_and_backward(ours, work(**options)) for size, options in points}
        times = [pace.milliseconds for pace in race(runs, rounds=3).values()]
        peaks = [peak_mebibytes(run) for run in runs.values()]
        sizes = [size for size, _ in points]
        shown = [" ".join(f"{value:.0f}" for value in values) for values in (sizes, times, peaks)]
        powers = f"{power(sizes, times):.2f} | {power(sizes, peaks):.2f}"
        print(f"| {name} | {' | '.join(shown)} | {powers} |")


if __name__ == "__main__":
    main()
