"""Video files, opened so that nothing but the file is read, and every fault is said in one line.

Given a name, FFmpeg would follow playlists to other files and addresses to the network. It gets
our own open file instead, and is told the format, so it cannot guess one that does such things.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import av.error

from selfsup_depth.data.images import MAX_PIXELS
from selfsup_depth.errors import DataError, first_line

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")

# By what stands in the first bytes, whatever the file is called.
_MOV_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_FIX = "download it again, or convert it to an .mp4"

# EOFError and what metadata that is not text gives are among these.
_FAULTS = (av.error.FFmpegError, OSError, ValueError, IndexError, EOFError, LookupError)


class VideoStream:
    """The first video stream of a file.

    Args:
        path: the file.
        num_threads: that decode; 0 lets FFmpeg choose. A reader that may live on in a forked
            process must have one, because threads do not.

    Attributes:
        size: height and width of the frames as they are stored.
        num_undecodable: packets that could not be decoded so far.

    Raises:
        DataError: there is no such file, it is no video, or its frames are too large.
    """

    def __init__(self, path: Path, num_threads: int) -> None:
        self.path = path
        self.num_undecodable = 0
        with refusing_faults(path):
            self._file = path.open("rb")
            try:
                self.container = self._open()
                self.stream = self._first_video()
                self.stream.thread_type = "AUTO"
                self.stream.codec_context.thread_count = num_threads
            except BaseException:
                self._file.close()
                raise
        self.size = self.stream.codec_context.height, self.stream.codec_context.width

    def _open(self) -> av.container.InputContainer:
        name = _format_of(self._file.read(16))
        self._file.seek(0)
        if name is None:
            raise DataError(f"not an mp4, mov, mkv, webm or avi video, in {self.path}; {_FIX}")
        # Metadata is not looked at: a title in an old encoding is no reason to stop.
        return av.open(self._file, "r", format=name, metadata_errors="replace")

    def _first_video(self) -> av.VideoStream:
        videos = self.container.streams.video
        if not videos:
            raise DataError(f"no video stream, in {self.path}; give a file that has pictures")
        context = videos[0].codec_context
        # A stream whose codec is not known has no context.
        if context is None or not context.width or not context.height:
            raise DataError(f"video stream cannot be decoded, in {self.path}; {_FIX}")
        if context.width * context.height > MAX_PIXELS:
            limit = MAX_PIXELS // 10**6
            raise DataError(f"frames have more than {limit} megapixels, in {self.path}; make them smaller")
        return videos[0]

    def packets(self) -> Iterator[av.Packet[av.VideoStream]]:
        """Packets in the order of decoding; the last is empty and ends the decoding."""
        with refusing_faults(self.path):
            yield from self.container.demux(self.stream)

    def decode(self, packet: av.Packet[av.VideoStream]) -> list[av.VideoFrame]:
        """Frames that a packet completes; none, and counted, if it cannot be decoded."""
        try:
            return packet.decode()
        except av.error.FFmpegError:
            self.num_undecodable += 1
            return []

    def frames(self) -> Iterator[av.VideoFrame]:
        """Frames from here on, in the order of showing."""
        for packet in self.packets():
            yield from self.decode(packet)

    def seek(self, pts: int) -> None:
        """Go to the last key frame that begins at or before a time.

        Args:
            pts: in the stream's time base.
        """
        with refusing_faults(self.path):
            self.container.seek(pts, stream=self.stream, backward=True)

    def close(self) -> None:
        """Let go of the file."""
        self.container.close()
        self._file.close()

    def __enter__(self) -> VideoStream:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


@contextmanager
def refusing_faults(path: Path) -> Iterator[None]:
    """Turn what a damaged video makes the libraries raise into a DataError.

    Args:
        path: the video, for messages.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"video is missing, in {path}; restore the file") from error
    except _FAULTS as error:
        reason = getattr(error, "strerror", None) or first_line(error)[:80]
        raise DataError(f"video cannot be read ({reason}), in {path}; {_FIX}") from error


def _format_of(head: bytes) -> str | None:
    """FFmpeg's name of a container format, from the first bytes of a file."""
    if head[4:8] in _MOV_BOXES:
        return "mov"
    if head[:4] == b"\x1aE\xdf\xa3":
        return "matroska"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    return None
