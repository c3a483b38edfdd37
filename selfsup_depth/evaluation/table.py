"""Errors as a small table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from selfsup_depth.evaluation.depth_errors import REPORTED


def table_of_errors(rows: Mapping[str, Mapping[str, float]], columns: Sequence[str] = REPORTED) -> str:
    """A row of errors per name, the errors' names above.

    Args:
        rows: name of the row -> its errors, all of one protocol.
        columns: which errors to show; one that a row lacks is left blank.
    """
    label = max(len(name) for name in rows)
    lines = [" " * label + "".join(f"{column:>10}" for column in columns)]
    for name, errors in rows.items():
        cells = (f"{errors[column]:10.4f}" if column in errors else " " * 10 for column in columns)
        lines.append(f"{name:<{label}}" + "".join(cells))
    return "\n".join(line.rstrip() for line in lines)
