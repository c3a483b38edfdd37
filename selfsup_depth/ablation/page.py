"""The report as one page that needs nothing else: pictures and charts stand in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from html import escape

from selfsup_depth.ablation.comparison import Comparison, Row, is_worse
from selfsup_depth.ablation.outcomes import State
from selfsup_depth.ablation.page_numbers import all_numbers, breakable
from selfsup_depth.ablation.page_parts import curve_panels, picture_rows
from selfsup_depth.ablation.page_style import STYLE
from selfsup_depth.ablation.plan import Plan
from selfsup_depth.ablation.strips import Strip
from selfsup_depth.ablation.svg import EMPTY_STRIP, difference_strip
from selfsup_depth.ablation.variants import BASELINE, shown_flags
from selfsup_depth.ablation.wording import difference_texts, seeds_text, spread_text
from selfsup_depth.evaluation.bootstrap import CONFIDENCE

HOW_TO_READ = f"""
<p>Each variant is the baseline with the flags under its name, trained with the same seeds. A difference
is the variant minus the baseline <em>with the same seed</em>; grey dots are seeds, the large dot is their
mean. The bar is a {CONFIDENCE:.0%} bootstrap interval of the mean, widened for few seeds: where it does not
touch zero, the change is called better or worse. Of three seeds it is wide, and only large differences are
told from none; more seeds (<code>--seeds 0,1,2,3,4</code>) tell smaller ones. With fewer than three there is
none. <em>No difference</em> is what changes no seed by more than rounding does.</p>
<p>Of many variants some look better or worse by chance: at {CONFIDENCE:.0%}, one in twenty.</p>"""
NOTHING_MEASURED = "no measured depth: judged by how well training views are rebuilt"


def page(plan: Plan, comparison: Comparison, strips: Mapping[str, Strip], name: str) -> str:
    """The whole page.

    Args:
        plan: what was asked for.
        comparison: its numbers.
        strips: pictures by variant.
        name: of the ablation.
    """
    sections = [
        _section("What each change is worth", _comparison_rows(comparison)),
        _section("Predicted depth", picture_rows(comparison, strips)),
        _section("Learning curves", curve_panels(comparison)),
        _section("All numbers", all_numbers(comparison)),
        _section("Runs that failed", _failed(comparison)),
        _section("How to read this", HOW_TO_READ),
    ]
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ablation: {escape(name)}</title><style>{STYLE}</style></head>
<body><main>
<header><p class="kind">Ablation</p><h1>{escape(name)}</h1>
<p class="lead">{escape(_summary(comparison))}</p>
<p class="protocol">{escape(comparison.protocol or NOTHING_MEASURED)}</p>
<pre>{_words(" ".join(plan.command))}</pre></header>
{"".join(sections)}
</main></body></html>
"""


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>\n" if content else ""


def _words(line: str) -> str:
    """A command or flags, broken over lines between words only: a hyphen invites breaks, too."""
    return " ".join(f"<span>{escape(word)}</span>" for word in line.split(" "))


def _summary(comparison: Comparison) -> str:
    base = comparison.rows[0]
    spread = base.spreads.get(comparison.metric)
    verdicts = Counter(row.verdict.partition(":")[0] for row in comparison.rows[1:])
    told = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.most_common())
    number = len(comparison.rows) - 1
    variants = f"{number} variant{'s' * (number != 1)} against it: {told}."
    if spread is None:
        return f"No finished run of the baseline yet. {variants}"
    seeds = f"{spread.num} seed{'s' * (spread.num > 1)}"
    constant = f" (a constant depth: {comparison.constant[0]:.4f})" if comparison.constant else ""
    return f"Baseline {comparison.metric} {spread_text(spread)} over {seeds}{constant}. {variants}"


def _comparison_rows(comparison: Comparison) -> str:
    metric = comparison.metric
    differences = [row.differences[metric] for row in comparison.rows if metric in row.differences]
    ends = [abs(v) for d in differences if not d.is_rounding for v in (*d.by_seed.values(), *d.interval)]
    reach = max(ends, default=0.0)
    left, right = ("worse", "better") if not is_worse(metric, 1.0) else ("better", "worse")
    head = (
        f'<div class="row head"><div>variant</div><div>{escape(metric)}</div>'
        f'<div class="axis"><span>← {left}</span><span>{right} →</span></div><div>difference</div></div>'
    )
    return f'<div class="rows">{head}{"".join(_row(row, metric, reach) for row in comparison.rows)}</div>'


def _row(row: Row, metric: str, reach: float) -> str:
    difference = row.differences.get(metric)
    kind = kind_of(row, metric)
    strip = EMPTY_STRIP
    if difference:
        # What only rounding makes is drawn where it belongs: at zero.
        strip = difference_strip(difference, 0.0 if difference.is_rounding else reach, kind)
    mean, interval = difference_texts(difference)
    # Why there is no interval stands in the verdict.
    told = f"<small>{interval}</small>" if difference and difference.interval else ""
    numbers = f"<b>{mean}</b> {told}" if difference else ""
    flags = _words(shown_flags(row.variant))
    is_base = " baseline" if row.variant.name == BASELINE else ""
    return f"""<div class="row{is_base}">
<div><strong>{breakable(row.variant.name)}</strong><code>{flags}</code></div>
<div class="value">{spread_text(row.spreads.get(metric))}<small>seeds: {seeds_text(row)}</small></div>
<div>{strip}</div>
<div class="verdict {kind}">{numbers}<span>{escape(row.verdict)}</span></div></div>"""


def kind_of(row: Row, metric: str) -> str:
    """Class of the page's style: "better" or "worse" only where the interval says so."""
    difference = row.differences.get(metric)
    if difference is None or not difference.excludes_zero:
        return "open"
    return "worse" if is_worse(metric, difference.mean) else "better"


def _failed(comparison: Comparison) -> str:
    failed = [
        f"<li><b>{breakable(row.variant.name)}</b>, seed {outcome.run.seed}: {escape(outcome.error)}</li>"
        for row in comparison.rows
        for outcome in row.outcomes
        if outcome.state is State.FAILED
    ]
    return f"<ul>{''.join(failed)}</ul>" if failed else ""
