"""What stands beside the seven errors: by distance, in pixels of disparity, and holes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

from selfsup_depth.evaluation.depth_errors import ImageErrors
from selfsup_depth.evaluation.protocols import Protocol

# Edges of the bands of measured depth, metres; the last band ends at the protocol's largest depth.
BAND_EDGES = (0.0, 10.0, 20.0, 40.0)

# A pixel in the lower half of the image that is said to lie beyond this share of the largest depth
# is a hole in the road: roads are near.
HOLE_SHARE = 0.9

# KITTI 2015: wrong is off by 3 px and more, and (for D1) by 5 % and more of the disparity.
WRONG_PIXELS, WRONG_SHARE = 3.0, 0.05


class DepthDetails(Metric):
    """Further numbers about the same pixels, each a mean over the images that have it.

    Args:
        protocol: that the errors were made under.
        across_processes: sum over all processes of a distributed run; each must then ask.
    """

    full_state_update = False
    sums: Tensor
    counts: Tensor

    def __init__(self, protocol: Protocol, across_processes: bool = True) -> None:
        super().__init__(sync_on_compute=across_processes)
        self.protocol = protocol
        self.names = [*(f"abs_rel_{band}" for band in band_names(protocol)), "hole_percent", "d1_percent"]
        self.names += ["bad3_percent", "disparity_error_px"]
        self.add_state("sums", torch.zeros(len(self.names), dtype=torch.float64), "sum")
        self.add_state("counts", torch.zeros(len(self.names), dtype=torch.long), "sum")

    def update(
        self,
        images: Sequence[ImageErrors | None],
        inverse_depth: Tensor,
        pixels_per_inverse_depth: Sequence[float] = (),
    ) -> None:
        """Add a batch.

        Args:
            images: what DepthMetrics found; None where no pixel counts.
            inverse_depth: (B, 1, h, w) predicted, 1/m.
            pixels_per_inverse_depth: of each image focal length times baseline, pixels * metres at
                the size of the measured map; empty where there is no rig.
        """
        for index, image in enumerate(images):
            if image is None:
                continue
            rig = pixels_per_inverse_depth[index] if len(pixels_per_inverse_depth) else math.nan
            values = [
                *errors_by_distance(image, self.protocol),
                hole_percent(inverse_depth[index, 0], image, self.protocol),
                *disparity_errors(image, rig),
            ]
            found = torch.stack([value.double().cpu() for value in values])
            self.sums += found.nan_to_num(0.0)
            self.counts += found.isfinite()

    def compute(self) -> dict[str, float]:
        """Every number that at least one image has."""
        return {
            name: float(total / count)
            for name, total, count in zip(self.names, self.sums, self.counts, strict=True)
            if count
        }


def band_names(protocol: Protocol) -> list[str]:
    """Of every band of distance, "NEAR_FAR" in metres."""
    edges = [*(edge for edge in BAND_EDGES if edge < protocol.max_depth), protocol.max_depth]
    return [f"{near:g}_{far:g}" for near, far in itertools.pairwise(edges)]


def errors_by_distance(image: ImageErrors, protocol: Protocol) -> list[Tensor]:
    """abs_rel of each band of measured depth; NaN where the image has no pixel in it."""
    relative = (image.predicted - image.measured).abs() / image.measured
    edges = torch.tensor([edge for edge in BAND_EDGES if edge < protocol.max_depth], device=relative.device)
    # What lies beyond the largest depth belongs to no band, though a protocol may count it.
    band = torch.bucketize(image.measured.to(edges), edges, right=True) - 1
    inside = image.measured < protocol.max_depth
    return [relative[inside & (band == index)].mean() for index in range(len(edges))]


def hole_percent(inverse_depth: Tensor, image: ImageErrors, protocol: Protocol) -> Tensor:
    """Share of the lower half of a prediction (h, w) that is said to be as good as endless, per cent."""
    lower = inverse_depth[inverse_depth.shape[0] // 2 :].double()
    depth = image.scale.to(lower.device) / lower
    return 100 * (depth > HOLE_SHARE * protocol.max_depth).double().mean()


def disparity_errors(image: ImageErrors, pixels_per_inverse_depth: float) -> list[Tensor]:
    """D1 and bad-3 in per cent, and the mean error in pixels; NaN where there is no rig.

    Menze and Geiger, "Object scene flow for autonomous vehicles", 2015. The prediction is not
    clamped: a disparity has no largest depth.
    """
    measured = pixels_per_inverse_depth / image.measured
    error = (pixels_per_inverse_depth / image.unclamped - measured).abs()
    wrong = error >= WRONG_PIXELS
    d1 = wrong & (error >= WRONG_SHARE * measured)
    known = math.isfinite(pixels_per_inverse_depth)
    nan = error.new_tensor(math.nan)
    return [100 * d1.double().mean(), 100 * wrong.double().mean(), error.mean()] if known else [nan] * 3
