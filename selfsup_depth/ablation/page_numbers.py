"""The table of all numbers of the page, and how names and numbers break over its lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from selfsup_depth.ablation.comparison import Comparison, Row
from selfsup_depth.ablation.wording import difference_texts, spread_text

# Columns of numbers that fit side by side on a desk; further ones stand in a table below.
MOST_COLUMNS = 6


def breakable(name: str) -> str:
    """A variant's name as HTML, which may go on in the next line after a dot or "=", not within a word."""
    return re.sub(r"((?<!\d)\.|=)", r"\1<wbr>", escape(name))


def all_numbers(comparison: Comparison) -> str:
    """Every metric of every variant; what there is more of goes down the page, which is longer than wide."""
    rows, metrics = comparison.rows, comparison.metrics
    down, across = [breakable(row.variant.name) for row in rows], [escape(metric) for metric in metrics]
    columns = [[_cell(row, metric) for row in rows] for metric in metrics]
    if len(metrics) > len(rows):
        down, across = across, down
        columns = [list(row) for row in zip(*columns, strict=True)]
    tables = [
        _table(down, across[first : first + MOST_COLUMNS], columns[first : first + MOST_COLUMNS])
        for first in range(0, len(across), MOST_COLUMNS)
    ]
    note = "<p>Mean ± standard deviation over seeds; below it the paired difference to the baseline.</p>"
    return f"{note}{''.join(tables)}"


def _table(down: Sequence[str], across: Sequence[str], columns: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in across)
    lines = [
        f"<tr><th>{name}</th>{''.join(cells)}</tr>"
        for name, cells in zip(down, zip(*columns, strict=True), strict=True)
    ]
    table = f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return f'<div class="wide">{table}</div>'


def _cell(row: Row, metric: str) -> str:
    difference = row.differences.get(metric)
    spread = spread_text(row.spreads.get(metric))
    if difference is None:
        return f"<td>{spread}</td>"
    mean, interval = difference_texts(difference)
    within = f" ({interval})" if difference.interval else ""
    return f"<td>{spread}<small>{mean}{within}</small></td>"
