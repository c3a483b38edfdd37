"""Frames of a video, written out as a folder that trains to the same as the video itself."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from selfsup_depth.data.new_folder import folder_at_once, refuse_existing
from selfsup_depth.data.recording import Frame, Recording
from selfsup_depth.data.transforms import resized
from selfsup_depth.data.video_file import VideoFile, speed_file_of
from selfsup_depth.errors import ConfigError, DataError


def extract_frames(
    video: Path,
    output: Path,
    every: int = 1,
    start: float = 0.0,
    end: float | None = None,
    size: tuple[int, int] | None = None,
) -> int:
    """Write frames, upright, as numbered PNGs with timestamps.txt, camera.yaml and speed.csv.

    Times stay those of the video's clock. The camera and the speed are written if the video
    has files that tell them. All of it appears at once, or nothing.

    Args:
        video: the file.
        output: folder to make.
        every: take the first, and then one frame out of so many.
        start: seconds; frames before are left out.
        end: seconds; frames from then on are left out.
        size: height and width to resize to; not given, that of the video.

    Returns:
        How many were written.

    Raises:
        ConfigError: the folder exists, or `every` is not positive.
        DataError: the video cannot be used, or has no frame in that time.
        StorageError: the folder cannot be written.
    """
    if every < 1:
        raise ConfigError(f"every is {every}; give a whole number from 1 on")
    for name, seconds in (("start", start), ("end", end)):
        if seconds is not None and not math.isfinite(seconds):
            raise ConfigError(f"--{name} is {seconds}; give seconds, for instance --{name} 2.5")
    refuse_existing(output)
    if not video.is_file():
        raise DataError(f"video is missing, in {video}; check the path")
    (recording,) = VideoFile().recordings(video)
    camera = recording.cameras["l"]
    end = math.inf if end is None else end
    frames = [frame for frame in camera.frames.values() if start <= frame.seconds < end][::every]
    if not frames:
        last = max(frame.seconds for frame in camera.frames.values())
        raise DataError(f"no frame in that time, in {video}; it goes from 0 to {last:.2f} seconds")
    with folder_at_once(output) as folder:
        _write_frames(folder, frames, size)
        _write_companions(folder, recording, video)
    return len(frames)


def _write_frames(folder: Path, frames: list[Frame], size: tuple[int, int] | None) -> None:
    for number, frame in enumerate(tqdm(frames, "writing frames", unit="frame", disable=None)):
        picture = frame.image.read()
        if size is not None:
            picture = Image.fromarray(resized(np.array(picture), size).permute(1, 2, 0).contiguous().numpy())
        picture.save(folder / f"{number:06d}.png")
    times = "".join(f"{frame.seconds!r}\n" for frame in frames)
    (folder / "timestamps.txt").write_text(times, encoding="utf-8")


def _write_companions(folder: Path, recording: Recording, video: Path) -> None:
    camera = recording.cameras["l"]
    if np.isfinite(camera.K).all():
        (fx, _, cx), (_, fy, cy), _ = camera.K.tolist()
        height, width = camera.size
        stated = {"fx": fx, "fy": fy, "cx": cx, "cy": cy, "width": width, "height": height}
        lines = "".join(f"{key}: {value!r}\n" for key, value in stated.items())
        (folder / "camera.yaml").write_text(lines, encoding="utf-8")
    for speeds in (speed_file_of(video), speed_file_of(video).with_suffix(".gpx")):
        if speeds.exists():
            shutil.copyfile(speeds, folder / f"speed{speeds.suffix}")
