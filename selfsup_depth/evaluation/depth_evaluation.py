"""What is known after an evaluation, ready to be printed or written to a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from selfsup_depth.errors import DataError
from selfsup_depth.evaluation.depth_details import DepthDetails
from selfsup_depth.evaluation.depth_metrics import ConstantBaseline, DepthMetrics
from selfsup_depth.evaluation.protocols import Protocol
from selfsup_depth.evaluation.table import table_of_errors

COUNTS = ("num_images", "num_skipped")


class DepthEvaluation:
    """Errors of predictions, and of a constant depth on the same pixels, under one protocol.

    Args:
        protocol: goes with every number that comes out.
        across_processes: see DepthMetrics.
    """

    def __init__(self, protocol: Protocol, across_processes: bool = True) -> None:
        self.protocol = protocol
        self.predictions = DepthMetrics(protocol, across_processes)
        self.baseline = ConstantBaseline(protocol, across_processes)
        self.details = DepthDetails(protocol, across_processes)
        self.images: list[dict[str, Any]] = []

    def update(
        self,
        inverse_depth: Tensor,
        measured: Tensor,
        names: Sequence[str] = (),
        pixels_per_inverse_depth: Sequence[float] = (),
    ) -> None:
        """Add a batch; see DepthMetrics.update and DepthDetails.update."""
        inverse_depth, measured = inverse_depth.cpu(), measured.cpu()
        self.predictions.update(inverse_depth, measured, names)
        self.baseline.update(inverse_depth, measured)
        self.details.update(self.predictions.images, inverse_depth, pixels_per_inverse_depth)
        for name, image in zip(names, self.predictions.images, strict=False):
            if image is not None:
                errors = {key: float(value) for key, value in image.errors._asdict().items()}
                self.images.append({"name": name, "pixels": len(image.rows)} | errors)

    def as_dict(self) -> dict[str, Any]:
        """The content of a result file.

        Raises:
            DataError: no image had a measured pixel that counts.
        """
        metrics, baseline = self.predictions.compute(), self.baseline.compute()
        if not metrics["num_images"]:
            raise DataError(
                f"none of {metrics['num_skipped']} images has a measured pixel that counts under "
                f"{self.protocol.name}; check the data or choose another --protocol"
            )
        return {
            "metrics": without_counts(metrics) | self.details.compute(),
            "protocol": self.protocol.as_dict() | {"description": self.protocol.description()},
            "num_images": metrics["num_images"],
            "num_skipped": metrics["num_skipped"],
            "skipped": self.predictions.skipped_names,
            "baseline": without_counts(baseline),
            "images": self.images,
        }

    def report(self) -> str:
        """The protocol, a table of errors against the constant depth, and how many images."""
        result = self.as_dict()
        lines = [
            self.protocol.description(),
            table_of_errors({"prediction": result["metrics"], "constant depth": result["baseline"]}),
            "constant depth: each image's own measured median, which no network is told",
            *details_table(result["metrics"]),
            f"{result['num_images']} image{'s' if result['num_images'] > 1 else ''}",
        ]
        if result["num_skipped"]:
            named = ", ".join(result["skipped"][:3]) + (", ..." if len(result["skipped"]) > 3 else "")
            lines[-1] += f", {result['num_skipped']} skipped for want of a measured pixel: {named}"
        if "scale_median" in result["metrics"]:
            scale, spread = result["metrics"]["scale_median"], result["metrics"]["scale_std"]
            lines[-1] += f"; scale factor {scale:.4g} (median), relative spread {spread:.3f}"
        return "\n".join(lines)


def details_table(metrics: dict[str, float]) -> list[str]:
    """A line on distance, and one on disparity where there is a rig."""
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


def without_counts(metrics: dict[str, float]) -> dict[str, float]:
    """The errors alone."""
    return {name: value for name, value in metrics.items() if name not in COUNTS}
