"""The report of an ablation: a table of runs, a page of text, a page to look at, TensorBoard's HParams."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from selfsup_depth.ablation.comparison import compare
from selfsup_depth.ablation.hparams import write_hparams
from selfsup_depth.ablation.outcomes import Outcome
from selfsup_depth.ablation.page import page
from selfsup_depth.ablation.plan import Plan
from selfsup_depth.ablation.strips import strips_of
from selfsup_depth.ablation.tables import markdown, plain_table, runs_table
from selfsup_depth.training.storage import write_text

HPARAMS = "hparams"


def write_report(plan: Plan, outcomes: Sequence[Outcome], output: Path) -> str:
    """Write runs.csv, report.md, report.html and hparams/ into the ablation's folder.

    Returns:
        What is printed: the table, and where the files are.
    """
    comparison = compare(plan, outcomes)
    write_text(output / "runs.csv", runs_table(plan, outcomes, comparison.metrics))
    write_text(output / "report.md", markdown(plan, comparison, outcomes))
    write_text(output / "report.html", page(plan, comparison, strips_of(outcomes, output), output.name))
    write_hparams(plan, outcomes, output / HPARAMS)
    return f"\n{plain_table(comparison)}\nreport: {output / 'report.html'} (report.md, runs.csv, {HPARAMS}/)"
