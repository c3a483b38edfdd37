"""Every benchmark in turn, or some of them: `make benchmark`, or `python -m benchmarks [PART ...]`.

Writes how many times faster we are than the published way, and how much memory it takes, to
benchmarks/results/DATE-MACHINE.json and .md; a part that is measured again replaces its numbers
there. How it is measured: race.py. What is to be reached: reach.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.measure import measure
from benchmarks.parts import PARTS, How
from benchmarks.race import alone
from benchmarks.result_files import RESULTS, keep, result_file

NAMES = [*PARTS, "scaling"]


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("parts", nargs="*", choices=[[], *NAMES], metavar="PART", help=f"of {', '.join(NAMES)}; default: all")
    add("--repetitions", type=int, help="of each race; default: 3, and 1 with --quick")
    add("--rounds", type=int, default=5, help="turns of each contender in a repetition")
    add("--quick", action="store_true", help="one round of tiny sizes, to see that everything runs")
    add("--no-wall", action="store_true", help="processor time only, as on a machine that others use")
    add("--peer", type=Path, metavar="PATH", help="a checkout of monodepth2, for the objective")
    add("--output", type=Path, default=RESULTS, metavar="DIR", help="default: benchmarks/results")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Run the parts that are named, or all.

    Args:
        arguments: after the program's name; those of this process if absent.
    """
    given = parsed(arguments)
    how = How(given.quick, not given.no_wall, given.peer)
    repetitions = given.repetitions or (1 if how.quick else 3)
    rounds = 1 if how.quick else given.rounds
    stem = result_file(given.output, how.quick)
    names = given.parts or NAMES
    num_measured = len([name for name in names if name in PARTS])
    text = ""
    with tqdm(total=num_measured * repetitions + ("scaling" in names), unit="repetition") as bar:
        for name in names:
            bar.set_description(name)
            found: dict[str, Any]
            if name == "scaling":
                from benchmarks import scaling  # with all of torch, which a race must not find here

                alone()
                found = {"growth": scaling.growths(how.quick)}
                stem.parent.mkdir(parents=True, exist_ok=True)
                scaling.picture(found["growth"]).save(f"{stem}.png")
                bar.update()
            else:
                found = {"parts": {name: measure(name, how, repetitions, rounds, bar.update)}}
            # Kept after each, so that an hour's work does not hang on its last minute.
            text = keep(stem, found, how.quick)
    print(text)
    print(f"written to {stem}.json and .md")


if __name__ == "__main__":
    main()
