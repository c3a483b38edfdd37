"""Each variant against the baseline, seed by seed."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from selfsup_depth.ablation.outcomes import HIGHER_IS_BETTER, MEASURED_ERROR, REBUILDING_ERROR, Outcome, State
from selfsup_depth.ablation.plan import Plan
from selfsup_depth.ablation.variants import BASELINE, Variant
from selfsup_depth.evaluation.bootstrap import interval_of_mean

# Every seed this near to the baseline, as a share of its mean: what rounding does, and no change of a run.
ROUNDING = 1e-5


class Spread(NamedTuple):
    """Mean and standard deviation over seeds.

    std: of the sample (n - 1); NaN of a single seed.
    num: how many seeds.
    """

    mean: float
    std: float
    num: int


class Difference(NamedTuple):
    """A variant minus the baseline, each seed with the same seed.

    by_seed: the differences.
    mean: over these seeds.
    interval: of the mean by bootstrap; empty of so few seeds that none is worth its name, and of rounding.
    is_rounding: every seed's difference is no more than rounding makes.
    """

    by_seed: dict[int, float]
    mean: float
    interval: tuple[float, ...]
    is_rounding: bool = False

    @property
    def excludes_zero(self) -> bool:
        """Whether there is an interval, and zero outside it."""
        return bool(self.interval) and (self.interval[0] > 0 or self.interval[1] < 0)


class Row(NamedTuple):
    """A variant in the report.

    spreads: of every metric over the finished runs.
    differences: to the baseline by metric; empty of the baseline, of a variant without a seed
        in common with it, and where the two were not measured alike.
    verdict: in a few words.
    outcomes: its runs.
    """

    variant: Variant
    spreads: dict[str, Spread]
    differences: dict[str, Difference]
    verdict: str
    outcomes: list[Outcome]


class Comparison(NamedTuple):
    """An ablation's numbers.

    metric: the one that is judged by.
    metrics: all of them, in order.
    rows: the baseline first.
    protocol: of the baseline's numbers, in a line.
    constant: the metric of a constant depth, for scale; empty where there is none.
    """

    metric: str
    metrics: list[str]
    rows: list[Row]
    protocol: str
    constant: tuple[float, ...]


def compare(plan: Plan, outcomes: Sequence[Outcome]) -> Comparison:
    """All variants of a plan, compared with its baseline."""
    finished = {
        variant.name: {
            outcome.run.seed: outcome
            for outcome in outcomes
            if outcome.run.variant == variant.name and outcome.state is State.FINISHED
        }
        for variant in plan.variants
    }
    metrics = list(dict.fromkeys(name for outcome in outcomes for name in outcome.result.metrics))
    metric = MEASURED_ERROR if MEASURED_ERROR in metrics or not metrics else REBUILDING_ERROR
    base = finished[BASELINE]
    rows = [
        _row(variant, finished[variant.name], base, metrics, metric, outcomes) for variant in plan.variants
    ]
    first = next(iter(base.values()), None) or next((o for o in outcomes if o.state is State.FINISHED), None)
    protocol = first.result.protocol if first else ""
    constant = (first.result.constant[metric],) if first and metric in first.result.constant else ()
    return Comparison(metric, metrics, rows, protocol, constant)


def _row(
    variant: Variant,
    mine: Mapping[int, Outcome],
    base: Mapping[int, Outcome],
    metrics: Sequence[str],
    metric: str,
    outcomes: Sequence[Outcome],
) -> Row:
    runs = [outcome for outcome in outcomes if outcome.run.variant == variant.name]
    values = {name: _values(mine, name) for name in metrics}
    spreads = {name: spread_of(list(found.values())) for name, found in values.items() if found}
    alike = {_measure(outcome) for outcome in [*mine.values(), *base.values()]}
    differences: dict[str, Difference] = {}
    if variant.name != BASELINE and len(alike) == 1:
        for name, found in values.items():
            reference = _values(base, name)
            common = {seed: found[seed] - reference[seed] for seed in found if seed in reference}
            if common:
                differences[name] = difference_of(common, statistics.fmean(reference.values()))
    return Row(variant, spreads, differences, _verdict(variant, differences, metric, alike, runs), runs)


def _values(finished: Mapping[int, Outcome], name: str) -> dict[int, float]:
    return {s: o.result.metrics[name] for s, o in finished.items() if name in o.result.metrics}


def _measure(outcome: Outcome) -> tuple[str, int]:
    return outcome.result.protocol_hash, outcome.result.num_images


def spread_of(values: Sequence[float]) -> Spread:
    """Mean and sample standard deviation."""
    std = statistics.stdev(values) if len(values) > 1 else float("nan")
    return Spread(statistics.fmean(values), std, len(values))


def difference_of(by_seed: Mapping[int, float], baseline: float) -> Difference:
    """Mean of the differences and its bootstrap interval; the same numbers give the same interval.

    Args:
        by_seed: the differences.
        baseline: its mean, the measure of what is rounding.
    """
    ordered = dict(sorted(by_seed.items()))
    values = list(ordered.values())
    is_rounding = all(abs(value) <= ROUNDING * abs(baseline) for value in values)
    interval = () if is_rounding else interval_of_mean(values)
    return Difference(ordered, statistics.fmean(values), interval, is_rounding)


def is_worse(metric: str, difference: float) -> bool:
    """Whether a variant with this difference to the baseline is the worse one."""
    return (difference > 0) != (metric in HIGHER_IS_BETTER)


def _verdict(
    variant: Variant,
    differences: Mapping[str, Difference],
    metric: str,
    alike: set[tuple[str, int]],
    runs: Sequence[Outcome],
) -> str:
    if variant.name == BASELINE:
        return "what the others are compared with"
    if metric in differences:
        difference = differences[metric]
        if difference.is_rounding:
            return "no difference"
        if len(difference.by_seed) == 1:
            return "one seed cannot tell"
        word = "worse" if is_worse(metric, difference.mean) else "better"
        if not difference.interval:
            return f"{word} so far: no interval from {len(difference.by_seed)} seeds"
        return word if difference.excludes_zero else "not told apart"
    if len(alike) > 1:
        return "measured otherwise: not comparable"
    return "failed" if any(outcome.state is State.FAILED for outcome in runs) else "no finished pair yet"
