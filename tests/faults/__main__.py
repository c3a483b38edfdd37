"""Runs every fault against the installed command, from outside: `make faults`.

Knows the command, files and exit codes, nothing of the program.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from faults.table import CASES
from faults.workshop import Case, Outcome, Workshop, faults_of, train_once

LONGEST_SECONDS = 300


def main() -> int:
    """Print a table; 1 if a fault is not answered as it should be."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--command", default=str(Path(sys.executable).with_name("selfsup-depth")))
    parser.add_argument("--only", nargs="*", metavar="NN", help="numbers of faults; default: all")
    given = parser.parse_args()
    cases = [case for case in CASES if not given.only or case.number in given.only]
    place = Path(tempfile.mkdtemp(prefix="faults-"))
    try:
        return run_all(cases, place, given.command)
    finally:
        shutil.rmtree(place)


def run_all(cases: Sequence[Case], place: Path, command: str) -> int:
    """Run the cases one after the other: what surrounds some of them is of the whole process."""

    def run(arguments: list[str], folder: Path, prefix: Sequence[str] = ()) -> Outcome:
        done = subprocess.run(
            [*prefix, command, *arguments],
            cwd=folder,
            env=os.environ | {"XDG_CACHE_HOME": str(place / "cache")},
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
        )
        return Outcome(done.returncode, done.stderr)

    @cache
    def trained() -> Path:
        shop = Workshop(place / "trained", run, trained)
        shop.folder.mkdir()
        train_once(shop)
        return shop.folder / "run"

    num_wrong = 0
    print(f"{'NN':<4} {'fault':<45} {'expected':>8} {'got':>4} ok   line")
    for case in cases:
        shop = Workshop(place / case.number, run, trained)
        shop.folder.mkdir()
        arguments = case.make(shop)
        with case.around(shop):
            outcome = run(arguments, shop.folder, case.prefix)
        wrong = faults_of(case, outcome, shop)
        num_wrong += bool(wrong)
        print(row(case, outcome, wrong).replace(f"{shop.folder}/", ""), flush=True)
        shutil.rmtree(shop.folder)
    print(f"{len(cases) - num_wrong}/{len(cases)}")
    return int(num_wrong > 0)


def row(case: Case, outcome: Outcome, wrong: Sequence[str]) -> str:
    """One line of the table."""
    spoken = [line for line in outcome.said.splitlines() if line.startswith("error:")]
    line = "; ".join(wrong) or (spoken[0] if spoken else "goes on")
    verdict = "NO" if wrong else "yes"
    return f"{case.number:<4} {case.fault:<45} {case.expected:>8} {outcome.code:>4} {verdict:<4} {line}"


if __name__ == "__main__":
    sys.exit(main())
