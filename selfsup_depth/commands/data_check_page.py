"""A page of what a data check found, with the pictures that show it; one file that can be sent."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterator

from selfsup_depth.commands.data_check import MARKS, verdict
from selfsup_depth.data.check.finding import Finding
from selfsup_depth.data.check.gathering import Report
from selfsup_depth.data.photograph import Photograph
from selfsup_depth.errors import DataError
from selfsup_depth.training.page_style import STYLE

_PICTURE_WIDTH = 520
_KINDS = {"error": "bad", "warning": "bad", "fact": "good"}


def page(report: Report) -> str:
    """The whole page; nothing in it is loaded from elsewhere."""
    root, lead = html.escape(str(report.root)), html.escape(verdict(report))
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Data check of {root}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{STYLE}{_OWN_STYLE}</style><main><header>",
        f'<p class="kind">Data check</p><h1>{root}</h1><p class="lead">{lead}</p></header>',
    ]
    for severity in ("error", "warning", "fact"):
        found = [(heading, finding) for heading, finding in report.findings if finding.severity == severity]
        parts += (
            ["<section>", *(line for item in found for line in _row(*item)), "</section>"] if found else []
        )
    return "\n".join([*parts, "</main></html>\n"])


_OWN_STYLE = """
.finding { display: grid; grid-template-columns: 90px 130px 1fr; gap: 18px; padding: 12px 0;
  border-top: 1px solid var(--faint); }
.finding:first-child { border: 0; }
.finding p { margin: 0 0 4px; overflow-wrap: anywhere; }
.finding .pair { display: grid; grid-template-columns: 1fr 1fr; gap: 8px; }
.finding .fix, .bad { font-weight: 600; }
.finding img { display: block; width: 100%; border-radius: 5px; }
.bad { color: var(--other); } .good { color: var(--mine); }
@media (max-width: 700px) { .finding { grid-template-columns: 1fr; gap: 4px; } }
"""


def _row(heading: str, finding: Finding) -> Iterator[str]:
    mark = f'<div class="{_KINDS[finding.severity]}"><b>{MARKS[finding.severity]}</b></div>'
    yield f'<div class="finding">{mark}<div><strong>{html.escape(heading)}</strong></div><div>'
    yield f"<p>{html.escape(finding.what)}</p>"
    if finding.where:
        yield f"<p><code>{html.escape(finding.where)}</code></p>"
    if finding.fix:
        yield f'<p class="fix">{html.escape(finding.fix)}</p>'
    pictures = [text for picture in finding.pictures if (text := _picture(picture))]
    if pictures:
        yield f'<div class="pair">{"".join(pictures)}</div>'
    yield "</div></div>"


def _picture(photograph: Photograph) -> str:
    """An image inside the page, small; nothing where it cannot be read, which the page says."""
    try:
        picture = photograph.read()
    except DataError:
        return ""
    picture.thumbnail((_PICTURE_WIDTH, _PICTURE_WIDTH))
    stored = io.BytesIO()
    picture.save(stored, "JPEG", quality=80)
    data = base64.b64encode(stored.getvalue()).decode()
    name = html.escape(str(photograph))
    return f'<img src="data:image/jpeg;base64,{data}" alt="{name}" title="{name}">'
