"""Training what a plan asks for and is not there yet."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from selfsup_depth.ablation.outcomes import State, failure_file, log_file, result_of, state_of
from selfsup_depth.ablation.plan import Plan, PlannedRun, shape_of
from selfsup_depth.ablation.worker import Ending, check_all, train_one
from selfsup_depth.ablation.workers import Workers
from selfsup_depth.errors import DataError, SelfsupDepthError
from selfsup_depth.training.storage import write_text
from selfsup_depth.training.trainer import NUM_PICTURES

POLL_SECONDS = 0.5
BAR = "{desc}: {percentage:3.0f}%|{bar}| {n:.1f}/{total} runs [{elapsed}<{remaining}{postfix}]"


def check_plan(plan: Plan, output: Path, read_data: bool = True) -> None:
    """Put every variant together once, before anything is written.

    Args:
        plan: whose first seed is looked at.
        output: the ablation's folder.
        read_data: make the data and look into them, too.

    Raises:
        SelfsupDepthError: a variant cannot be trained, e.g. because the data lack what it needs.
        SystemExit: a signal came.
    """
    first = {run.variant: run.config for run in plan.runs if run.seed == plan.seeds[0]}
    workers = Workers(1, torch.get_num_threads())
    with workers.hearing_signals():
        ending = workers.run(check_all, first, output, read_data)
    if workers.exit_code:
        raise SystemExit(workers.exit_code)
    if ending.exit_code:
        kinds = {kind.exit_code: kind for kind in SelfsupDepthError.__subclasses__()}
        raise kinds.get(ending.exit_code, SelfsupDepthError)(ending.error)


def run_plan(plan: Plan, output: Path, jobs: int = 1) -> None:
    """Train every run of a plan that is not finished; one that fails does not keep the others.

    Args:
        plan: written to the folder already.
        output: the ablation's folder.
        jobs: runs side by side, with the cores shared out among them.

    Raises:
        SystemExit: a signal came; what was running is saved.
    """
    waiting = [run for run in plan.runs if state_of(run, output) is not State.FINISHED]
    tell_what_is_done(plan, len(waiting))
    if not waiting:
        return
    runs = {run.folder: run for run in waiting}
    workers = Workers(jobs, torch.get_num_threads())
    with workers.hearing_signals(), _Bar(len(waiting), output) as bar:
        while (waiting and not workers.exit_code) or len(workers):
            while waiting and len(workers) < jobs and not workers.exit_code:
                start(workers, waiting.pop(0), output)
            bar.show([runs[folder] for folder in workers.names])
            for folder, ending in workers.ended(POLL_SECONDS):
                bar.finish(conclude(runs[folder], ending, output, stopped=bool(workers.exit_code)))
    if workers.exit_code:
        raise SystemExit(workers.exit_code)


def run_task(plan: Plan, output: Path, index: int) -> None:
    """Train one run of a plan, as a task of a cluster's job array does.

    Raises:
        DataError: the run failed; why is in its log, and recorded.
    """
    run = plan.runs[index]
    if state_of(run, output) is State.FINISHED:
        return
    workers = Workers(1, torch.get_num_threads())
    with workers.hearing_signals():
        start(workers, run, output)
        while len(workers):
            for _, ending in workers.ended(POLL_SECONDS):
                line = conclude(run, ending, output, stopped=bool(workers.exit_code))
    if workers.exit_code:
        raise SystemExit(workers.exit_code)
    if state_of(run, output) is not State.FINISHED:
        raise DataError(line)


def start(workers: Workers, run: PlannedRun, output: Path) -> None:
    """Give a run to a process."""
    failure_file(run, output).unlink(missing_ok=True)
    log = log_file(run, output)
    log.parent.mkdir(exist_ok=True)
    folder = (output / run.folder).absolute()
    command = [sys.argv[0], "train", f"--config={folder / 'config.yaml'}", f"--run={folder}"]
    workers.start(run.folder, log.absolute(), train_one, run.config, folder, command)


def conclude(run: PlannedRun, ending: Ending, output: Path, stopped: bool) -> str:
    """Record how a run ended; returns a line about it."""
    name = f"{run.variant}, seed {run.seed}"
    if state_of(run, output) is State.FINISHED:
        told = [f"{key} {value:.4f}" for key, value in list(result_of(run, output).metrics.items())[:1]]
        return f"{name}: {', '.join(told) or 'done'}"
    if stopped:
        return f"{name}: stopped, and saved"
    file = failure_file(run, output)
    file.parent.mkdir(exist_ok=True)
    write_text(file, json.dumps({"variant": run.variant, "seed": run.seed, **ending._asdict()}) + "\n")
    return f"{name}: failed ({ending.error}), in {log_file(run, output)}"


def tell_what_is_done(plan: Plan, num_waiting: int) -> None:
    """Say how much there is to do."""
    done = len(plan.runs) - num_waiting
    print(f"{shape_of(plan)}: {len(plan.runs)} runs, {done} finished before", flush=True)


class _Bar(contextlib.AbstractContextManager["_Bar"]):
    """Progress over runs, in tenths, with the remaining time.

    A run draws a picture at each tenth of its steps: that is how far it is, seen from outside.
    """

    def __init__(self, num_runs: int, output: Path) -> None:
        self.output = output
        self.done = 0
        watched = sys.stderr.isatty()
        self.bar: Any = tqdm(
            total=num_runs,
            desc="ablation",
            unit="run",
            bar_format=BAR,
            mininterval=0.2 if watched else 15.0,
            dynamic_ncols=watched,
            ncols=None if watched else 110,
        )

    def __exit__(self, *exception: object) -> None:
        self.bar.close()

    def show(self, running: list[PlannedRun]) -> None:
        """Draw the bar."""
        self.bar.set_postfix_str("; ".join(f"{run.variant}, seed {run.seed}" for run in running), False)
        reached = self.done + sum(map(self._share, running))
        self.bar.update(max(0.0, reached - self.bar.n))

    def finish(self, line: str) -> None:
        """A run has ended."""
        self.done += 1
        self.bar.update(max(0.0, self.done - self.bar.n))
        with self.bar.external_write_mode(sys.stdout):
            print(line, flush=True)

    def _share(self, run: PlannedRun) -> float:
        drawn = len(list((self.output / run.folder / "pictures").glob("step_*.png")))
        return min(max(drawn - 1, 0) / NUM_PICTURES, 0.9)
