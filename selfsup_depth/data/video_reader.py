"""Single frames of a video in any order, equal to those of decoding it from the beginning."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from PIL import Image

from selfsup_depth.data.photograph import Photograph
from selfsup_depth.data.video_index import VideoIndex
from selfsup_depth.data.video_scan import checksum
from selfsup_depth.data.video_stream import VideoStream
from selfsup_depth.errors import DataError

# Decoded frames that are kept: a target's neighbours are asked for right after it.
NUM_KEPT_FRAMES = 8
# Videos that are open at a time in one thread of one process.
MAX_OPEN = 4
# Key frames that are tried before decoding from the very beginning.
_NUM_KEY_FRAMES = 3

_TURNS = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}


@dataclass(frozen=True)
class VideoFrame(Photograph):
    """One frame of a video, upright.

    Attributes:
        index: of the video.
        number: of the frame, in the order of showing.
    """

    index: VideoIndex
    number: int

    @property
    def path(self) -> Path:  # type: ignore[override]
        """The video."""
        return self.index.path

    @property
    def collection(self) -> Path:
        """The video."""
        return self.index.path

    def read(self) -> Image.Image:
        """Decode the frame."""
        return upright(_open_readers.frame(self.index, self.number), self.index)

    def identity(self) -> tuple[str, ...]:
        """The video's, and the frame's time."""
        return (*super().identity(), str(self.index.pts[self.number]))

    def __str__(self) -> str:
        return f"frame {self.number} of {self.index.path}"


def upright(frame: av.VideoFrame, index: VideoIndex) -> Image.Image:
    """A decoded frame as RGB, turned as the video's note on how the camera was held says."""
    picture = Image.fromarray(frame.to_ndarray(format="rgb24"))
    return picture.transpose(_TURNS[index.rotation]) if index.rotation else picture


class VideoReader:
    """Random access to the frames of one video.

    Decoding can begin at key frames only. Where some encoders' key frames do not bring back
    every pixel, the checksum tells, and decoding begins earlier.

    Args:
        index: of the video.
    """

    def __init__(self, index: VideoIndex) -> None:
        self.index = index
        self._numbers = {int(pts): number for number, pts in enumerate(index.pts)}
        self._kept: OrderedDict[int, av.VideoFrame] = OrderedDict()
        self._begin()

    def frame(self, number: int) -> av.VideoFrame:
        """The frame of a number, as decoding from the beginning would give it.

        Raises:
            DataError: the file has changed since it was indexed.
        """
        if number in self._kept and self._is_right(number):
            return self._kept[number]
        pts = int(self.index.pts[number])
        keys = self.index.key_pts[self.index.key_pts <= pts][::-1][:_NUM_KEY_FRAMES]
        goes_on = self._last < number and (not len(keys) or self._last_pts >= keys[0])
        if goes_on and self._decode_to(number):
            return self._kept[number]
        for key in keys.tolist():
            self._frames = self._from_key_frame(key)
            if self._decode_to(number):
                return self._kept[number]
        self.close()
        self._begin()
        if self._decode_to(number):
            return self._kept[number]
        raise DataError(f"frame {number} is another than before, in {self.index.path}; start the run anew")

    @property
    def _last_pts(self) -> int:
        return int(self.index.pts[self._last]) if self._last >= 0 else -(2**63)

    def _from_key_frame(self, pts: int) -> Iterator[av.VideoFrame]:
        self._stream.seek(pts)
        self._last = -1
        return self._stream.frames()

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()

    def _begin(self) -> None:
        self._stream = VideoStream(self.index.path, num_threads=1)
        self._frames = self._stream.frames()
        self._last = -1

    def _decode_to(self, number: int) -> bool:
        """Decode until a frame comes; false if it does not, or is not as it was."""
        for frame in self._frames:
            found = self._numbers.get(-1 if frame.pts is None else frame.pts)
            if found is None or frame.is_corrupt:
                continue
            self._last = found
            self._kept[found] = frame
            self._kept.move_to_end(found)
            if len(self._kept) > NUM_KEPT_FRAMES:
                self._kept.popitem(last=False)
            if found >= number:
                break
        return self._last == number and self._is_right(number)

    def _is_right(self, number: int) -> bool:
        return checksum(self._kept[number]) == int(self.index.checksums[number])


class _OpenReaders(threading.local):
    """The readers of one thread of one process; a forked process opens its own.

    Two that read through one open file would move each other's place in it.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._readers: OrderedDict[Path, VideoReader] = OrderedDict()

    def frame(self, index: VideoIndex, number: int) -> av.VideoFrame:
        """A frame, from the reader of its video, which is opened if it is not."""
        if self._process != os.getpid():
            # Kept unused: what frees them would wait for threads that did not come along.
            self._inherited = self._readers
            self._process, self._readers = os.getpid(), OrderedDict()
        reader = self._readers.pop(index.path, None)
        if reader is not None and reader.index is not index:
            reader.close()
            reader = None
        if reader is None:
            reader = VideoReader(index)
        self._readers[index.path] = reader
        if len(self._readers) > MAX_OPEN:
            self._readers.popitem(last=False)[1].close()
        return reader.frame(number)


_open_readers = _OpenReaders()
