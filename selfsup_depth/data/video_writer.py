"""Pictures as a video that players open."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from selfsup_depth.errors import StorageError

# The first that this build of FFmpeg has; every player knows H.264, most know the other.
CODECS = ("libx264", "mpeg4")
_TICKS_PER_SECOND = 90_000


class VideoWriter:
    """Writes frames of one size; the file takes its name when it is whole.

    Args:
        path: an .mp4 file.
        frames_per_second: what players are told; the frames' own times count.

    Raises:
        StorageError: it cannot be written.
    """

    def __init__(self, path: Path, frames_per_second: float) -> None:
        self.path = path
        self._part = path.with_name(f".{path.stem}.part{path.suffix}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(str(self._part), "w", format="mp4", options={"movflags": "faststart"})
        except (OSError, av.error.FFmpegError) as error:
            raise self._refusal(error) from error
        codec = next(name for name in CODECS if name in av.codecs_available)
        rate = Fraction(frames_per_second).limit_denominator(1001)
        stream = self._container.add_stream(codec, rate=rate, options={"crf": "20"})
        assert isinstance(stream, av.VideoStream)
        self._stream = stream
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, _TICKS_PER_SECOND)
        self._sized = False

    def add(self, pixels: NDArray[np.uint8], seconds: float) -> None:
        """Add a frame.

        Args:
            pixels: (H, W, 3) RGB; an odd last row or column is cut off, colours are stored by twos.
            seconds: when it is shown; later than the frame before.
        """
        height, width = pixels.shape[0] // 2 * 2, pixels.shape[1] // 2 * 2
        if not self._sized:
            self._stream.height, self._stream.width = height, width
            self._sized = True
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels[:height, :width]), format="rgb24")
        frame.pts, frame.time_base = round(seconds * _TICKS_PER_SECOND), Fraction(1, _TICKS_PER_SECOND)
        try:
            self._container.mux(self._stream.encode(frame))
        except (OSError, av.error.FFmpegError) as error:
            raise self._refusal(error) from error

    def _refusal(self, error: Exception) -> StorageError:
        reason = getattr(error, "strerror", None) or "encoding failed"
        return StorageError(f"cannot write ({reason}), in {self.path}; free space or choose another folder")

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._sized and kind is None:
                self._container.mux(self._stream.encode())
            self._container.close()
            if self._sized and kind is None:
                self._part.replace(self.path)
        except (OSError, av.error.FFmpegError) as failure:
            if kind is None:
                raise self._refusal(failure) from failure
        finally:
            self._part.unlink(missing_ok=True)
