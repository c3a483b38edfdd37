"""Which frames of a list have measured depth in a copy of KITTI raw, and which archive holds the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from selfsup_depth.data.depth_files import annotated_folders
from selfsup_depth.data.kitti_raw import CAMERA_NUMBERS
from selfsup_depth.data.splits import SplitLine

Instrument = Literal["velodyne", "annotated"]

# Where the laser stands.
CALIBRATION = "calib_velo_to_cam.txt"

ANNOTATED_ARCHIVE = "data_depth_annotated.zip"


class MeasuredCount(NamedTuple):
    """What one instrument has measured of the frames of a list.

    measured: how many of the frames.
    missing: of each archive, how many frames want it, the most wanted first.
    never: how many frames the instrument has no map of in any archive.
    """

    measured: int
    missing: Sequence[tuple[str, int]]
    never: int = 0


def count_measured(
    root: Path,
    lines: Iterable[SplitLine],
    instrument: Instrument,
    benchmarks: Sequence[Path] = (),
    annotated: Iterable[SplitLine] = (),
) -> MeasuredCount:
    """Look for each frame's measured depth by its name; nothing is opened.

    Args:
        root: the copy.
        lines: the frames.
        instrument: whose depth is wanted.
        benchmarks: further folders that may hold the depth benchmark's train/ and val/.
        annotated: frames that are known to have an annotated map; empty, all may have one.
    """
    have_map = {line[:3] for line in annotated}
    missing: Counter[str] = Counter()
    measured = never = 0
    for line in lines:
        drive = root / line.folder
        is_there = depth_file(root, line, instrument, benchmarks).is_file()
        if is_there and (instrument == "annotated" or (drive.parent / CALIBRATION).is_file()):
            measured += 1
        elif instrument == "velodyne":
            missing[f"{drive.parent.name}_calib.zip" if is_there else f"{drive.name}.zip"] += 1
        elif have_map and line[:3] not in have_map:
            never += 1
        else:
            missing[ANNOTATED_ARCHIVE] += 1
    return MeasuredCount(measured, missing.most_common(), never)


def depth_file(root: Path, line: SplitLine, instrument: Instrument, benchmarks: Sequence[Path] = ()) -> Path:
    """Where a frame's depth is, or would be."""
    drive = root / line.folder
    if instrument == "velodyne":
        return drive / "velodyne_points" / "data" / f"{line.frame:010d}.bin"
    folders = annotated_folders(
        drive, CAMERA_NUMBERS[line.side], [*benchmarks, root, root / "data_depth_annotated"]
    )
    files = [folder / f"{line.frame:010d}.png" for folder in folders]
    return next((file for file in files if file.is_file()), files[0])
