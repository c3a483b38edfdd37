"""Two results of one protocol side by side, image by image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from selfsup_depth.errors import ConfigError, DataError
from selfsup_depth.evaluation.bootstrap import interval_of_mean
from selfsup_depth.evaluation.depth_errors import DepthErrors

# What says which protocol it is and not what it does.
_NAMES_ONLY = ("name", "hash", "description")

HIGHER_IS_BETTER = ("a1", "a2", "a3")


class Difference(NamedTuple):
    """A metric of two results over the images that both have.

    first, second: means.
    mean: of second minus first, image by image.
    interval: of that mean by bootstrap; empty of too few images.
    better: share of the images on which the second is the better one.
    """

    first: float
    second: float
    mean: float
    interval: tuple[float, ...]
    better: float

    @property
    def verdict(self) -> str:
        """Whether zero lies outside the interval."""
        if not self.interval:
            return "too few images for an interval"
        return "differs" if self.interval[0] > 0 or self.interval[1] < 0 else "not told apart"


def compare_results(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Difference]:
    """Every error of the images that both results have.

    Args:
        first: content of a result file of `evaluate depth`.
        second: another.

    Raises:
        ConfigError: they were made under different protocols.
        DataError: no image is in both.
    """
    refuse_other_protocol(first["protocol"], second["protocol"])
    mine, theirs = ({image["name"]: image for image in result["images"]} for result in (first, second))
    common = [name for name in mine if name in theirs]
    if not common:
        raise DataError("the two results have no image in common; evaluate both on the same frames")
    differences = {}
    for metric in DepthErrors._fields:
        a = np.array([mine[name][metric] for name in common])
        b = np.array([theirs[name][metric] for name in common])
        better = (b > a) if metric in HIGHER_IS_BETTER else (b < a)
        interval = interval_of_mean((b - a).tolist())
        differences[metric] = Difference(a.mean(), b.mean(), (b - a).mean(), interval, better.mean())
    return differences


def refuse_other_protocol(first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    """Numbers of different protocols are never put side by side.

    Raises:
        ConfigError: the protocols differ; it says in what.
    """
    if first["hash"] == second["hash"]:
        return
    keys = [key for key in {**first, **second} if key not in _NAMES_ONLY]
    differing = [
        f"{key} {first.get(key, 'not said')} against {second.get(key, 'not said')}"
        for key in keys
        if first.get(key) != second.get(key)
    ]
    what = "; ".join(differing) or "their hashes"
    raise ConfigError(
        f"protocols {first['name']} and {second['name']} differ in {what}; evaluate both under one --protocol"
    )
