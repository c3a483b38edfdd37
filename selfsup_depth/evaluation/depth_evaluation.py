"""What is known after an evaluation, ready to be printed or written to a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from selfsup_depth.errors import DataError
from selfsup_depth.evaluation.depth_details import DepthDetails
from selfsup_depth.evaluation.depth_metrics import ConstantBaseline, DepthMetrics
from selfsup_depth.evaluation.error_by_distance import ErrorByDistance
from selfsup_depth.evaluation.exhibits import Exhibit, Exhibits, ImageContext
from selfsup_depth.evaluation.protocols import Protocol
from selfsup_depth.evaluation.sampling import sample_at
from selfsup_depth.evaluation.table import table_of_errors
from selfsup_depth.evaluation.uncertainty import METRICS, Sparsification

COUNTS = ("num_images", "num_skipped")


class DepthEvaluation:
    """Errors of predictions, and of a constant depth on the same pixels, under one protocol.

    Args:
        protocol: goes with every number that comes out.
        across_processes: see DepthMetrics.
        num_exhibits: how many of the best images, and of the worst, are kept to be drawn.
    """

    def __init__(self, protocol: Protocol, across_processes: bool = True, num_exhibits: int = 0) -> None:
        self.protocol = protocol
        self.predictions = DepthMetrics(protocol, across_processes)
        self.baseline = ConstantBaseline(protocol, across_processes)
        self.details = DepthDetails(protocol, across_processes)
        self.by_distance = ErrorByDistance(protocol, across_processes)
        self.sparsification = Sparsification(across_processes)
        self.exhibits = Exhibits(num_exhibits)
        self.images: list[dict[str, Any]] = []

    def update(
        self,
        inverse_depth: Tensor,
        measured: Tensor,
        names: Sequence[str] = (),
        pixels_per_inverse_depth: Sequence[float] = (),
        contexts: Sequence[ImageContext] = (),
    ) -> None:
        """Add a batch; see DepthMetrics.update and DepthDetails.update.

        Args:
            inverse_depth: (B, 1, h, w) predicted, 1/m.
            measured: (B, 1, H0, W0) metres, 0 = none.
            names: of the images; without them there are no errors by image.
            pixels_per_inverse_depth: of the rigs; empty where there is none.
            contexts: what else is known of each named image; empty where nothing is.
        """
        inverse_depth, measured = inverse_depth.cpu(), measured.cpu()
        self.predictions.update(inverse_depth, measured, names)
        self.baseline.update(inverse_depth, measured)
        self.details.update(self.predictions.images, inverse_depth, pixels_per_inverse_depth)
        known = [*contexts, *(ImageContext() for _ in names[len(contexts) :])]
        size = (measured.shape[-2], measured.shape[-1])
        for index, image in enumerate(self.predictions.images):
            if image is None:
                continue
            self.by_distance.update(image)
            if index < len(names):
                exhibit = Exhibit(names[index], image, inverse_depth[index, 0], size, known[index])
                self._add_image(exhibit)

    def _add_image(self, exhibit: Exhibit) -> None:
        image = exhibit.errors
        errors = {key: float(value) for key, value in image.errors._asdict().items()}
        self.images.append({"name": exhibit.name, "pixels": len(image.rows)} | errors)
        self.exhibits.add(exhibit)
        for uncertainty in exhibit.context.uncertainty:
            at_pixels = sample_at(uncertainty.double().cpu(), image.rows, image.columns, exhibit.size)
            self.sparsification.update(image.predicted, image.measured, at_pixels)

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
            "by_distance": self.by_distance.compute()._asdict(),
            "images": self.images,
        } | self._sparsification()

    def _sparsification(self) -> dict[str, Any]:
        """Areas and mean curves, where predictions come with an uncertainty."""
        if not self.sparsification.num_images:
            return {}
        curves = self.sparsification.compute()
        each = zip(METRICS, curves.ause, curves.aurg, curves.by_uncertainty, curves.by_error, strict=True)
        return {
            "sparsification": {
                metric: {
                    "ause": float(ause),
                    "aurg": float(aurg),
                    "by_uncertainty": by_uncertainty.tolist(),
                    "by_error": by_error.tolist(),
                }
                for metric, ause, aurg, by_uncertainty, by_error in each
            }
        }

    def report(self) -> str:
        """The protocol, a table of errors against the constant depth, and how many images."""
        result = self.as_dict()
        lines = [
            self.protocol.description(),
            table_of_errors({"prediction": result["metrics"], "constant depth": result["baseline"]}),
            "constant depth: each image's own measured median, which no network is told",
            *details_table(result["metrics"]),
            *sparsification_lines(result.get("sparsification", {})),
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


def sparsification_lines(areas: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A line on uncertainty, where there is any."""
    told = [f"{name} AUSE {area['ause']:.4f} AURG {area['aurg']:.4f}" for name, area in areas.items()]
    return [f"uncertainty (difference to the mirrored image): {', '.join(told)}"] if told else []


def without_counts(metrics: dict[str, float]) -> dict[str, float]:
    """The errors alone."""
    return {name: value for name, value in metrics.items() if name not in COUNTS}
