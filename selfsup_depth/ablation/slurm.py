"""Beyond one machine the cluster's own scheduler runs an ablation: one task of a job array a run."""

from __future__ import annotations

import shlex
from pathlib import Path

from selfsup_depth.ablation.plan import Plan


def slurm_script(plan: Plan, output: Path, program: list[str]) -> str:
    """A job array of one task a run; a job after it writes the report."""
    command = shlex.join([*program, "ablate", "--output", str(output.absolute())])
    return f"""#!/bin/bash
# One task a run. Add what your cluster asks for: partition, account, gres, time.
# Submitted again, it goes on where it stopped; the report comes with {command} --report-only
#SBATCH --job-name={output.name}
#SBATCH --array=0-{len(plan.runs) - 1}
#SBATCH --output={output.absolute()}/logs/slurm-%a.out
#SBATCH --chdir={Path.cwd()}
# The scheduler's warning before it ends a task: the run finishes its step and saves.
#SBATCH --signal=B:TERM@60
exec {command} --task "$SLURM_ARRAY_TASK_ID"
"""
