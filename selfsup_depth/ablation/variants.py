"""What is varied: terms and options left out or added, grids, and named sets of flags.

A variant is a set of flags laid over the baseline, nothing else: whatever `train` takes can
be varied, and a variant can be repeated by hand with `train`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from selfsup_depth.ablation.targets import Targets
from selfsup_depth.errors import ConfigError

BASELINE = "baseline"

Flags = list[tuple[str, str]]


class Variant(NamedTuple):
    """One way to train.

    name: short, unique.
    flags: (SECTION.OPTION, VALUE), laid over those of the baseline.
    files: configuration files, laid over those of the baseline.
    from_grid: whether it may be the baseline itself, as one point of a grid.
    """

    name: str
    flags: Flags
    files: tuple[str, ...] = ()
    from_grid: bool = False


def dropped(names: Iterable[str], targets: Targets) -> list[Variant]:
    """A variant without each of these; "all" is every loss term, "a+b" leaves both out at once.

    Raises:
        ConfigError: there is no such term or option, or it is off already.
    """
    variants = []
    for name in itertools.chain(*[targets.active_terms() if n == "all" else [n] for n in names]):
        parts = name.split("+")
        flags = [flag for part in parts for flag in targets.drop(part)]
        if len({key for key, _ in flags}) < len(flags):
            raise ConfigError(f"{name} leaves the same thing out twice, in --drop; name it once")
        variants.append(Variant(" ".join(f"no {part}" for part in parts), flags))
    return variants


def added(names: Iterable[str], targets: Targets) -> list[Variant]:
    """A variant with each of these, a loss term with its defaults or a boolean option.

    Raises:
        ConfigError: there is no such term or option, or it is on already.
    """
    variants = []
    for name in names:
        parts = name.split("+")
        flags = [flag for part in parts for flag in targets.add(part)]
        variants.append(Variant(" ".join(f"with {part}" for part in parts), flags))
    return variants


def grid(assignments: Sequence[str]) -> list[Variant]:
    """The product of KEY=V1,V2 over all keys.

    Raises:
        ConfigError: a key has no values, or is given twice.
    """
    axes: dict[str, list[str]] = {}
    for assignment in assignments:
        key, equals, text = assignment.removeprefix("--").partition("=")
        values = split_values(text)
        if not equals or "." not in key or not all(values):
            raise ConfigError(f"{assignment} is no axis, in --grid; write --grid SECTION.OPTION=V1,V2")
        if key in axes or len(set(values)) < len(values):
            twice = key if key in axes else next(v for v in values if values.count(v) > 1)
            raise ConfigError(f"{twice} is given twice, in --grid {assignment}; give it once")
        axes[key] = values
    if not axes:
        return []
    points = itertools.product(*([(key, value) for value in values] for key, values in axes.items()))
    return [Variant(", ".join(map(_assigned, point)), list(point), from_grid=True) for point in points]


def split_values(text: str) -> list[str]:
    """Split at commas that stand in no bracket: "[0,1],[2]" has two values."""
    values, depth = [""], 0
    for character in text:
        depth += (character in "[{") - (character in "]}")
        if character == "," and not depth:
            values.append("")
        else:
            values[-1] += character
    return [value.strip() for value in values]


def _assigned(flag: tuple[str, str]) -> str:
    """model.losses.smoothness.weight=0 -> smoothness.weight=0."""
    key, value = flag
    return f"{'.'.join(key.split('.')[-2:])}={value}"


def shown_flags(variant: Variant) -> str:
    """The variant as it is typed behind `train`."""
    files = [f"--config {file}" for file in variant.files]
    return " ".join([*files, *(f"--{key}={value}" for key, value in variant.flags)])


def refuse_same_names(variants: Sequence[Variant]) -> None:
    """Refuse two variants of one name.

    Raises:
        ConfigError: there are.
    """
    names = [variant.name for variant in variants]
    for name in names:
        if names.count(name) > 1:
            if name == BASELINE:
                raise ConfigError(f"{BASELINE!r} is what variants are compared with; name that one otherwise")
            raise ConfigError(f"variant {name!r} is asked for twice; leave one of them out")


def refuse_equal(variants: Sequence[Variant], configs: Sequence[dict[str, Any]]) -> None:
    """Refuse variants that are the same run under two names.

    Args:
        variants: without the baseline.
        configs: of each, resolved.

    Raises:
        ConfigError: two are equal.
    """
    for (first, one), (second, other) in itertools.combinations(zip(variants, configs, strict=True), 2):
        if one == other:
            raise ConfigError(f"{first.name!r} and {second.name!r} are the same run; leave one of them out")
