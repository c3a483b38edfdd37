"""`selfsup-depth ablate`: trains variants side by side, and tells which term earns its place."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from selfsup_depth.commands.ablate_arguments import (
    PROGRAM,
    AblateArguments,
    make_parser,
    parse_ablate_arguments,
    refuse_beside,
)
from selfsup_depth.commands.parser import split_dotted
from selfsup_depth.errors import ConfigError


def run(arguments: list[str]) -> None:
    """Plan, train what is missing, and report.

    Raises:
        SelfsupDepthError: the plan is refused, or some runs failed.
    """
    rest, flags = split_dotted(arguments)
    given = make_parser().parse_args(rest)
    if given.report_only or given.task is not None:
        refuse_beside(given, flags)
        return report_only(given.output) if given.report_only else task(given.output, given.task)
    from selfsup_depth.ablation.runner import check_plan, run_plan

    asked = parse_ablate_arguments(arguments)
    # The data may be where only the cluster's machines see them.
    check_plan(asked.plan, asked.output, read_data=not (asked.dry_run or asked.slurm))
    if asked.dry_run:
        return print_plan(asked)
    with held_plan(asked):
        if asked.slurm:
            return write_job_array(asked)
        run_plan(asked.plan, asked.output, asked.jobs or 1)
        report_only(asked.output)


@contextlib.contextmanager
def held_plan(asked: AblateArguments) -> Iterator[None]:
    """Write the plan down, and keep other ablations out of its folder meanwhile.

    Raises:
        RunInUseError: another one is at work there.
        StorageError: the folder cannot be written.
    """
    from selfsup_depth.ablation.plan import write_plan
    from selfsup_depth.training.run_directory import RunDirectory

    folder = RunDirectory(asked.output, "--output")
    try:
        folder.hold()
        write_plan(asked.plan, asked.output)
        yield
    finally:
        folder.release()


def print_plan(asked: AblateArguments) -> None:
    """Every run, its state and its flags."""
    from selfsup_depth.ablation.outcomes import state_of
    from selfsup_depth.ablation.plan import shape_of
    from selfsup_depth.ablation.variants import shown_flags

    for variant in asked.plan.variants:
        print(f"{variant.name}: {shown_flags(variant) or 'as given'}")
        for run in asked.plan.runs:
            if run.variant == variant.name:
                state = state_of(run, asked.output).value
                print(f"  seed {run.seed}  {state:<12} {asked.output / run.folder}")
    print(f"{shape_of(asked.plan)} = {len(asked.plan.runs)} runs")


def write_job_array(asked: AblateArguments) -> None:
    """Write the script that trains the plan on a cluster."""
    from selfsup_depth.ablation.slurm import slurm_script
    from selfsup_depth.training.storage import write_text

    (asked.output / "logs").mkdir(exist_ok=True)
    program = [sys.executable, "-m", "selfsup_depth"]
    script = asked.output / "ablation.slurm"
    write_text(script, slurm_script(asked.plan, asked.output, program, asked.jobs))
    print(f"written: {script}; then\n  sbatch {shlex.quote(str(script))}")
    print(f"  {PROGRAM} --report-only --output {shlex.quote(str(asked.output))}")


def task(output: Path, index: int) -> None:
    """Train one run of a plan.

    Raises:
        ConfigError: there is no such run.
    """
    from selfsup_depth.ablation.plan import read_plan
    from selfsup_depth.ablation.runner import run_task

    plan = read_plan(output)
    if not 0 <= index < len(plan.runs):
        raise ConfigError(f"no run {index}, in {output}; give --task 0 to {len(plan.runs) - 1}")
    run_task(plan, output, index)


def report_only(output: Path) -> None:
    """Write the report of what is there, and print its table.

    Raises:
        RunsFailedError: some runs failed.
    """
    from selfsup_depth.ablation.outcomes import State, outcomes_of
    from selfsup_depth.ablation.plan import read_plan
    from selfsup_depth.ablation.report import write_report
    from selfsup_depth.errors import RunsFailedError

    plan = read_plan(output)
    outcomes = outcomes_of(plan, output)
    print(write_report(plan, outcomes, output))
    failed = [outcome for outcome in outcomes if outcome.state is State.FAILED]
    if failed:
        why = failed[0].error.partition(";")[0]
        what = f"{len(failed)} of {len(outcomes)} runs failed, the first because: {why}"
        raise RunsFailedError(f"{what}, in {output / 'report.md'}; repeat the command to try them again")
