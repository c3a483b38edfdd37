"""Shards: files that hold some neighbouring frames of one camera as they are trained on.

A file is a NumPy array of bytes (N, 3, H, W), to be mapped into memory, and behind it N bytes, 1 for
each frame that could be read. Its name is made from what its frames were made of (file sizes and
times, the resize rule), so that a frame that has changed is not found, and made anew. It appears as
a whole: what was interrupted goes on with the next.
"""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from selfsup_depth.data.grey_images import Bar, in_parallel
from selfsup_depth.data.recording import Camera, Frame, Recording
from selfsup_depth.data.transforms import Framing
from selfsup_depth.errors import DataError, StorageError, first_line

# To be raised when the way to resize changes, so that what is kept is not believed.
_VERSION = 3
_FRAMES_PER_SHARD = 128
# A part that nobody has written to for so long is what a killed process left behind.
_SECONDS_TO_ABANDON = 3600

# Recording, side and frame index.
Place = tuple[str, str, int]


class Shard(NamedTuple):
    """Neighbouring frames of one camera, and the file that holds them.

    size: height and width of the frames in it.
    """

    file: Path
    camera: Camera
    places: Sequence[Place]
    frames: Sequence[Frame]
    size: tuple[int, int]

    @property
    def series(self) -> str:
        """What the file's name begins with, whatever state the frames are in."""
        return self.file.name.partition("-")[0]

    def header(self) -> bytes:
        """What a file of this array begins with."""
        header = io.BytesIO()
        shape = len(self.places), 3, *self.size
        told = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, told)
        return header.getvalue()


def shards_of(recording: Recording, side: str, size: tuple[int, int], folder: Path) -> Iterator[Shard]:
    """The shards of a camera's frames, there or not."""
    camera = recording.cameras[side]
    indices = sorted(camera.frames)
    for start in range(0, len(indices), _FRAMES_PER_SHARD):
        chosen = indices[start : start + _FRAMES_PER_SHARD]
        frames = [camera.frames[index] for index in chosen]
        series = _hash(recording.name, side, str(start))
        made_of = [part for frame in frames for part in frame.image.identity()]
        file = folder / f"{series}-{_hash(str(_VERSION), repr(size), *made_of)}.npy"
        yield Shard(file, camera, [(recording.name, side, index) for index in chosen], frames, size)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]


def holds(shard: Shard, needed: Collection[Place]) -> bool:
    """Whether the file is there, whole, and has every frame that is needed."""
    count = len(shard.places)
    length = len(shard.header()) + count * (3 * shard.size[0] * shard.size[1] + 1)
    try:
        with shard.file.open("rb") as file:
            if file.seek(0, os.SEEK_END) != length:
                return False
            file.seek(length - count)
            readable = file.read()
    except OSError:
        return False
    return all(there or place not in needed for place, there in zip(shard.places, readable, strict=True))


def write(shard: Shard, needed: Collection[Place], title: str) -> None:
    """Resize the frames of a shard; of a former state of theirs nothing stays.

    Raises:
        DataError: a frame that is needed cannot be read.
        StorageError: the file cannot be written.
    """

    def resized(item: tuple[Place, Frame]) -> NDArray[np.uint8] | None:
        place, frame = item
        try:
            pixels = frame.image.pixels(stored, framing.reduction(stored))
        except DataError:
            if place in needed:
                raise
            return None
        return np.asarray(framing.pixels(pixels, stored))

    framing, stored = Framing(shard.size), shard.camera.size
    items = list(zip(shard.places, shard.frames, strict=True))
    part = shard.file.with_name(f".{shard.file.name}.{os.getpid()}")
    try:
        shard.file.parent.mkdir(parents=True, exist_ok=True)
        # Not mapped: a full disk would then end the process without a word.
        with part.open("wb") as file:
            file.write(shard.header())
            readable = bytearray()
            for pixels in in_parallel(resized, items, Bar(title, True, "frame")):
                readable.append(pixels is not None)
                file.write(bytes(3 * shard.size[0] * shard.size[1]) if pixels is None else pixels.data)
            file.write(readable)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, shard.file)
        for former in shard.file.parent.glob(f"{shard.series}-*.npy"):
            if former != shard.file:
                former.unlink(missing_ok=True)
    except OSError as error:
        what = f"frames cannot be packed ({error.strerror}), in {shard.file.parent}"
        raise StorageError(f"{what}; free space, or give another --data.packed_folder") from error
    finally:
        with suppress(OSError):
            part.unlink()


def remove_abandoned(folder: Path) -> None:
    """Remove what processes that were killed have left behind."""
    for part in folder.glob(".*.npy.*"):
        with suppress(OSError):
            if time.time() - part.stat().st_mtime > _SECONDS_TO_ABANDON:
                part.unlink()


@lru_cache(maxsize=256)
def opened(file: Path) -> Tensor:
    """A shard's frames, bytes (N, 3, H, W), read when they are touched; what is written stays in memory.

    Raises:
        DataError: another run has packed them anew since.
    """
    try:
        return torch.from_numpy(np.load(file, mmap_mode="c", allow_pickle=False))
    except (OSError, ValueError) as error:
        what = f"packed frames cannot be read ({first_line(error)[:80]}), in {file}"
        raise DataError(f"{what}; start the run anew, it packs them again") from error
