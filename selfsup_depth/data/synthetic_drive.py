"""The synthetic drive: a data set that is rendered when it is asked for, laid out as KITTI raw."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from tqdm import tqdm

from selfsup_depth.data.kitti_raw import KittiRaw
from selfsup_depth.data.kitti_raw_writer import write_calibration, write_motion, write_timestamps
from selfsup_depth.data.synthetic_options import SyntheticOptions
from selfsup_depth.data.synthetic_recorder import Recorder, rig_of
from selfsup_depth.data.synthetic_trajectory import FRAME_SECONDS
from selfsup_depth.data.synthetic_world import DriveWorld
from selfsup_depth.errors import DataError, StorageError

DEFAULT_OPTIONS = SyntheticOptions()
_OPTIONS_FILE = "options.json"
_MOST_WORKERS = 8
_LOG_INTERVAL = 15.0  # seconds between two lines where the output is a file
_RENDERER = 1  # to be raised when the same options give other bytes


class SyntheticDrive(KittiRaw):
    """Rendered drives through a street, read as KITTI raw; rendered when they are first asked for.

    Args:
        options: what to render; the data root must hold the same or nothing yet.
    """

    default_root = Path("runs/synthetic_drive")

    def __init__(self, options: SyntheticOptions = DEFAULT_OPTIONS) -> None:
        super().__init__()
        self.options = options

    def prepare(self, root: Path) -> None:
        """Render the drives unless they are there."""
        synthesize(root, self.options)

    def is_prepared(self, root: Path) -> bool:
        """Whether the drives are there."""
        return _is_rendered(root, self.options)


def synthesize(root: Path, options: SyntheticOptions = DEFAULT_OPTIONS, progress: bool = True) -> None:
    """Render a set of drives, unless the same one is there already.

    The set appears under `root` complete or not at all. Beside KITTI's folders it holds
    options.json and splits/{train,val,test}.txt.

    Args:
        root: folder to make; it may exist if it is empty or holds the same set.
        options: what to render.
        progress: show a progress bar.

    Raises:
        DataError: root holds something else.
        StorageError: it cannot be written.
    """
    if _is_rendered(root, options):
        return
    partial = root.parent / f".{root.name}.{os.getpid()}.partial"
    shutil.rmtree(partial, ignore_errors=True)  # a killed process may have had the same number
    try:
        partial.mkdir(parents=True)
        _render(partial, options, progress)
        _write_splits(partial, options)
        (partial / _OPTIONS_FILE).write_text(_record(options))
        _publish(partial, root, options)
    except OSError as error:
        raise StorageError(
            f"cannot write the synthetic drive: {error.strerror}, in {root}; free or change the folder"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def drive_name(options: SyntheticOptions, drive: int) -> str:
    """Folder of a drive, as split files write it."""
    date = f"2026_01_{1 + drive % len(options.focal_lengths):02d}"
    return f"{date}/{date}_drive_{drive:04d}_sync"


def _render(root: Path, options: SyntheticOptions, progress: bool) -> None:
    """All drives, frames in parallel; a drive's world is built while the one before is rendered."""
    shown = {"disable": not progress, "mininterval": 0.1 if sys.stderr.isatty() else _LOG_INTERVAL}
    bar = tqdm(total=options.drives * options.frames, desc="synthetic drive", unit="frame", **shown)
    with bar, _workers() as pool:
        recorder = pool.submit(_recorder, options, 0)
        for drive in range(options.drives):
            folder, ready = root / drive_name(options, drive), recorder.result()
            if drive + 1 < options.drives:
                recorder = pool.submit(_recorder, options, drive + 1)
            frames = [pool.submit(ready.record, folder, index) for index in range(options.frames)]
            _write_drive(folder, ready, options)
            for frame in frames:
                frame.result()
                bar.update()


@contextlib.contextmanager
def _workers() -> Iterator[ThreadPoolExecutor]:
    """As many threads as torch may use, each on one core, so that no sum depends on how many there are."""
    num_threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(
        min(num_threads, _MOST_WORKERS), initializer=torch.set_num_threads, initargs=(1,)
    )
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(num_threads)


def _recorder(options: SyntheticOptions, drive: int) -> Recorder:
    rig = rig_of(options, drive % len(options.focal_lengths))
    return Recorder(DriveWorld(options, drive, rig.size[1]), rig, options.lighting_change)


def _write_drive(folder: Path, recorder: Recorder, options: SyntheticOptions) -> None:
    write_calibration(folder.parent, recorder.rig)
    write_timestamps(folder, folder.parent.name, options.frames, FRAME_SECONDS)
    seconds = [index * FRAME_SECONDS for index in range(options.frames)]
    write_motion(folder, recorder.world.trajectory.pose, recorder.rig, seconds)


def _write_splits(root: Path, options: SyntheticOptions) -> None:
    """Lists of frames that have a neighbour on both sides; whole drives are held out."""
    num_train = options.drives - options.held_out_drives
    num_val = (options.held_out_drives + 1) // 2
    drives = {"train": range(num_train), "val": range(num_train, num_train + num_val)}
    drives["test"] = (
        range(num_train + num_val, options.drives) if options.held_out_drives > 1 else drives["val"]
    )
    (root / "splits").mkdir()
    for name, numbers in drives.items():
        lines = [
            f"{drive_name(options, drive)} {i} l\n" for drive in numbers for i in range(1, options.frames - 1)
        ]
        if lines:
            (root / "splits" / f"{name}.txt").write_text("".join(lines))


def _record(options: SyntheticOptions) -> str:
    return json.dumps({"renderer": _RENDERER, **dataclasses.asdict(options)}, indent=2) + "\n"


def _is_rendered(root: Path, options: SyntheticOptions) -> bool:
    """Whether root holds these options' set; refuses a root that holds anything else."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    record = root / _OPTIONS_FILE
    if not record.is_file():
        raise DataError(f"folder is not a synthetic drive, in {root}; give an empty or a new one")
    try:
        found = json.loads(record.read_text())
    except ValueError as error:
        raise DataError(f"options cannot be read, in {record}; delete {root} to render it anew") from error
    wanted = json.loads(_record(options))
    if found == wanted:
        return True
    differing = [key for key in wanted if not isinstance(found, dict) or found.get(key) != wanted[key]]
    other = f"{found.get(differing[0])}" if differing and isinstance(found, dict) else "none"
    what = f"{differing[0]} {other}, not {wanted[differing[0]]}" if differing else "other options"
    raise DataError(
        f"the synthetic drive there was rendered with {what}, in {record}; "
        f"give another folder, or delete {root}"
    )


def _publish(partial: Path, root: Path, options: SyntheticOptions) -> None:
    """Let the finished set appear; another process may have been faster with the same one."""
    try:
        os.replace(partial, root)
    except OSError:
        if not _is_rendered(root, options):
            raise
