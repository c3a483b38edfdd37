"""A protocol choice by choice, for who reads a page and not one line."""

from __future__ import annotations

from selfsup_depth.evaluation.protocols import EIGEN_CROP, GARG_CROP, Protocol

LASER = {"camera_z": "z of the camera", "velodyne_forward_x": "forward x of the laser"}
CROPS = {GARG_CROP: "Garg's crop: ", EIGEN_CROP: "Eigen's crop: "}


def words_of(protocol: Protocol) -> dict[str, str]:
    """Every choice by what it is about."""
    kept = f"{protocol.min_depth:g} to {protocol.max_depth:g} m"
    corners = ", corners aligned" if protocol.align_corners else ""
    what = "depth" if protocol.resize == "depth" else "inverse depth"
    instrument = "any instrument" if protocol.measured_by == "any" else protocol.measured_by
    counts = f"strictly within {kept}" if protocol.measured_range == "clamp" else "wherever there is any"
    return {
        "name": protocol.name,
        "measured depth": f"by {instrument}, {counts}",
        "depth of a laser point": LASER[protocol.velodyne_depth],
        "pixels": pixels(protocol),
        "resizing": f"bilinear, of {what}{corners}, to the measured map",
        "alignment": protocol.scaling_words(),
        "clamp": f"predictions to {kept}, {protocol.clamp} alignment",
        "mirrored image": "predicted, too, and joined" if protocol.flip else "not used",
        "mean": "over the pixels of an image, then over images",
        "hash": protocol.hash(),
    }


def pixels(protocol: Protocol) -> str:
    """Which pixels count; a crop by shares in per cent."""
    if protocol.crop is None or protocol.crop_box_of is not None:
        return protocol.crop_words()
    top, bottom, left, right = (f"{100 * share:.4g}" for share in protocol.crop)
    named = CROPS.get(protocol.crop, "")
    return f"{named}{top} to {bottom} % of the height, {left} to {right} % of the width"
