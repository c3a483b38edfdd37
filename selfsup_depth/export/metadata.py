"""What every exported file says about itself, so that its numbers can be read years later."""

from __future__ import annotations

import json
from typing import NamedTuple

from selfsup_depth import __version__
from selfsup_depth.training.checkpoint import LoadedCheckpoint
from selfsup_depth.training.record import hash_of_record
from selfsup_depth.training.training_camera import recorded_cameras

NORMALISATION = "inside the network: give RGB from 0 to 1"
UNSTATED_LICENCE = "unstated"


class Metadata(NamedTuple):
    """Facts of a trained network.

    scale: "metric", or "relative" where depth is known up to one factor.
    unit: of depth: "metre", or "unknown".
    depth_range: nearest and farthest depth that it can say, in the unit.
    height, width: of the images that it was trained on, and that an exported graph takes.
    focal: focal length over image width of the training views, as learned or else as the data said;
        empty where it is not known, or where there were several kinds of cameras.
    normalisation: what is to be done to an image first.
    licence: of the weights, as whoever exported them says.
    version: of selfsup-depth, at export.
    config_sha256: of the training configuration, so that exports of one run can be told from others.
    """

    scale: str
    unit: str
    depth_range: list[float]
    height: int
    width: int
    focal: list[float]
    normalisation: str
    licence: str
    version: str
    config_sha256: str

    def as_text(self) -> dict[str, str]:
        """Each fact as a text, for formats that hold nothing else."""
        return {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in self._asdict().items()
        }

    def as_json(self) -> str:
        """All facts as a JSON file's text."""
        return json.dumps(self._asdict(), indent=2) + "\n"


def metadata_of(loaded: LoadedCheckpoint, licence: str) -> Metadata:
    """The facts of a loaded checkpoint."""
    record = loaded.record
    kind = record["scale"]["kind"]
    height, width = record["size"]
    cameras = recorded_cameras(record, loaded.path)
    return Metadata(
        scale=kind,
        unit="metre" if kind == "metric" else "unknown",
        depth_range=[float(depth) for depth in record["depth_range"]],
        height=height,
        width=width,
        focal=[float(camera.K[0, 0]) / camera.size[1] for camera in cameras if camera.size],
        normalisation=NORMALISATION,
        licence=licence,
        version=__version__,
        config_sha256=hash_of_record(record),
    )
