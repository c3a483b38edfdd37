"""An evaluation as one page that needs nothing else: numbers, charts and pictures stand in it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from selfsup_depth.evaluation.depth_errors import REPORTED
from selfsup_depth.evaluation.depth_evaluation import DepthEvaluation
from selfsup_depth.evaluation.exhibits import Exhibit
from selfsup_depth.evaluation.protocol_words import words_of
from selfsup_depth.training.colour import MAGMA
from selfsup_depth.training.evaluation_charts import distance_chart, distribution_chart, sparsification_charts
from selfsup_depth.training.exhibit_pictures import RIGHT, STRONGEST_ERROR, TOO_FAR, TOO_NEAR, pictures_of
from selfsup_depth.training.page_style import STYLE

# Images that are wider than this stand two in a row, others four.
WIDE = 1.6

UNITS = {"sq_rel": "m", "rmse": "m", "mae": "m", "irmse": "1/km", "hole_percent": "%", "d1_percent": "%"}
MORE_IS_BETTER = ("a1", "a2", "a3")
SAYS = {
    "abs_rel": "mean relative error",
    "rmse": "metres",
    "a1": "share within a factor of 1.25",
    "scale_median": "factor on predictions",
}


def page(evaluation: DepthEvaluation, about: Mapping[str, Any]) -> str:
    """The whole page.

    Args:
        evaluation: with the images that are to be shown.
        about: what was evaluated, for the result file.
    """
    result = evaluation.as_dict()
    what = title_of(Path(str(about.get("checkpoint") or about.get("predictions", ""))))
    charts = [distance_chart(result), distribution_chart(result), *sparsification_charts(result)]
    sections = [
        '<div class="pair">',
        section("Protocol", protocol_words(evaluation)),
        section("Errors", error_table(result)),
        "</div>",
        section("Where the errors are", f'<div class="charts">{"".join(charts)}</div>'),
        section("Further numbers", further_numbers(result["metrics"])),
        section("Worst images", colour_keys() + exhibits(evaluation.exhibits.worst)),
        section("Best images", exhibits(evaluation.exhibits.best)),
        section("Left out", left_out(result, about)),
    ]
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Depth evaluation: {escape(what)}</title><style>{STYLE}</style></head>
<body><main>
<header><p class="kind">Depth evaluation</p><h1>{escape(what)}</h1>
<p class="lead">{escape(summary(result, about))}</p>{headline(result)}</header>
{"".join(sections)}
</main></body></html>
"""


def title_of(evaluated: Path) -> str:
    """A run by its name and the checkpoint's, anything else by its own."""
    if evaluated.parent.name == "checkpoints":
        return f"{evaluated.parents[1].name} · {evaluated.name}"
    return evaluated.name


def section(title: str, content: str) -> str:
    """A card; nothing where there is nothing to say."""
    return f"<section><h2>{title}</h2>{content}</section>\n" if content else ""


def summary(result: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """What was compared with what, in a sentence."""
    number, protocol = result["num_images"], result["protocol"]
    where = about.get("data") or about.get("measured", "")
    images = f"{number} image{'s' * (number != 1)}"
    return f"{images} against measured depth in {where}, protocol {protocol['name']} [{protocol['hash']}]."


def headline(result: Mapping[str, Any]) -> str:
    """The few numbers that are looked at first, beside those of a constant depth."""
    cells = []
    for name, says in SAYS.items():
        if name in result["metrics"]:
            constant = result["baseline"].get(name) if name != "scale_median" else None
            beside = f"constant depth {constant:.3f}" if constant is not None else says
            value = f"{result['metrics'][name]:.4g}"
            cells.append(f'<div title="{says}"><dt>{name}</dt><dd>{value}</dd><small>{beside}</small></div>')
    return f'<dl class="numbers">{"".join(cells)}</dl>'


def protocol_words(evaluation: DepthEvaluation) -> str:
    """Every choice of the protocol in words."""
    rows = words_of(evaluation.protocol)
    cells = "".join(f"<dt>{escape(name)}</dt><dd>{escape(words)}</dd>" for name, words in rows.items())
    note = "Numbers compare only with numbers of the same hash."
    return f'<dl class="protocol">{cells}</dl><p class="soft" style="margin:12px 0 0">{note}</p>'


def error_table(result: Mapping[str, Any]) -> str:
    """Prediction and constant depth, a row an error: that fits a phone."""
    columns = {"prediction": result["metrics"], "constant depth": result["baseline"]}
    head = "".join(f"<th>{name}</th>" for name in columns)
    lines = "".join(
        f"<tr><th>{metric} {'↑' if metric in MORE_IS_BETTER else '↓'}</th>"
        f"{''.join(f'<td>{errors[metric]:.4f}</td>' for errors in columns.values())}</tr>"
        for metric in REPORTED
    )
    note = (
        "↓ less is better, ↑ more. Means over images. Constant depth: each image's own measured median, "
        "which no network is told."
    )
    table = f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{lines}</tbody></table>"
    return f'{table}<p class="soft">{note}</p>'


def further_numbers(metrics: Mapping[str, float]) -> str:
    """What is not in the table."""
    others = {name: value for name, value in metrics.items() if name not in REPORTED}
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{value:.4g}</dd><small>{UNITS.get(name, '')}</small></div>"
        for name, value in others.items()
    )
    return f'<dl class="numbers">{cells}</dl>'


def colour_keys() -> str:
    """What the colours of the pictures mean."""
    stops = ", ".join(f"rgb{tuple(MAGMA[index].tolist())}" for index in range(0, 256, 15))
    ends = ", ".join(f"rgb{colour}" for colour in (TOO_NEAR, RIGHT, TOO_FAR))
    percent = f"{STRONGEST_ERROR:.0%}"
    depth, error = (
        f'<span class="scale" style="background:linear-gradient(90deg,{colours})"></span>'
        for colours in (stops, ends)
    )
    return (
        f'<p class="soft keys"><span>far{depth}near</span> <span>{percent} too near{error}'
        f"{percent} too far</span></p>"
    )


def exhibits(shown: Sequence[Exhibit]) -> str:
    """Each image with its errors and pictures."""
    parts = []
    for exhibit in shown:
        height, width = exhibit.size
        tall = "" if width > WIDE * height else " tall"
        figures = "".join(picture(caption, file) for caption, file in pictures_of(exhibit).items())
        errors = exhibit.errors.errors
        told = f"abs_rel {errors.abs_rel:.4f} · rmse {errors.rmse:.3f} m · a1 {errors.a1:.3f}"
        pixels = f"{len(exhibit.errors.rows)} measured pixels"
        parts.append(
            f'<div class="exhibit"><h3>{escape(exhibit.name)}</h3>'
            f'<p class="soft">{told} · {pixels}</p><div class="pictures{tall}">{figures}</div></div>'
        )
    return "".join(parts)


def picture(caption: str, file: bytes) -> str:
    """A JPEG file inside the page."""
    source = f"data:image/jpeg;base64,{base64.b64encode(file).decode()}"
    told = escape(caption)
    return f'<figure><img alt="{told}" src="{source}"><figcaption>{told}</figcaption></figure>'


def left_out(result: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Images that are not in the numbers, and why."""
    reasons = [f"{name}: no measured pixel that counts" for name in result["skipped"]]
    reasons += about.get("left_out", [])
    return f"<ul>{''.join(f'<li>{escape(reason)}</li>' for reason in reasons)}</ul>" if reasons else ""
