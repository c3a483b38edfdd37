"""Plain folders of frames, each a recording of one camera."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from selfsup_depth.data.camera_files import find_intrinsics
from selfsup_depth.data.gpx import read_speeds
from selfsup_depth.data.images import PHOTOGRAPH_SUFFIXES, ImageFile, first_size
from selfsup_depth.data.layout import Layout
from selfsup_depth.data.mask_files import find_mask
from selfsup_depth.data.natural_order import natural_order
from selfsup_depth.data.recording import Camera, Frame, Matrix, Recording
from selfsup_depth.data.text_files import read_lines
from selfsup_depth.data.timestamps import NOMINAL_FRAMES_PER_SECOND, read_times, read_timestamps
from selfsup_depth.data.trajectory_files import read_trajectory
from selfsup_depth.errors import ConfigError, DataError

log = logging.getLogger(__name__)

# Pictures that are no frames.
_OTHERS = {"mask.png"}
_LAST_NUMBER = re.compile(r"(.*?)(\d+)", re.ASCII)


class FrameFolder(Layout):
    """Folders with the frames of one video each: SCENE/*.png or *.jpg, or the root itself.

    Frames follow one another in the order of the numbers in their names, 2 before 10; where a
    number is left out, so is a frame. Beside them may lie timestamps.txt (a time for each frame),
    speed.csv (seconds, metres per second) or speed.gpx, poses.txt (camera to world, 12 numbers
    for each frame), mask.png (black: pixels that teach nothing) and the intrinsics: camera.yaml,
    calib.txt, calib_cam_to_cam.txt or cameras.txt, also in a folder above.

    Args:
        frames_per_second: of folders without timestamps.txt; not given, ten are assumed and it
            is said.
    """

    def __init__(self, frames_per_second: float | None = None) -> None:
        if frames_per_second is not None and not frames_per_second > 0:
            raise ConfigError(f"frames_per_second is {frames_per_second}; give a positive number")
        self.frames_per_second = frames_per_second

    def recordings(self, root: Path) -> list[Recording]:
        """Every folder under `root` that has images in it."""
        if not root.is_dir():
            what = "not a folder" if root.exists() else "missing"
            raise DataError(f"data root is {what}, in {root}; give --data.root a folder with frames in it")
        folders: dict[Path, list[Path]] = {}
        for path in root.rglob("*"):
            hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
            if path.suffix.lower() in PHOTOGRAPH_SUFFIXES and path.name not in _OTHERS and not hidden:
                folders.setdefault(path.parent, []).append(path)
        if not folders:
            raise DataError(f"no png or jpg frames, in {root}; give --data.root a folder with frames in it")
        scenes = sorted(folders, key=natural_order)
        return [self._recording(scene, sorted(folders[scene], key=natural_order), root) for scene in scenes]

    def _recording(self, scene: Path, images: list[Path], root: Path) -> Recording:
        size = first_size(images)
        above = [scene, *(folder for folder in scene.parents if folder.is_relative_to(root))]
        K = find_intrinsics(above, size)
        indices = frame_indices(images)
        seconds = frame_seconds(scene / "timestamps.txt", indices, self.frames_per_second)
        poses = _poses(scene / "poses.txt", indices)
        frames = {
            index: Frame(index, ImageFile(image), time, T_world_from_camera=poses.get(index))
            for index, image, time in zip(indices, images, seconds, strict=True)
        }
        mask = find_mask(scene / "mask.png", size)
        name = scene.name if scene == root else scene.relative_to(root).as_posix()
        speeds = read_speeds(scene / "speed.csv")
        return Recording(name, {"l": Camera(K, size, np.eye(4), frames, mask=mask)}, speeds)


def frame_seconds(path: Path, indices: list[int], frames_per_second: float | None) -> list[float]:
    """Times of frames: from the file, else by their numbers.

    Args:
        path: of the file, which need not be there.
        indices: of the frames.
        frames_per_second: without a file; None = not known, and a guess is said.
    """
    if path.exists():
        return _read_times(path, len(indices))
    if frames_per_second is None:
        log.warning("no %s: assuming %g frames per second", path, NOMINAL_FRAMES_PER_SECOND)
    rate = frames_per_second or NOMINAL_FRAMES_PER_SECOND
    return [(index - indices[0]) / rate for index in indices]


def _read_times(path: Path, count: int) -> list[float]:
    """A time for each frame, in seconds or as KITTI writes them.

    Raises:
        DataError: there are more or fewer, or one is not later than the one before.
    """
    lines = read_lines(path, "time file")
    if len(lines) != count:
        raise DataError(f"{len(lines)} times for {count} frames, in {path}; write one a line for each frame")
    seconds = (read_timestamps if ":" in lines[0][1] else read_times)(path, count)
    for (number, _), before, time in zip(lines[1:], seconds, seconds[1:], strict=False):
        if time <= before:
            raise DataError(f"time is not later than the one before, in {path}:{number}; restore the order")
    return seconds


def _poses(path: Path, indices: list[int]) -> dict[int, Matrix]:
    """Poses by frame: in the order of the frames, or with the frame's number before each.

    Raises:
        DataError: there are more or fewer than frames, or they are by time.
    """
    if not path.exists():
        return {}
    trajectory = read_trajectory(path)
    if trajectory.keyed_by != "frame" or len(trajectory.keys) != len(indices):
        what = f"{len(trajectory.keys)} poses for {len(indices)} frames"
        raise DataError(f"{what}, in {path}; write 12 numbers (camera to world) a line for each frame")
    return dict(zip(indices, trajectory.T_world_from_camera, strict=True))


def frame_numbers(images: Sequence[Path]) -> list[int]:
    """The numbers in the frames' names, if the names are alike but for one number at their end; else in turn.

    Args:
        images: in natural order.
    """
    matches = [_LAST_NUMBER.fullmatch(path.stem) for path in images]
    numbers = [int(match[2]) for match in matches if match]
    alike = len({match[1] if match else None for match in matches}) == 1
    return numbers if alike and len(set(numbers)) == len(images) else list(range(len(images)))


def frame_indices(images: list[Path]) -> list[int]:
    """Numbers of frames in natural order, such that neighbours in time differ by one.

    Those in the names, if the names are alike but for one number at their end; every third
    frame of a video counts as the next. Names that tell a time or nothing are numbered in turn.
    """
    numbers = frame_numbers(images)
    steps = np.diff(numbers)
    step = Counter(steps.tolist()).most_common(1)[0][0] if len(steps) else 1
    if (steps % step).any():
        return list(range(len(images)))
    return [number // step for number in numbers]
