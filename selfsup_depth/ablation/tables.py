"""The comparison as text: a line a run for programs, a line a variant for readers."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from selfsup_depth.ablation.comparison import Comparison
from selfsup_depth.ablation.outcomes import Outcome, State
from selfsup_depth.ablation.plan import Plan
from selfsup_depth.ablation.variants import shown_flags
from selfsup_depth.ablation.wording import difference_texts, seeds_text, spread_text


def runs_table(plan: Plan, outcomes: Sequence[Outcome], metrics: Sequence[str]) -> str:
    """CSV, a line for every run."""
    flags = {variant.name: shown_flags(variant) for variant in plan.variants}
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(
        ["variant", "seed", "state", "folder", *metrics, "num_images", "protocol", "flags", "error"]
    )
    for run, state, result, error, _ in outcomes:
        numbers = [repr(result.metrics[name]) if name in result.metrics else "" for name in metrics]
        told = [result.num_images or "", result.protocol_hash, flags[run.variant], error]
        table.writerow([run.variant, run.seed, state.value, run.folder, *numbers, *told])
    return text.getvalue()


def markdown(plan: Plan, comparison: Comparison, outcomes: Sequence[Outcome]) -> str:
    """The report as text."""
    metric = comparison.metric
    shown = [metric, *[name for name in ("rmse", "a1") if name in comparison.metrics]]
    head = ["variant", "flags", "seeds", *shown, f"{metric}: difference to the baseline", "95 % interval", ""]
    lines = ["# Ablation", "", f"    {' '.join(plan.command)}", ""]
    lines += [comparison.protocol or "no measured depth: judged by how well training views are rebuilt", ""]
    lines += [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in comparison.rows:
        difference = row.differences.get(metric)
        cells = [
            row.variant.name,
            f"`{shown_flags(row.variant)}`" if shown_flags(row.variant) else "as given",
        ]
        cells += [seeds_text(row), *[spread_text(row.spreads.get(name)) for name in shown]]
        cells += [*difference_texts(difference), row.verdict]
        lines.append(f"| {' | '.join(cells)} |")
    if comparison.constant:
        lines += ["", f"A constant depth has {metric} {comparison.constant[0]:.4f}."]
    failed = [f"- {o.run.variant}, seed {o.run.seed}: {o.error}" for o in outcomes if o.state is State.FAILED]
    lines += ["", "## Failed runs", "", *failed] if failed else []
    return "\n".join(lines) + "\n"


def plain_table(comparison: Comparison) -> str:
    """The table for the terminal."""
    metric = comparison.metric
    lines = [["", metric, "difference", "95 % interval", ""]]
    for row in comparison.rows:
        spread = f"{spread_text(row.spreads.get(metric))} ({seeds_text(row)})"
        told = difference_texts(row.differences.get(metric))
        lines.append([row.variant.name, spread, *told, row.verdict])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    return "\n".join([comparison.protocol, *table] if comparison.protocol else table)
