"""Beyond one machine the cluster's own scheduler runs an ablation: one task of a job array a run."""

from __future__ import annotations

import shlex
from pathlib import Path

from selfsup_depth.ablation.plan import Plan, slug


def slurm_script(plan: Plan, output: Path, program: list[str], jobs: int | None = None) -> str:
    """A job array of one task a run.

    Args:
        plan: what is trained.
        output: the ablation's folder.
        program: command that is run.
        jobs: tasks at a time; as many as the cluster allows if absent.
    """
    command = shlex.join([*program, "ablate", "--output", str(output.absolute())])
    at_a_time = f"%{jobs}" if jobs else ""
    return f"""#!/bin/bash
# One task a run. Add what your cluster asks for: partition, account, gres, time.
# Submitted again, it goes on where it stopped; the report comes with {command} --report-only
#SBATCH --job-name={slug(output.name) or "ablation"}
#SBATCH --array=0-{len(plan.runs) - 1}{at_a_time}
#SBATCH --output={_quoted(f"{str(output.absolute()).replace('%', '%%')}/logs/slurm-%a.out")}
#SBATCH --chdir={_quoted(str(Path.cwd()))}
# The scheduler's warning before it ends a task: the run finishes its step and saves.
#SBATCH --signal=B:TERM@60
exec {command} --task "$SLURM_ARRAY_TASK_ID"
"""


def _quoted(path: str) -> str:
    """A path as the scheduler reads it: in quotes where it has to be."""
    return f'"{path}"' if " " in path else path
