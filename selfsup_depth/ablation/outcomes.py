"""What became of each run: its state, its numbers, its curves."""

from __future__ import annotations

import csv
import enum
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

from selfsup_depth.ablation.plan import Plan, PlannedRun

# Errors that are compared where there is measured depth, and what stands in for them elsewhere.
MEASURED_ERROR, REBUILDING_ERROR = "abs_rel", "photometric_error"
HIGHER_IS_BETTER = {"a1", "a2", "a3"}

Curve = list[tuple[int, float]]


class State(enum.Enum):
    """Finished runs are never repeated; failed and interrupted ones are gone on with."""

    FINISHED = "finished"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    MISSING = "not begun"


class Result(NamedTuple):
    """What a finished run says about itself.

    metrics: by name; `photometric_error` is that of the rebuilt training views.
    constant: the same errors of a constant depth.
    protocol: how depth was compared, in a line; "" where nothing was measured.
    protocol_hash: differs where two results cannot be compared.
    num_images: of the evaluation.
    """

    metrics: dict[str, float]
    constant: dict[str, float]
    protocol: str
    protocol_hash: str
    num_images: int


class Outcome(NamedTuple):
    """A run and what became of it.

    error: one line, of a failed run.
    curves: what was logged, (step, value) by name.
    """

    run: PlannedRun
    state: State
    result: Result
    error: str
    curves: dict[str, Curve]


def outcomes_of(plan: Plan, output: Path) -> list[Outcome]:
    """What became of every run of a plan, in its order."""
    return [
        Outcome(
            run,
            state_of(run, output),
            result_of(run, output),
            error_of(run, output),
            curves_of(output / run.folder),
        )
        for run in plan.runs
    ]


def state_of(run: PlannedRun, output: Path) -> State:
    """Whether a run is finished: its evaluation, written as the last thing, is there."""
    folder = output / run.folder
    if (folder / "evaluation.json").is_file():
        return State.FINISHED
    if failure_file(run, output).is_file():
        return State.FAILED
    return State.INTERRUPTED if folder.exists() else State.MISSING


def failure_file(run: PlannedRun, output: Path) -> Path:
    """Where it is recorded why a run failed."""
    return output / "failed" / f"{Path(run.folder).name}.json"


def log_file(run: PlannedRun, output: Path) -> Path:
    """Where what a run prints is kept."""
    return output / "logs" / f"{Path(run.folder).name}.log"


def error_of(run: PlannedRun, output: Path) -> str:
    """Why a run failed, "" if it did not."""
    if state_of(run, output) is not State.FAILED:
        return ""
    return str(json.loads(failure_file(run, output).read_text(encoding="utf-8"))["error"])


def result_of(run: PlannedRun, output: Path) -> Result:
    """The numbers of a finished run; of any other, none."""
    file = output / run.folder / "evaluation.json"
    if not file.is_file():
        return Result({}, {}, "", "", 0)
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    protocol = content.get("protocol", {})
    metrics = dict(content.get("metrics", {}))
    if "photometric_error" in content:
        metrics[REBUILDING_ERROR] = content["photometric_error"]["synthesized"]
    return Result(
        metrics,
        content.get("baseline", {}),
        protocol.get("description", ""),
        protocol.get("hash", ""),
        content.get("num_images", 0),
    )


def curves_of(folder: Path) -> dict[str, Curve]:
    """What a run logged over its steps; of parts that a resumed run repeated, the later one."""
    parts = sorted(folder.glob("metrics_part_*.csv"), key=lambda file: int(file.stem.rpartition("_")[2]))
    curves: dict[str, dict[int, float]] = {}
    for table in [*parts, folder / "metrics.csv"]:
        if not table.is_file():
            continue
        with table.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                for name, value in row.items():
                    if name not in ("step", "epoch") and value and math.isfinite(float(value)):
                        curves.setdefault(name, {})[int(row["step"])] = float(value)
    return {name: sorted(curve.items()) for name, curve in curves.items()}
