"""`selfsup-depth data measured`: which test frames have measured depth, and a file for each."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfsup_depth.commands.output import make_folder
from selfsup_depth.commands.parser import CommandParser
from selfsup_depth.errors import DataError

if TYPE_CHECKING:
    from selfsup_depth.data.kitti_measured import MeasuredCount
    from selfsup_depth.data.splits import SplitLine

# The test frames that the depth benchmark has maps of.
ANNOTATED_LIST = "eigen_benchmark"

# Archives that are named; the rest is counted.
SHOWN = 3


def run(arguments: Sequence[str]) -> None:
    """Count the frames of a list that a laser and the depth benchmark measured; write their depth if asked.

    Raises:
        ConfigError: an argument is wrong.
        DataError: depth of the wanted instrument is missing, or cannot be read.
        StorageError: the output cannot be written.
    """
    from selfsup_depth.data.kitti_measured import count_measured
    from selfsup_depth.data.splits import read_split, split_file

    given = make_parser().parse_args(arguments)
    path = split_file(given.split, given.part, given.root)
    if path is None:
        raise DataError(f"no {given.part}.txt, in {given.split}; choose another --split or --part")
    lines = read_split(path)
    known = split_file(ANNOTATED_LIST, "test", given.root)
    annotated = read_split(known) if known and given.split == "eigen" else []
    benchmarks = [given.annotated_root] if given.annotated_root else []
    counts = {
        "velodyne": count_measured(given.root, lines, "velodyne"),
        "annotated": count_measured(given.root, lines, "annotated", benchmarks, annotated),
    }
    print(f"{given.split} {given.part}: {len(lines)} frames")
    for instrument, count in counts.items():
        print(f"{instrument}: {said_of(count, len(lines))}")
    refuse_missing(counts[given.by], given)
    if given.output:
        write_maps(lines, given)


def make_parser() -> CommandParser:
    """The options of this command."""
    parser = CommandParser(
        prog="selfsup-depth data measured",
        description="Count the frames of a list that have measured depth in a copy of KITTI raw.",
    )
    add = parser.add_argument
    add("--root", type=Path, required=True, metavar="DIR", help="folder of the days, as 2011_09_26")
    add("--split", default="eigen", metavar="NAME", help="folder of frame lists; default: eigen")
    add("--part", default="test", choices=("train", "val", "test"), help="which list; default: test")
    add(
        "--by",
        default="velodyne",
        choices=("velodyne", "annotated"),
        help="whose depth must be there and is written; default: velodyne",
    )
    add("--annotated-root", type=Path, metavar="DIR", help="folder of the depth benchmark's train and val")
    add(
        "--velodyne-depth",
        default="velodyne_forward_x",
        choices=("camera_z", "velodyne_forward_x"),
        help="what a laser point's depth is; default: velodyne_forward_x, as kitti_eigen has it",
    )
    add("--output", type=Path, metavar="DIR", help="write each frame's depth there, for --measured")
    return parser


def said_of(count: MeasuredCount, num_frames: int) -> str:
    """A line on one instrument."""
    line = f"{count.measured} of {num_frames} measured"
    if count.never:
        line += f", {count.never} have no map in any archive"
    if count.missing:
        named = ", ".join(f"{archive} ({frames})" for archive, frames in count.missing[:SHOWN])
        further = len(count.missing) - SHOWN
        line += f"; missing: {named}" + (f" and {further} more archives" if further > 0 else "")
    return line


def refuse_missing(count: MeasuredCount, given: Any) -> None:
    """Refuse a copy in which depth of the wanted instrument is missing.

    Raises:
        DataError: naming the archive that holds most of it.
    """
    if count.missing:
        archive, frames = count.missing[0]
        total = sum(number for _, number in count.missing)
        raise DataError(
            f"{total} frames without {given.by} depth, in {given.root}; unpack {archive} there "
            f"({frames} of them), or choose another --by"
        )


def write_maps(lines: Sequence[SplitLine], given: Any) -> None:
    """Write the depth of each frame, numbered as in the list, compressed, as plain numbers.

    Raises:
        DataError: depth cannot be read.
        StorageError: a file cannot be written.
    """
    import numpy as np
    from tqdm import tqdm

    from selfsup_depth.data.kitti_raw import KittiRaw
    from selfsup_depth.data.selection import Needs, select_listed
    from selfsup_depth.training.storage import write_bytes

    layout = KittiRaw(given.by, given.velodyne_depth, given.annotated_root)
    examples = select_listed(layout.recordings(given.root), lines, Needs(), refuse=True).examples
    make_folder(given.output, "--output")
    num_written = 0
    for number, example in enumerate(tqdm(examples, desc="writing", unit="map")):
        source, drive = example.frame.measured, Path(example.recording.name).name
        if source is not None:
            file = io.BytesIO()
            np.savez_compressed(file, depth=source.read())
            name = f"{number:06d}_{drive}_{example.frame_index:010d}_{example.side}.npz"
            write_bytes(given.output / name, file.getvalue())
            num_written += 1
    print(f"written: {num_written} maps, in {given.output}")
