"""Decoding a video once from beginning to end, to know its frames and that it is whole."""

from __future__ import annotations

import logging
import zlib
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from selfsup_depth.data.video_index import VideoIndex
from selfsup_depth.data.video_stream import VideoStream
from selfsup_depth.errors import DataError

log = logging.getLogger(__name__)

# Four and a half hours at 60 frames a second; a header can claim any number.
MAX_FRAMES = 10**6
# So much may be missing of what the header promises.
TOLERANCE = 0.01
# Sound may go on a little longer than the pictures do.
_SECONDS_OF_SOUND = 1.0


def index_video(path: Path, progress: bool = True) -> VideoIndex:
    """Decode a video from beginning to end and write down what is in it.

    Args:
        path: the file.
        progress: show a bar.

    Raises:
        DataError: it is no video, its frames are fewer than its header promises, or change in
            size, or have no order in time.
    """
    with VideoStream(path, num_threads=0) as video:
        found = _decoded(video, progress)
        if found.first is None:
            raise DataError(f"not one frame can be decoded, in {path}; download it again")
        pts, checksums = np.array(found.frames, np.int64).T
        _check_order(pts, path)
        _check_complete(video, pts, len(pts) + found.num_damaged + video.num_undecodable, found.num_discarded)
        base, aspect = video.stream.time_base or Fraction(1), video.stream.sample_aspect_ratio or Fraction(1)
        return VideoIndex(
            path,
            pts,
            checksums,
            np.array(sorted(found.key_pts), np.int64),
            video.size,
            found.first.rotation % 360,
            (aspect.numerator, aspect.denominator),
            (base.numerator, base.denominator),
        )


@dataclass
class _Decoded:
    """What decoding a whole video gives: (pts, checksum) of its frames, and what is not one."""

    frames: list[tuple[int, int]] = field(default_factory=list)
    key_pts: set[int] = field(default_factory=set)
    first: av.VideoFrame | None = None
    num_damaged: int = 0
    num_discarded: int = 0

    def add(self, frame: av.VideoFrame, path: Path) -> None:
        """Note a frame."""
        if frame.is_corrupt:
            self.num_damaged += 1
            return
        self.first = self.first or frame
        _check_frame(frame, self.first, path)
        self.frames.append((_pts(frame, path), checksum(frame)))
        if len(self.frames) > MAX_FRAMES:
            raise DataError(f"more than {MAX_FRAMES} frames, in {path}; cut it into parts")


def _decoded(video: VideoStream, progress: bool) -> _Decoded:
    found, total = _Decoded(), _frames_in_header(video) or None
    name = f"reading {video.path.name}"
    # Short ones are done before a bar could be read.
    with tqdm(desc=name, total=total, unit="frame", disable=None if progress else True, delay=1.0) as bar:
        for packet in video.packets():
            found.num_discarded += packet.is_discard
            if packet.is_keyframe and packet.pts is not None:
                found.key_pts.add(packet.pts)
            for frame in video.decode(packet):
                found.add(frame, video.path)
                bar.update()
    return found


def _frames_in_header(video: VideoStream) -> int:
    """How many frames the header promises, 0 if it does not say; AVI counts repeated ones, too."""
    return video.stream.frames if "mov" in video.container.format.name.split(",") else 0


def _pts(frame: av.VideoFrame, path: Path) -> int:
    if frame.pts is None:
        raise DataError(f"frames have no times, in {path}; convert it to an .mp4")
    return frame.pts


def _check_frame(frame: av.VideoFrame, first: av.VideoFrame, path: Path) -> None:
    size, expected = (frame.width, frame.height), (first.width, first.height)
    if size != expected or frame.rotation != first.rotation:
        raise DataError(f"the frames' size changes from {expected} to {size}, in {path}; cut it there")
    if frame.rotation % 90:
        raise DataError(f"frames are turned by {frame.rotation} degrees, in {path}; convert it to an .mp4")


def _check_order(pts: NDArray[np.int64], path: Path) -> None:
    if (np.diff(pts) <= 0).any():
        number = int(np.argmax(np.diff(pts) <= 0)) + 1
        raise DataError(f"frame {number} is not later than the one before, in {path}; convert it to an .mp4")


def _check_complete(video: VideoStream, pts: NDArray[np.int64], num_begun: int, num_discarded: int) -> None:
    """Refuse a video of which more than the tolerance is missing; say what is missing below it.

    Args:
        video: decoded to its end.
        pts: of the frames that are whole.
        num_begun: frames, with those that are damaged.
        num_discarded: frames that the file says not to show.
    """
    promised = max(num_begun, _frames_in_header(video) - num_discarded)
    found = f"{len(pts)} of {promised} frames can be decoded, in {video.path}"
    fix = "download it again, or cut it before the damage"
    if len(pts) < (1 - TOLERANCE) * promised:
        raise DataError(f"only {found}; {fix}")
    if len(pts) < promised:
        log.warning("only %s", found)
    seconds, length = _seconds_found(video, pts), _seconds_promised(video)
    slack = TOLERANCE * length + _SECONDS_OF_SOUND * (len(video.container.streams) > 1)
    if seconds < length - slack:
        what = f"frames for {seconds:.1f} of {length:.1f} seconds, in {video.path}"
        raise DataError(f"only {what}; {fix}")


def _seconds_found(video: VideoStream, pts: NDArray[np.int64]) -> float:
    """From the first frame to the end of the last, which lasts as long as the longest."""
    longest = int(np.diff(pts).max(initial=0))
    return float((pts[-1] - pts[0] + longest) * (video.stream.time_base or 0))


def _seconds_promised(video: VideoStream) -> float:
    """How long the header says the pictures go on; 0 if it says nothing."""
    stream = video.stream
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return (video.container.duration or 0) / av.time_base


def checksum(frame: av.VideoFrame) -> int:
    """Of a decoded frame's first plane: what tells it from its neighbours and from damage."""
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return zlib.crc32(rows[:, : plane.width].tobytes())
