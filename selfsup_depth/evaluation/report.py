"""An evaluation as the lines that a terminal shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from selfsup_depth.evaluation.image_metric import ImageMetric
from selfsup_depth.evaluation.table import table_of_errors

SURE_BY = {"flip_difference": "difference to the mirrored image", "uncertainty": "said by the network"}


def report_of(result: Mapping[str, Any], further: Iterable[ImageMetric]) -> str:
    """The protocol, a table of errors against the constant depth, and how many images.

    Args:
        result: content of a result file.
        further: metrics that have a line of their own where an image has them.
    """
    metrics = result["metrics"]
    lines = [
        result["protocol"]["description"],
        table_of_errors({"prediction": metrics, "constant depth": result["baseline"]}),
        "constant depth: each image's own measured median, which no network is told",
        *lines_on_details(metrics),
        *(line for metric in further for line in line_on(metric, metrics)),
        *lines_on_uncertainty(result.get("sparsification", {})),
        f"{result['num_images']} image{'s' if result['num_images'] > 1 else ''}",
    ]
    if result["num_skipped"]:
        named = ", ".join(result["skipped"][:3]) + (", ..." if len(result["skipped"]) > 3 else "")
        lines[-1] += f", {result['num_skipped']} skipped for want of a measured pixel: {named}"
    if "scale_median" in metrics:
        scale, spread = metrics["scale_median"], metrics["scale_std"]
        lines[-1] += f"; scale factor {scale:.4g} (median), relative spread {spread:.3f}"
    return "\n".join(lines)


def lines_on_details(metrics: Mapping[str, float]) -> list[str]:
    """A line on distance, one on disparity where there is a rig."""
    bands = [
        f"{name.removeprefix('abs_rel_').replace('_', '-')} m {value:.3f}"
        for name, value in metrics.items()
        if name.startswith("abs_rel_")
    ]
    lines = [f"abs_rel by distance: {', '.join(bands)}"] if bands else []
    if "d1_percent" in metrics:
        lines.append(
            f"disparity: D1 {metrics['d1_percent']:.2f} %, bad-3 {metrics['bad3_percent']:.2f} %, "
            f"mean error {metrics['disparity_error_px']:.2f} px"
        )
    return lines


def line_on(metric: ImageMetric, metrics: Mapping[str, float]) -> list[str]:
    """A line of what one kind of metric found; none where no image has it."""
    told = [f"{name} {metrics[name]:.4g}" for name in metric.names if name in metrics]
    return [f"{metric.title}: {', '.join(told)}"] if told else []


def lines_on_uncertainty(sparsification: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A line on each kind of uncertainty there is."""
    lines = []
    for kind, areas in sparsification.items():
        told = [f"{name} AUSE {area['ause']:.4f} AURG {area['aurg']:.4f}" for name, area in areas.items()]
        lines.append(f"uncertainty ({SURE_BY[kind]}): {', '.join(told)}")
    return lines
