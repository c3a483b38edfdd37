"""Which pixels count and how a prediction is compared: frozen and named.

Numbers made under different protocols cannot be compared, so none is printed without its
protocol. A new protocol is one entry in PROTOCOLS; what a new one needs beyond these fields
is a new field with a default that means what happens today, which leaves every hash as it is.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any, Literal

from selfsup_depth.errors import ConfigError
from selfsup_depth.suggestions import did_you_mean

# Fractions of height (top, bottom) and width (left, right); Garg et al., ECCV 2016.
GARG_CROP = (0.40810811, 0.99189189, 0.03594771, 0.96405229)


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How predicted depth is compared with measured depth.

    In this order: predicted inverse depth is resized bilinearly to the measured map and
    inverted; pixels outside the measured range or the crop are left out; the rest is scaled,
    clamped and compared; the errors of an image are means over its pixels, those of a data
    set are means over its images.

    Attributes:
        name: what the user types.
        min_depth: least depth a prediction is clamped to, metres.
        max_depth: largest depth a prediction is clamped to, metres.
        measured_range: "clamp" counts measured depths strictly between min_depth and
            max_depth, "positive" every measured depth.
        crop: top, bottom, left and right as fractions of height and width, truncated to
            whole pixels; None counts the whole image.
        scale: "median" multiplies each prediction by median(measured) / median(predicted)
            over the pixels that count; "metric" takes it as it is.
        velodyne_depth: what a laser point's depth is: "camera_z", or "velodyne_forward_x" of
            the laser itself, about 0.27 m more on KITTI, the custom of published Eigen numbers.
    """

    name: str
    min_depth: float
    max_depth: float
    measured_range: Literal["clamp", "positive"]
    crop: tuple[float, float, float, float] | None
    scale: Literal["median", "metric"]
    velodyne_depth: Literal["camera_z", "velodyne_forward_x"]

    def crop_box(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Top, bottom, left, right of the rows and columns that count, half open."""
        if self.crop is None:
            return 0, height, 0, width
        top, bottom, left, right = self.crop
        return int(top * height), int(bottom * height), int(left * width), int(right * width)

    def as_dict(self) -> dict[str, Any]:
        """Every number of the protocol, and its hash, for a result file."""
        return {**dataclasses.asdict(self), "hash": self.hash()}

    def hash(self) -> str:
        """Eight hexadecimal digits that differ where any number of two protocols does."""
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        told = {k: v for k, v in dataclasses.asdict(self).items() if v != defaults[k]}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:8]

    def description(self) -> str:
        """One line that says it all, printed with every result."""
        kept = f"{self.min_depth:g} to {self.max_depth:g} m"
        measured = f"measured {kept}" if self.measured_range == "clamp" else "every measured depth"
        crop = "whole image" if self.crop is None else "crop {:g} {:g} {:g} {:g}".format(*self.crop)
        scale = {"median": "scaled by each image's median", "metric": "no scale alignment"}[self.scale]
        velodyne = {"camera_z": "camera z", "velodyne_forward_x": "forward x"}[self.velodyne_depth]
        return (
            f"protocol {self.name} [{self.hash()}]: {measured}, {crop}, {scale}, "
            f"predictions clamped to {kept}, velodyne {velodyne}, mean over images"
        )


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        # The published Eigen numbers of self-supervised methods (Zhou et al. 2017 and after).
        Protocol("kitti_eigen", 1e-3, 80.0, "clamp", GARG_CROP, "median", "velodyne_forward_x"),
        # The same pixels, in metres as the network says them, depth as the camera defines it.
        Protocol("kitti_metric", 1e-3, 80.0, "clamp", GARG_CROP, "metric", "camera_z"),
        # Whatever was measured. The clamp is that of the KITTI protocols without upper limit
        # on the measured depth, so that the numbers compare with theirs.
        Protocol("metric", 1e-3, 80.0, "positive", None, "metric", "camera_z"),
    )
}


def protocol_named(name: str) -> Protocol:
    """The protocol of that name.

    Raises:
        ConfigError: there is none; the message tells the nearest name.
    """
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    raise ConfigError(f"unknown protocol {name}, in --protocol; {did_you_mean(name, PROTOCOLS)}")
