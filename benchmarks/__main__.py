"""Every race in turn: `make benchmark`, or `python -m benchmarks [objective step loader]`.

Prints how many times faster we are than the published way and how much memory it takes, and writes
it to benchmarks/results/DATE-MACHINE.json and .md. One thread, processor time: see race.py.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from benchmarks import loader, objective, training_step
from benchmarks.race import Contender, alone, peak_mebibytes, race

RESULTS = Path(__file__).parent / "results"
Row = dict[str, Any]


@contextmanager
def objectives() -> Iterator[dict[str, Contender]]:
    """Forward and backward of the objective, after value and gradients have been compared."""
    objective.check_agreement()
    data = objective.work()
    ways = {"published": objective.published, "ours": objective.ours}
    yield {name: objective.forward_and_backward(way, data) for name, way in ways.items()}


@contextmanager
def steps() -> Iterator[dict[str, Contender]]:
    """Whole training steps."""
    yield training_step.contenders()


@contextmanager
def loaders() -> Iterator[dict[str, Contender]]:
    """One example of three frames."""
    with tempfile.TemporaryDirectory() as folder:
        yield loader.contenders(Path(folder))


RACES: dict[str, Callable[[], Any]] = {"objective": objectives, "step": steps, "loader": loaders}


def rows_of(name: str, rounds: int) -> list[Row]:
    """A race, and the memory of its contenders but for the loader's, which is not torch's."""
    with RACES[name]() as contenders:
        paces = race(contenders, rounds)
        peaks = {one: None if name == "loader" else peak_mebibytes(run) for one, run in contenders.items()}
    return [
        {"race": name, "contender": one, "peak_mebibytes": peaks[one], **pace._asdict()}
        for one, pace in paces.items()
    ]


def markdown(rows: list[Row]) -> str:
    """The rows as a table."""
    lines = [
        "| race | contender | times as fast (lowest to highest round) | ms | peak MiB |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        peak = "" if row["peak_mebibytes"] is None else f"{row['peak_mebibytes']:.0f}"
        spread = f"{row['ratio']:.2f} ({row['lowest']:.2f} to {row['highest']:.2f})"
        lines.append(
            f"| {row['race']} | {row['contender']} | {spread} | {row['milliseconds']:.1f} | {peak} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the races that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument(
        "races", nargs="*", choices=[[], *RACES], metavar="RACE", help=f"of {', '.join(RACES)}"
    )
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contender")
    given = parser.parse_args()
    alone()
    rows = [row for name in given.races or RACES for row in rows_of(name, given.rounds)]
    about = {"torch": torch.__version__, "machine": f"{platform.system()}-{platform.machine()}", "rows": rows}
    RESULTS.mkdir(exist_ok=True)
    stem = RESULTS / f"{datetime.date.today()}-{about['machine']}"
    stem.with_suffix(".json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    stem.with_suffix(".md").write_text(markdown(rows), encoding="utf-8")
    print(markdown(rows))


if __name__ == "__main__":
    main()
