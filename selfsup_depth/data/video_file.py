"""Videos: one file, or a folder of files, each a recording of one camera."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from selfsup_depth.data.camera_files import find_intrinsics
from selfsup_depth.data.gpx import read_speeds
from selfsup_depth.data.layout import Layout
from selfsup_depth.data.mask_files import find_mask
from selfsup_depth.data.natural_order import natural_order
from selfsup_depth.data.recording import Camera, Frame, Matrix, Recording
from selfsup_depth.data.user_cache import user_cache
from selfsup_depth.data.video_index import VideoIndex
from selfsup_depth.data.video_reader import VideoFrame
from selfsup_depth.data.video_scan import index_video
from selfsup_depth.data.video_stream import VIDEO_SUFFIXES
from selfsup_depth.errors import DataError


class VideoFile(Layout):
    """Videos (mp4, mov, mkv, webm, avi): the root is one, or a folder with some in it.

    Frames are decoded when they are needed, at the times that the stream tells, upright as
    players show them. Beside drive.mp4 may lie drive.speed.csv (seconds, metres per second) or
    drive.speed.gpx, drive.mask.png (black: pixels that teach nothing, as the car's own bonnet),
    and its intrinsics as drive.camera.yaml, or camera.yaml, calib.txt or cameras.txt for the folder.
    Each video is decoded once beforehand, to know its frames; what is found is kept in the
    user's cache folder.
    """

    def prepare(self, root: Path) -> None:
        """Decode every video once, unless that was done before; bad ones are refused later."""
        self.usable_recordings(root)

    def is_prepared(self, root: Path) -> bool:
        """Whether the frames of every video are known."""
        return all(VideoIndex.load(user_cache("video", path), path) for path in videos_under(root))

    def recordings(self, root: Path) -> list[Recording]:
        """Every video under `root`."""
        return [_recording(path, root) for path in videos_under(root)]

    def usable_recordings(self, root: Path) -> tuple[list[Recording], list[str]]:
        """Every video under `root` that is whole, and what is wrong with each other one."""
        recordings, bad = [], []
        for path in videos_under(root):
            try:
                recordings.append(_recording(path, root))
            except DataError as error:
                bad.append(str(error))
        return recordings, bad


def videos_under(root: Path) -> list[Path]:
    """The video that `root` is, or those in it and in its folders, in natural order.

    Raises:
        DataError: there is none.
    """
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise DataError(f"data root is missing, in {root}; give --data.root a video or a folder of videos")
    files = (path for path in root.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES)
    videos = sorted((path for path in files if not path.name.startswith(".")), key=natural_order)
    if not videos:
        endings = ", ".join(VIDEO_SUFFIXES)
        raise DataError(f"no video ({endings}), in {root}; give --data.root a video or a folder of videos")
    return videos


def video_index(path: Path) -> VideoIndex:
    """The frames of a video, from the user's cache if they are there."""
    kept = user_cache("video", path)
    index = VideoIndex.load(kept, path)
    if index is None:
        index = index_video(path)
        index.save(kept)
    return index


def speed_file_of(path: Path) -> Path:
    """Where the speeds that go with a video are, if they are known."""
    return path.with_name(f"{path.stem}.speed.csv")


def _recording(path: Path, root: Path) -> Recording:
    index = video_index(path)
    frames = {
        number: Frame(number, VideoFrame(index, number), float(seconds))
        for number, seconds in enumerate(index.seconds)
    }
    aspect = index.upright_pixel_aspect
    K = _intrinsics(path, root, index)
    mask = find_mask(path.with_name(f"{path.stem}.mask.png"), index.upright_size)
    camera = Camera(K, index.upright_size, np.eye(4), frames, aspect, mask)
    speeds = read_speeds(speed_file_of(path))
    name = path.name if path == root else path.relative_to(root).as_posix()
    return Recording(name, {"l": camera}, speeds)


def _intrinsics(path: Path, root: Path, index: VideoIndex) -> Matrix:
    """From files that bear the video's name, else from those of its folder or one above."""
    own = find_intrinsics([path.parent], index.upright_size, index.rotation, prefix=f"{path.stem}.")
    if np.isfinite(own).all():
        return own
    folders = [folder for folder in path.parents if folder.is_relative_to(root)] or [path.parent]
    return find_intrinsics(folders, index.upright_size, index.rotation)
