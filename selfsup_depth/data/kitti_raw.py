"""KITTI raw: folders by day and drive, calibration by day, colour cameras 2 (left) and 3."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from selfsup_depth.data.layout import Layout
from selfsup_depth.data.recording import Recording


class KittiRaw(Layout):
    """KITTI raw data, synchronised and rectified (Geiger et al. 2013).

    Args:
        measured: where measured depth comes from: "velodyne" projects the laser's points,
            "annotated" reads the depth maps of KITTI's depth benchmark (proj_depth/groundtruth),
            "auto" takes the annotated maps for drives that have them, else the laser.
        velodyne_depth: what the depth of a laser point is: "camera_z" is z in the camera,
            "velodyne_forward_x" is x of the laser, as some published Eigen numbers use.
        annotated_root: folder of the depth benchmark (its train/ and val/), if it is neither
            in the drives' own folders nor under the root.
    """

    def __init__(
        self,
        measured: Literal["auto", "velodyne", "annotated"] = "auto",
        velodyne_depth: Literal["camera_z", "velodyne_forward_x"] = "camera_z",
        annotated_root: Path | None = None,
    ) -> None:
        self.measured = measured
        self.velodyne_depth = velodyne_depth
        self.annotated_root = annotated_root

    def recordings(self, root: Path) -> list[Recording]:
        """Every drive under `root`."""
        raise NotImplementedError
