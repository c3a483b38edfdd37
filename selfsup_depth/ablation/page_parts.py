"""Learning curves and pictures of the page."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from selfsup_depth.ablation.comparison import Comparison, Row
from selfsup_depth.ablation.outcomes import Curve
from selfsup_depth.ablation.page_numbers import breakable
from selfsup_depth.ablation.strips import Strip, is_nearly_constant
from selfsup_depth.ablation.svg import Line, chart, mean_curve, smoothed

PHOTOMETRIC_LOSS = "loss/photometric"


def curve_panels(comparison: Comparison) -> str:
    """A panel for each variant and quantity: its seeds thin, their mean bold, the baseline's grey."""
    told = {
        f"val/{comparison.metric}": f"Validation {comparison.metric} over steps",
        PHOTOMETRIC_LOSS: "Photometric loss over steps (of training; compares where the term is the same)",
    }
    groups = []
    for name, title in told.items():
        curves = {row.variant.name: curves_named(row, name) for row in comparison.rows}
        everything = [curve for found in curves.values() for curve in found]
        if not everything:
            continue
        bounds = bounds_of(everything)
        base = curves[comparison.rows[0].variant.name]
        panels = [
            panel(row.variant.name, curves[row.variant.name], base if index else [], bounds)
            for index, row in enumerate(comparison.rows)
            if curves[row.variant.name]
        ]
        groups.append(f'<h3>{escape(title)}</h3><div class="panels">{"".join(panels)}</div>')
    return "".join(groups)


def panel(
    name: str, mine: Sequence[Curve], base: Sequence[Curve], bounds: tuple[float, float, float, float]
) -> str:
    """One variant's chart under its name."""
    lines = [Line(mean_curve(base), "base-mean")] if base else []
    lines += [Line(curve, "mine") for curve in mine] if len(mine) > 1 else []
    lines.append(Line(mean_curve(mine), "mine-mean" if base else "base-mean"))
    return f"<figure><figcaption>{breakable(name)}</figcaption>{chart(lines, bounds, name)}</figure>"


def curves_named(row: Row, name: str) -> list[Curve]:
    """One quantity's curve of each of a variant's runs, thinned out."""
    found = [outcome.curves.get(name, []) for outcome in row.outcomes]
    return [smoothed(curve) for curve in found if curve]


def bounds_of(curves: Sequence[Curve]) -> tuple[float, float, float, float]:
    """Steps and values that a chart shows; a few wild values do not flatten all the others."""
    steps = [step for curve in curves for step, _ in curve]
    values = sorted(value for curve in curves for _, value in curve)
    high = values[min(len(values) - 1, round(0.98 * len(values)))]
    margin = 0.05 * (high - values[0])
    return min(steps), max(steps), values[0] - margin, high + margin


def picture_rows(comparison: Comparison, strips: Mapping[str, Strip]) -> str:
    """The same images in every row: what is seen, what is measured, and what each variant predicts."""
    first = next(iter(strips.values()), None)
    if first is None:
        return ""
    rows = [_pictures("image", _images("image", first.images))]
    if first.measured:
        rows.append(_pictures("measured", _images("measured", first.measured)))
    for row in comparison.rows:
        strip = strips.get(row.variant.name)
        if strip is None:
            rows.append(
                f'<div class="strip-row"><b>{breakable(row.variant.name)}</b><p>no finished run</p></div>'
            )
            continue
        predicted = _predictions(row.variant.name, strip.predicted)
        rows.append(_pictures(row.variant.name, predicted, _images(row.variant.name, strip.errors)))
    note = (
        "Inverse depth, near is bright, each picture scaled by its own 95th percentile; first finished seed, "
        "last weights."
    )
    if first.errors:
        note += (
            " Below each: error of depth relative to the measured one after scaling by the median, "
            "black 0 %, white 50 %."
        )
    return f"<p>{note}</p>{''.join(rows)}"


def _pictures(name: str, *lines: Sequence[str]) -> str:
    cells = "".join(f"<div>{''.join(column)}</div>" for column in zip(*filter(None, lines), strict=True))
    return f'<div class="strip-row"><b>{breakable(name)}</b><div class="pictures">{cells}</div></div>'


def _images(name: str, files: Sequence[Path]) -> list[str]:
    codes = [base64.b64encode(file.read_bytes()).decode() for file in files]
    return [f'<img alt="{escape(name)}" src="data:image/png;base64,{code}">' for code in codes]


def _predictions(name: str, files: Sequence[Path]) -> list[str]:
    """Pictures; a block of one colour, which looks like one that is broken, says what it is."""
    return [
        f'<div class="plain">{image}<span>nearly constant</span></div>' if is_nearly_constant(file) else image
        for image, file in zip(_images(name, files), files, strict=True)
    ]
