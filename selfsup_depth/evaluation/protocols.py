"""Which pixels count and how a prediction is compared: frozen and named.

Numbers made under different protocols cannot be compared, so none is printed without its
protocol. A new protocol is one entry in PROTOCOLS; what a new one needs beyond these fields
is a new field with a default that means what happens today, which leaves every hash as it is.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any, Literal, NamedTuple

from selfsup_depth.errors import ConfigError, DataError
from selfsup_depth.suggestions import did_you_mean

# Fractions of height (top, bottom) and width (left, right).
GARG_CROP = (0.40810811, 0.99189189, 0.03594771, 0.96405229)  # Garg et al., ECCV 2016
EIGEN_CROP = (0.3324324, 0.91351351, 0.0359477, 0.96405229)  # Eigen et al., NeurIPS 2014


class PixelBox(NamedTuple):
    """Rows and columns that count, half open, of maps of one size."""

    top: int
    bottom: int
    left: int
    right: int
    height: int
    width: int


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How predicted depth is compared with measured depth.

    In this order: the prediction is resized bilinearly to the measured map; pixels outside the
    measured range or the crop are left out; the rest is scaled, clamped and compared; the errors
    of an image are means over its pixels, those of a data set are means over its images.

    Attributes:
        name: what the user types.
        min_depth: least depth a prediction is clamped to, metres.
        max_depth: largest depth a prediction is clamped to, metres.
        measured_range: "clamp" counts measured depths strictly between min_depth and
            max_depth, "positive" every measured depth.
        crop: top, bottom, left and right as fractions of height and width, truncated to
            whole pixels; None counts the whole image.
        scale: "median" multiplies each prediction by median(measured) / median(predicted)
            over the pixels that count; "least_squares" by the factor of least squared error in
            metres; "shift_and_scale" and "shift_and_scale_inverse" fit an offset, too, to depth
            and to inverse depth; "metric" takes the prediction as it is.
        velodyne_depth: what a laser point's depth is: "camera_z", or "velodyne_forward_x" of
            the laser itself, about 0.27 m more on KITTI, the custom of published Eigen numbers.
        measured_by: which instrument's depth counts: "velodyne" the laser scan, "annotated" the
            depth maps of KITTI's benchmark, "disparity" those of a stereo benchmark, "any".
        resize: what is interpolated, "inverse_depth" or "depth".
        align_corners: whether resizing makes corner pixels meet, as one code base does.
        median: of an even number of values the "mean" of the middle two, or the "lower".
        crop_box_of: rows and columns that count where all maps have one size; goes before crop.
        clamp: "after" or "before" the prediction is scaled.
        flip: predict for the mirrored image, too, and join both (Godard et al. 2017).
    """

    name: str
    min_depth: float
    max_depth: float
    measured_range: Literal["clamp", "positive"]
    crop: tuple[float, float, float, float] | None
    scale: Literal["median", "least_squares", "shift_and_scale", "shift_and_scale_inverse", "metric"]
    velodyne_depth: Literal["camera_z", "velodyne_forward_x"]
    measured_by: Literal["any", "velodyne", "annotated", "disparity"] = "any"
    resize: Literal["inverse_depth", "depth"] = "inverse_depth"
    align_corners: bool = False
    median: Literal["mean", "lower"] = "mean"
    crop_box_of: PixelBox | None = None
    clamp: Literal["after", "before"] = "after"
    flip: bool = False

    def crop_box(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Top, bottom, left, right of the rows and columns that count, half open.

        Raises:
            DataError: the protocol is for maps of another size.
        """
        if self.crop_box_of is not None:
            box = self.crop_box_of
            if (height, width) != (box.height, box.width):
                raise DataError(
                    f"a measured map of {width}x{height}; {self.name} is for {box.width}x{box.height}, "
                    "choose another --protocol"
                )
            return box.top, box.bottom, box.left, box.right
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
        instrument = "" if self.measured_by == "any" else f" by {self.measured_by}"
        return (
            f"protocol {self.name} [{self.hash()}]: {measured}{instrument}, "
            f"{self.crop_words()}, {self.scaling_words()}, "
            f"predictions clamped to {kept}{' before scaling' if self.clamp == 'before' else ''}, "
            f"{self._resizing()}{'joined with the mirrored image, ' if self.flip else ''}"
            f"velodyne {VELODYNE[self.velodyne_depth]}, mean over images"
        )

    def crop_words(self) -> str:
        """Which pixels count."""
        if self.crop_box_of is not None:
            box = self.crop_box_of
            return f"rows {box.top}:{box.bottom}, columns {box.left}:{box.right} of {box.width}x{box.height}"
        return "whole image" if self.crop is None else "crop {:g} {:g} {:g} {:g}".format(*self.crop)

    def scaling_words(self) -> str:
        """How a prediction is aligned."""
        lower = " (lower of two)" if self.scale == "median" and self.median == "lower" else ""
        return SCALING[self.scale] + lower

    def _resizing(self) -> str:
        corners = ", corners aligned" if self.align_corners else ""
        return f"depth resized{corners}, " if self.resize == "depth" else ""


VELODYNE = {"camera_z": "camera z", "velodyne_forward_x": "forward x"}
SCALING = {
    "median": "scaled by each image's median",
    "least_squares": "scaled by each image's least squares",
    "shift_and_scale": "shifted and scaled in depth by each image's least squares",
    "shift_and_scale_inverse": "shifted and scaled in inverse depth by each image's least squares",
    "metric": "no scale alignment",
}

_EIGEN = Protocol("kitti_eigen", 1e-3, 80.0, "clamp", GARG_CROP, "median", "velodyne_forward_x")


def _like_eigen(name: str, **changes: Any) -> Protocol:
    return dataclasses.replace(_EIGEN, name=name, **changes)


def _whole_image(name: str, max_depth: float, **changes: Any) -> Protocol:
    """Every measured depth of the whole image, in the camera's z."""
    return Protocol(name, 1e-3, max_depth, "positive", None, "median", "camera_z", **changes)


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        # The published Eigen numbers of self-supervised methods (Zhou et al. 2017 and after).
        _EIGEN,
        # The crop of Eigen et al. 2014 instead of Garg's.
        _like_eigen("kitti_eigen_crop", crop=EIGEN_CROP),
        # The 652 frames of the test list that have annotated maps (Uhrig et al. 2017).
        _whole_image("kitti_eigen_improved", 80.0, measured_by="annotated"),
        # As the depth benchmark's server sees it: annotated maps, metres.
        dataclasses.replace(_whole_image("kitti_benchmark", 80.0, measured_by="annotated"), scale="metric"),
        # 200 pairs with measured disparity (Menze and Geiger 2015): D1 and bad-3, metres.
        dataclasses.replace(_whole_image("kitti_stereo_2015", 80.0, measured_by="disparity"), scale="metric"),
        # Godard et al. 2017: metres by the rig, clamped first.
        _like_eigen("monodepth_v1", scale="metric", clamp="before"),
        # Guizilini et al. 2020.
        _like_eigen("packnet_kitti", min_depth=0.0, resize="depth", align_corners=True, median="lower"),
        # Bian et al. 2019.
        _like_eigen("sc_depth", min_depth=0.1, resize="depth", median="lower"),
        # Dense depth for automated driving (Guizilini et al. 2020): 200 m, whole image.
        Protocol("ddad", 1e-3, 200.0, "clamp", None, "median", "camera_z"),
        # Saxena et al. 2009: 55x305 laser maps, the middle of the image at 2:1, 70 m.
        Protocol(
            "make3d",
            1e-3,
            70.0,
            "clamp",
            None,
            "median",
            "camera_z",
            crop_box_of=PixelBox(17, 38, 0, 305, 55, 305),
        ),
        # Watson et al. 2021: the upper three quarters without the borders.
        Protocol(
            "cityscapes",
            1e-3,
            80.0,
            "clamp",
            None,
            "median",
            "camera_z",
            measured_by="disparity",
            crop_box_of=PixelBox(256, 768, 192, 1856, 1024, 2048),
        ),
        # Silberman et al. 2012, with Eigen's crop of the Kinect's frame.
        Protocol(
            "nyu",
            1e-3,
            10.0,
            "clamp",
            None,
            "median",
            "camera_z",
            crop_box_of=PixelBox(45, 471, 41, 601, 480, 640),
        ),
        # The pixels of kitti_eigen, in metres as the network says them, depth as the camera defines it.
        _like_eigen("kitti_metric", scale="metric", velodyne_depth="camera_z"),
        # Whatever was measured. The clamp is that of the KITTI protocols without upper limit
        # on the measured depth, so that the numbers compare with theirs.
        dataclasses.replace(_whole_image("metric", 80.0), scale="metric"),
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
