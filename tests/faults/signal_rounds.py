"""Signals at random moments of a run: it saves, ends with the right code, and can be gone on with.

    python tests/faults/signal_rounds.py --rounds 5

Each round sends TERM, INT, HUP and USR1, one to a run of its own, after its first save. The exit
code is 1 if one is answered by another code, without a readable checkpoint, or if the run that
goes on ends with other weights than one that nothing interrupts.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import sys
import tempfile
import time
from pathlib import Path

from tiny_runs import STEPS, TinyRuns, digest, last, print_table, wait_for_save

from selfsup_depth.errors import SelfsupDepthError
from selfsup_depth.training.checkpoint_io import read_sealed

CODES = {"TERM": 143, "INT": 130, "HUP": 143, "USR1": 0}


def answer(runs: TinyRuns, name: str, workers: int, run: Path, draw: random.Random) -> tuple[str, int]:
    """What a run makes of a signal, "as it should" or what is wrong, and the step it saved then."""
    process = runs.train("stereo", workers, run)
    for _ in range(draw.randint(1, 25)):
        wait_for_save(run, process)
    time.sleep(draw.uniform(0, 0.2))
    if not process.is_alive():
        return f"ended early: {runs.told()[-200:]}", 0
    os.kill(process.pid or 0, signal.Signals[f"SIG{name}"])
    process.join()
    if process.exitcode != CODES[name]:
        return f"exit code {process.exitcode}", 0
    said = re.search(r"saved after step (\d+),", runs.told())
    if not said:
        return "saving is not said", 0
    try:
        step = read_sealed(last(run))["global_step"]
    except SelfsupDepthError as error:
        return str(error), 0
    good = step == (STEPS if name == "USR1" else int(said[1]))
    return ("as it should" if good else f"step {step} is there"), int(said[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    draw = random.Random(given.seed)
    rows: list[tuple[object, ...]] = [("signal", "workers", "saved at step", "answer", "weights in the end")]
    with tempfile.TemporaryDirectory(prefix="signal_rounds_") as home:
        runs = TinyRuns(Path(home))
        wanted = runs.reference("stereo", Path(home, "stereo"))
        for number in range(given.rounds):
            for name in CODES:
                run, workers = Path(home, f"{name}_{number}"), 2 * (number % 2)
                told, step = answer(runs, name, workers, run, draw)
                runs.train("stereo", workers, run).join()
                rows.append((name, workers, step, told, "equal" if digest(run) == wanted else digest(run)))
                print(*rows[-1], flush=True)
    print_table(rows)
    good = sum(row[-2:] == ("as it should", "equal") for row in rows)
    print(f"{good} of {len(rows) - 1} signals: saved, the right exit code, the right weights in the end")
    return 0 if good == len(rows) - 1 else 1


if __name__ == "__main__":
    sys.exit(main())
