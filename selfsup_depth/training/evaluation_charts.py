"""The charts of an evaluation's page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from selfsup_depth.evaluation.report import SURE_BY
from selfsup_depth.training.charts import Axes, Bar, Line, chart

# Where errors of single images are far out, the last bar holds all beyond this quantile's reach.
NUM_BINS = 20


def distance_chart(result: Mapping[str, Any]) -> str:
    """abs_rel over measured depth, above the share of pixels that lies there."""
    profile = result["by_distance"]
    edges, errors, pixels = profile["edges"], profile["abs_rel"], profile["pixels"]
    known = [(index, error) for index, error in enumerate(errors) if error is not None]
    top = 1.15 * max(error for _, error in known)
    share = [count / max(pixels) for count in pixels]
    bars = [
        Bar(edges[i], edges[i + 1], 0.6 * top * share[i], said_of_step(edges, i, pixels, errors[i]), "share")
        for i in range(len(pixels))
    ]
    mean = result["metrics"]["abs_rel"]
    lines = [
        Line([(0, mean), (edges[-1], mean)], "flat"),
        Line([((edges[i] + edges[i + 1]) / 2, error) for i, error in known], "mine", dots=True),
    ]
    keys = {"mine": "abs_rel at this distance", "flat": "of all pixels", "share": "how many were measured"}
    return figure(
        "Error by distance", chart(Axes(edges[-1], top, "measured depth, m", "abs_rel"), bars, lines), keys
    )


def said_of_step(edges: list[float], index: int, pixels: list[int], error: float | None) -> str:
    """What is shown when a bar is pointed at."""
    told = "nothing measured" if error is None else f"abs_rel {error:.4f}"
    return f"{edges[index]:g} to {edges[index + 1]:g} m: {told}, {pixels[index]} pixels"


def distribution_chart(result: Mapping[str, Any]) -> str:
    """How many images have which error."""
    errors = np.array([image["abs_rel"] for image in result["images"]])
    if not len(errors):
        return ""
    top = errors.max() * 1.001
    counts, edges = np.histogram(errors, bins=NUM_BINS, range=(0, top))
    bars = [
        Bar(low, high, count, f"abs_rel {low:.3f} to {high:.3f}: {count} image{'s' * (count != 1)}")
        for low, high, count in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
        if count
    ]
    median, tallest = float(np.median(errors)), 1.1 * float(counts.max())
    lines = [Line([(median, 0), (median, tallest)], "other")]
    axes = Axes(float(top), tallest, "abs_rel of an image", "images")
    keys = {"mine": "images", "other": f"median {median:.3f}"}
    return figure("Distribution over images", chart(axes, bars, lines), keys)


def sparsification_charts(result: Mapping[str, Any]) -> list[str]:
    """abs_rel as the least sure pixels go, by each kind of uncertainty there is."""
    kinds = result.get("sparsification", {})
    return [sparsification_chart(SURE_BY[kind], areas["abs_rel"]) for kind, areas in kinds.items()]


def sparsification_chart(sure_by: str, area: Mapping[str, Any]) -> str:
    """The curve of one kind of uncertainty beside that of the errors themselves."""
    shares = np.linspace(0, 1, len(area["by_error"])).tolist()
    curves = {"by_uncertainty": "mine", "by_error": "other"}
    lines = [
        Line([(0, area["by_error"][0]), (1, area["by_error"][0])], "flat"),
        *(Line(list(zip(shares, area[name], strict=True)), kind) for name, kind in curves.items()),
    ]
    top = 1.1 * max(value for name in curves for value in area[name])
    keys = {
        "mine": f"least sure pixels removed ({sure_by})",
        "other": "largest errors removed",
        "flat": "removed at random",
    }
    title = f"Uncertainty: AUSE {area['ause']:.4f}, AURG {area['aurg']:.4f}"
    return figure(title, chart(Axes(1, top, "share of pixels removed", "abs_rel"), [], lines), keys)


def figure(title: str, picture: str, keys: Mapping[str, str]) -> str:
    """A chart under its title, with what its colours mean."""
    told = "".join(f'<span class="{kind}">{words}</span>' for kind, words in keys.items())
    return f'<figure><h3>{title}</h3>{picture}<p class="key">{told}</p></figure>'
