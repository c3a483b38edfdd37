"""What is to be reached, and whether it is: the table that `make benchmark` writes."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

# By part and contender what each repetition measured; see measure.py.
Measured = dict[str, dict[str, dict[str, list[float]]]]

# A power up to this one counts as linear: so much is the noise of a few rounds.
LINEAR = 1.1


class Aim(NamedTuple):
    """One line of the table.

    what: in words.
    part, contender: where it is measured.
    by: "ratio", times as fast as the published way; "memory", its peak as a share of the published way's.
    must, goal: at least for a ratio, at most for memory.
    """

    what: str
    part: str
    contender: str
    by: Literal["ratio", "memory"]
    must: float
    goal: float


AIMS = (
    Aim("objective, forward and backward, eager", "objective", "ours", "ratio", 3.5, 4.5),
    Aim("objective, compiled kernels", "objective", "compiled", "ratio", 5, 8),
    Aim("objective, peak memory", "objective", "ours", "memory", 0.40, 0.25),
    Aim("objective, compiled kernels, peak memory", "objective", "compiled", "memory", 0.40, 0.25),
    Aim("training step on video", "step", "ours", "ratio", 1.6, 1.9),
    Aim("training step on video, compiled objective", "step", "compiled", "ratio", 1.6, 1.9),
    Aim("training step, peak memory", "step", "ours", "memory", 0.85, 0.60),
    Aim("loader's worker, JPEG of 1242x375", "loader", "ours", "ratio", 7, 10),
    Aim("loader's worker, packed frames", "loader", "packed", "ratio", 25, 34),
    Aim("depth errors of an image", "metrics", "ours", "ratio", 2.5, 3),
    Aim("inference, batch 1", "inference", "as load asks it", "ratio", 1.35, 1.5),
)


class Reached(NamedTuple):
    """What became of an aim.

    median, lowest, highest: of the repetitions.
    verdict: in words.
    """

    median: float
    lowest: float
    highest: float
    verdict: str


def reached(aim: Aim, values: Sequence[float]) -> Reached:
    """Judge an aim by the median of its repetitions."""
    median = statistics.median(values)
    sign = 1 if aim.by == "ratio" else -1
    if sign * median >= sign * aim.goal:
        verdict = "goal met"
    elif sign * median >= sign * aim.must:
        verdict = "must met"
    else:
        verdict = f"missed by {abs(median - aim.must):.2g}"
    return Reached(median, min(values), max(values), verdict)


def rows(measured: Measured) -> list[dict[str, Any]]:
    """Every aim with what was measured, for the file."""
    found = []
    for aim in AIMS:
        values = measured.get(aim.part, {}).get(aim.contender, {}).get(aim.by, [])
        judged = reached(aim, values)._asdict() if values else {"verdict": "not measured"}
        found.append(aim._asdict() | {"repetitions": values} | judged)
    return found


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The aims in Markdown."""
    lines = ["| what | must | goal | measured (lowest to highest) | |", "|---|---|---|---|---|"]
    for row in rows:
        times, bound = ("x", "") if row["by"] == "ratio" else ("", "<= ")
        limits = f"{bound}{row['must']:g}{times} | {bound}{row['goal']:g}{times}"
        spread = ""
        if row["repetitions"]:
            spread = f"{row['median']:.2f}{times} ({row['lowest']:.2f} to {row['highest']:.2f})"
        lines.append(f"| {row['what']} | {limits} | {spread} | {row['verdict']} |")
    return "\n".join(lines) + "\n"


def every_contender(measured: Measured) -> str:
    """All that was measured, in Markdown."""
    lines = ["| part | contender | times as fast | by the wall clock, all threads | ms | memory | peak MiB |"]
    lines.append("|---|---|---|---|---|---|---|")
    for part, contenders in measured.items():
        for name, values in contenders.items():
            median = {key: statistics.median(found) for key, found in values.items() if found}
            cells = [
                f"{median[key]:.{digits}f}" if key in median else ""
                for key, digits in (
                    ("ratio", 2),
                    ("wall_ratio", 2),
                    ("milliseconds", 1),
                    ("memory", 2),
                    ("peak_mebibytes", 0),
                )
            ]
            lines.append(f"| {part} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def growth_table(growths: Sequence[dict[str, Any]]) -> str:
    """What was found in Markdown, each quantity with a verdict."""
    lines = ["| objective by | sizes | ms | peak MiB | power of time | power of memory | |"]
    lines.append("|---|---|---|---|---|---|---|")
    for one in growths:
        values = [one["sizes"], one["milliseconds"], one["peak_mebibytes"]]
        shown = " | ".join(" ".join(f"{value:.0f}" for value in row) for row in values)
        powers = one["power_of_time"], one["power_of_memory"]
        verdict = "no worse than linear" if max(powers) <= LINEAR else "worse than linear"
        lines.append(f"| {one['quantity']} | {shown} | {powers[0]:.2f} | {powers[1]:.2f} | {verdict} |")
    return "\n".join(lines) + "\n"
