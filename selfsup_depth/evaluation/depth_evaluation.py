"""What is known after an evaluation, ready to be printed or written to a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from selfsup_depth.errors import DataError
from selfsup_depth.evaluation.depth_details import DepthDetails
from selfsup_depth.evaluation.depth_edges import DepthEdges
from selfsup_depth.evaluation.depth_metrics import ConstantBaseline, DepthMetrics
from selfsup_depth.evaluation.error_by_distance import ErrorByDistance
from selfsup_depth.evaluation.exhibits import Exhibit, Exhibits, ImageContext
from selfsup_depth.evaluation.image_metric import ImageMetric
from selfsup_depth.evaluation.moving_pixels import MovingPixels
from selfsup_depth.evaluation.point_clouds import PointClouds
from selfsup_depth.evaluation.protocols import Protocol
from selfsup_depth.evaluation.report import report_of
from selfsup_depth.evaluation.sampling import sample_at
from selfsup_depth.evaluation.surface_normals import SurfaceNormals
from selfsup_depth.evaluation.temporal_consistency import TemporalConsistency
from selfsup_depth.evaluation.uncertainty import Sparsification

COUNTS = ("num_images", "num_skipped")

# Fields of ImageContext that say how sure a prediction is.
UNCERTAINTIES = ("flip_difference", "uncertainty")


class DepthEvaluation:
    """Errors of predictions, and of a constant depth on the same pixels, under one protocol.

    Args:
        protocol: goes with every number that comes out.
        across_processes: see DepthMetrics.
        num_exhibits: how many of the best images, and of the worst, are kept to be drawn.
        geometry: whether points, edges and normals are compared, too; about a second an image.
    """

    def __init__(
        self,
        protocol: Protocol,
        across_processes: bool = True,
        num_exhibits: int = 0,
        geometry: bool = False,
    ) -> None:
        self.protocol = protocol
        self.predictions = DepthMetrics(protocol, across_processes)
        self.baseline = ConstantBaseline(protocol, across_processes)
        self.details = DepthDetails(protocol, across_processes)
        self.by_distance = ErrorByDistance(protocol, across_processes)
        self.sparsification = {kind: Sparsification(across_processes) for kind in UNCERTAINTIES}
        self.further: list[ImageMetric] = [
            MovingPixels(across_processes),
            TemporalConsistency(across_processes),
        ]
        if geometry:
            self.further += [kind(across_processes) for kind in (PointClouds, DepthEdges, SurfaceNormals)]
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
        for metric in self.further:
            metric.update(exhibit)
        for kind, curve in self.sparsification.items():
            said = getattr(exhibit.context, kind)
            at_pixels = [
                sample_at(values.double().cpu(), image.rows, image.columns, exhibit.size) for values in said
            ]
            curve.update(image.predicted, image.measured, at_pixels)

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
        further = self.details.compute()
        for metric in self.further:
            further |= metric.compute()
        # Every process asks for all, also for what it has no image of.
        curves = {kind: curve.compute() for kind, curve in self.sparsification.items()}
        known = {kind: curve.as_dict() for kind, curve in curves.items() if curve.by_error.isfinite().all()}
        return {
            "metrics": without_counts(metrics) | further,
            "protocol": self.protocol.as_dict() | {"description": self.protocol.description()},
            "num_images": metrics["num_images"],
            "num_skipped": metrics["num_skipped"],
            "skipped": self.predictions.skipped_names,
            "baseline": without_counts(baseline),
            "by_distance": self.by_distance.compute()._asdict(),
            "images": self.images,
        } | ({"sparsification": known} if known else {})

    def report(self) -> str:
        """The protocol, a table of errors against the constant depth, and how many images."""
        return report_of(self.as_dict(), self.further)


def without_counts(metrics: dict[str, float]) -> dict[str, float]:
    """The errors alone."""
    return {name: value for name, value in metrics.items() if name not in COUNTS}
