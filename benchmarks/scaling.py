"""How time and memory of the objective grow: `python -m benchmarks.scaling [--picture FILE.png]`.

One quantity grows at a time. The power of it with which time and memory grow is the slope of the
line through the logarithms: 1 is linear, and no worse than linear is what it should be.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.objective import forward_and_backward, ours, work
from benchmarks.race import alone, peak_mebibytes, race
from benchmarks.reach import growth_table
from benchmarks.scaling_picture import picture

GROWING: dict[str, list[tuple[float, dict[str, Any]]]] = {
    "batch": [(n, {"batch": n}) for n in (1, 2, 4, 8)],
    "levels": [(n, {"levels": n}) for n in (1, 2, 3, 4)],
    "sources": [(n, {"sources": n}) for n in (1, 2, 3, 4)],
    "pixels": [(h * w, {"size": (h, w)}) for h, w in ((128, 416), (192, 640), (256, 832), (384, 1280))],
}
TINY: dict[str, list[tuple[float, dict[str, Any]]]] = {
    "batch": [(n, {"batch": n, "size": (32, 64)}) for n in (1, 2)],
    "pixels": [(h * w, {"size": (h, w)}) for h, w in ((32, 64), (64, 128))],
}


def growths(quick: bool = False) -> list[dict[str, Any]]:
    """For each quantity its sizes, milliseconds, peak MiB, and the powers of time and memory."""
    found = []
    for name, points in tqdm((TINY if quick else GROWING).items(), unit="quantity", leave=False):
        runs = {str(size): forward_and_backward(ours, work(**options)) for size, options in points}
        paces = race(runs, rounds=1 if quick else 3).values()
        peaks = [peak_mebibytes(run) for run in runs.values()]
        sizes = [size for size, _ in points]
        found.append(
            {
                "quantity": name,
                "sizes": sizes,
                "milliseconds": [pace.milliseconds for pace in paces],
                "peak_mebibytes": peaks,
                # Of ratios within a round, which a busy machine moves less than the times themselves.
                "power_of_time": power(sizes, [1 / pace.ratio for pace in paces]),
                "power_of_memory": power(sizes, peaks),
            }
        )
    return found


def power(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The slope of the line through the logarithms."""
    return statistics.linear_regression(list(map(math.log, sizes)), list(map(math.log, values))).slope


def main() -> None:
    """Print the table, and draw it if asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--picture", type=Path, metavar="FILE.png")
    given = parser.parse_args()
    alone()
    found = growths(given.quick)
    print(growth_table(found))
    if given.picture:
        picture(found).save(given.picture)


if __name__ == "__main__":
    main()
