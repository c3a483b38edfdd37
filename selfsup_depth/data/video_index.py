"""What frames a video has and when they were taken."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

# To be raised when the way to find frames changes, so that what is kept is not believed.
_VERSION = 1


@dataclass(frozen=True, eq=False)
class VideoIndex:
    """The frames of a video in the order of showing.

    Attributes:
        path: the video.
        pts: (N,) time of each frame in units of the stream's time base, increasing.
        checksums: (N,) of each frame as it is decoded from the beginning.
        key_pts: (K,) times at which decoding can begin, increasing.
        size: height and width of the frames as they are stored.
        rotation: degrees by which they are to be turned, anticlockwise: 0, 90, 180, 270.
        pixel_aspect: width of a stored pixel over its height, as numerator and denominator.
        time_base: seconds of a unit of `pts`, as numerator and denominator.
    """

    path: Path
    pts: NDArray[np.int64]
    checksums: NDArray[np.int64]
    key_pts: NDArray[np.int64]
    size: tuple[int, int]
    rotation: int
    pixel_aspect: tuple[int, int]
    time_base: tuple[int, int]

    @property
    def seconds(self) -> NDArray[np.float64]:
        """(N,) since the first frame; exact as far as the stream is."""
        numerator, denominator = self.time_base
        seconds: NDArray[np.float64] = (self.pts - self.pts[0]) * (numerator / denominator)
        return seconds

    @property
    def upright_size(self) -> tuple[int, int]:
        """Height and width of the frames as they are shown."""
        return self.size[::-1] if self.rotation % 180 else self.size

    @property
    def upright_pixel_aspect(self) -> float:
        """Width of a pixel over its height as it is shown."""
        aspect = self.pixel_aspect[0] / self.pixel_aspect[1]
        return 1 / aspect if self.rotation % 180 else aspect

    def save(self, path: Path) -> None:
        """Write it as a whole; a place that cannot be written costs time, no result."""
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                numbers = np.array([*self.size, self.rotation, *self.pixel_aspect, *self.time_base])
                arrays = {"pts": self.pts, "checksums": self.checksums, "key_pts": self.key_pts}
                np.savez(file, stamp=_stamp(self.path), numbers=numbers, allow_pickle=False, **arrays)
            os.replace(temporary, path)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            log.warning("frame times cannot be kept (%s), in %s; they are found in every run", error, path)

    @classmethod
    def load(cls, path: Path, video: Path) -> VideoIndex | None:
        """What `save` wrote about a video; None if the video has changed, or what it wrote is damaged."""
        try:
            with np.load(path, allow_pickle=False) as file:
                if not np.array_equal(file["stamp"], _stamp(video)):
                    return None
                pts, checksums, key_pts = (file[name] for name in ("pts", "checksums", "key_pts"))
                height, width, rotation, *ratios = map(int, file["numbers"])
            if pts.shape != checksums.shape or not pts.size:
                raise ValueError(f"{pts.size} times and {checksums.size} checksums")
            aspect, time_base = (ratios[0], ratios[1]), (ratios[2], ratios[3])
            return cls(video, pts, checksums, key_pts, (height, width), rotation, aspect, time_base)
        except FileNotFoundError:
            return None
        # A damaged archive fails in many ways (zlib.error, BadZipFile, EOFError, KeyError, ...).
        except Exception as error:
            reason = " ".join(str(error).split())
            log.warning("kept frame times cannot be read (%s), in %s; finding them again", reason, path)
            return None


def _stamp(video: Path) -> NDArray[np.int64]:
    """What changes when the file does, or this program's way to find frames."""
    stat = video.stat()
    return np.array([_VERSION, stat.st_size, stat.st_mtime_ns], np.int64)
