"""Runs that are killed again and again, at any moment, and end as one that was never interrupted.

    python tests/faults/kill_chain.py --chains 20
    python tests/faults/kill_chain.py --saves 200

Half of the chains learn from stereo, half from video; half have two workers; half have their run
directory on another file system than $TMPDIR. The exit code is 1 if any ends differently, or if
any checkpoint cannot be read.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import tempfile
import time
from pathlib import Path

import torch
from tiny_runs import TinyRuns, digest, last, print_table, wait_for, wait_for_save

from selfsup_depth.errors import SelfsupDepthError
from selfsup_depth.training.checkpoint_io import SealedCheckpoints, read_sealed
from selfsup_depth.training.storage import link_or_copy, part_of

HEADINGS = ("chain", "recipe", "workers", "place", "kills", "in a save", "weights")
KILLS = 3
MANY = 1000


def chains(number: int, draw: random.Random, home: Path, elsewhere: Path) -> bool:
    """Whether every chain of kills and resumes ends like the run that nothing interrupts."""
    runs = TinyRuns(home)
    wanted = {recipe: runs.reference(recipe, home / recipe) for recipe in ("stereo", "video")}
    rows: list[tuple[object, ...]] = [
        ("chain", "recipe", "workers", "place", "kills", "in a save", "weights")
    ]
    for chain in range(number):
        # All eight kinds in eight chains, and half of each in any four.
        recipe, workers = ("stereo", "video")[chain % 2], 2 * (chain // 2 % 2)
        place = (home, elsewhere)[(chain + chain // 2 + chain // 4) % 2]
        ended = "too few kills"
        while ended == "too few kills":
            run = Path(tempfile.mkdtemp(prefix=f"chain_{chain}_", dir=place))
            kills, in_save, ended = live_and_die(runs, recipe, workers, run, draw)
        verdict = "equal" if ended == wanted[recipe] else ended[:160]
        name = "$TMPDIR" if place == home else "elsewhere"
        rows.append((chain, recipe, workers, name, kills, in_save, verdict))
        print(*rows[-1], flush=True)
    print_table(rows)
    equal = sum(row[-1] == "equal" for row in rows)
    print(f"{equal} of {number} chains end bitwise like the run that nothing interrupts")
    return equal == number


def live_and_die(
    runs: TinyRuns, recipe: str, workers: int, run: Path, draw: random.Random
) -> tuple[int, int, str]:
    """One chain: kills, those that fell into a save, and the final hash or what went wrong."""
    kills = in_save = 0
    for life in range(KILLS + 1):
        process = runs.train(recipe, workers, run)
        if life < KILLS and die(process, run, draw):
            kills += 1
            in_save += part_of(last(run)).exists()
            continue
        process.join()
        if process.exitcode:
            return kills, in_save, f"exit code {process.exitcode}: {runs.told().splitlines()[-1:]}"
        return kills, in_save, digest(run) if kills >= KILLS else "too few kills"
    raise AssertionError("the last life is not taken")


def die(process: multiprocessing.process.BaseProcess, run: Path, draw: random.Random) -> bool:
    """Kill a run at a random moment; whether it was still at work."""
    when = draw.choice(["starting", "anywhere", "saving", "saving"])
    if when == "starting":
        time.sleep(draw.uniform(0, 1))
    else:
        for _ in range(draw.randint(1, 6)):
            wait_for_save(run, process)
        if when == "anywhere":
            time.sleep(draw.uniform(0, 0.2))
        else:
            wait_for(part_of(last(run)).exists, process)
            time.sleep(draw.uniform(0, 0.01))
    alive = process.is_alive()
    process.kill()
    process.join()
    return alive


def saves(number: int, draw: random.Random, home: Path, elsewhere: Path) -> bool:
    """Whether every checkpoint can be read, however often its writer was killed."""
    torch.set_num_threads(1)
    unreadable = halves = 0
    for kill in range(number):
        folder = (home, elsewhere)[kill % 2] / "saves"
        folder.mkdir(exist_ok=True)
        process = multiprocessing.get_context("fork").Process(target=save_for_ever, args=(folder,))
        process.start()
        wait_for(part_of(folder / "last.ckpt").exists, process)
        time.sleep(draw.uniform(0, 0.08))
        process.kill()
        process.join()
        halves += len(list(folder.glob(".*.part")))
        for file in folder.glob("*.ckpt"):
            try:
                one = read_sealed(file)["state_dict"]["weight"]
                unreadable += one.unique().numel() != 1
            except SelfsupDepthError as error:
                unreadable += 1
                print(error)
    print(f"{number} kills in a save loop, {halves} left a half-written part: {unreadable} unreadable")
    return unreadable == 0


def save_for_ever(folder: Path) -> None:
    """Write one checkpoint after the other, as a run does that keeps a numbered one."""
    for step in range(MANY):
        content = {"state_dict": {"weight": torch.full((500_000,), float(step))}, "optimizer_states": []}
        SealedCheckpoints().save_checkpoint(content, folder / "last.ckpt")
        link_or_copy(folder / "last.ckpt", folder / "step_000000.ckpt")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--chains", type=int, default=0, help="runs, each killed three times")
    parser.add_argument("--saves", type=int, default=0, help="kills inside a save loop")
    parser.add_argument("--elsewhere", type=Path, default=Path("/dev/shm"), help="another file system")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    draw = random.Random(given.seed)
    with (
        tempfile.TemporaryDirectory(prefix="kill_chain_") as home,
        tempfile.TemporaryDirectory(prefix="kill_chain_", dir=given.elsewhere) as elsewhere,
    ):
        places = Path(home), Path(elsewhere)
        if places[0].stat().st_dev == places[1].stat().st_dev:
            parser.error(f"{given.elsewhere} is the file system of $TMPDIR; name another by --elsewhere")
        good = not given.chains or chains(given.chains, draw, *places)
        good &= not given.saves or saves(given.saves, draw, *places)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
