"""Frames resized once and kept as they are trained on, so that no epoch decodes them again.

A shard is a memory-mapped array of some neighbouring frames of one camera. Its name is made from
what its frames were made of (file sizes and times, the resize rule), so that a frame that has
changed is not found, and made anew. Shards appear as a whole: what was interrupted goes on.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from selfsup_depth.data.grey_images import Bar, in_parallel
from selfsup_depth.data.recording import Camera, Frame, Recording, check_size
from selfsup_depth.data.selection import Example, Needs
from selfsup_depth.data.transforms import Framing
from selfsup_depth.errors import DataError, StorageError
from selfsup_depth.structures import View

# To be raised when the way to resize changes, so that what is kept is not believed.
_VERSION = 1
_FRAMES_PER_SHARD = 128

# Recording, side and frame index.
Place = tuple[str, str, int]


class PackedFrames:
    """Resized frames by their place; only names travel to the processes that read.

    Args:
        rows: shard, and place in it, of each frame.
    """

    def __init__(self, rows: dict[Place, tuple[Path, int]]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def view(self, place: Place, camera: Camera, framing: Framing) -> View:
        """As `framing` makes it of the photograph itself, to the last bit."""
        shard, row = self._rows[place]
        return framing.framed_view(_opened(shard)[row], camera.K, camera.size)


class _Shard(NamedTuple):
    """Neighbouring frames of one camera, and the file that holds them."""

    file: Path
    camera: Camera
    places: Sequence[Place]
    frames: Sequence[Frame]


def pack(examples: Sequence[Example], needs: Needs, size: tuple[int, int], folder: Path) -> PackedFrames:
    """Resize every frame of the examples' cameras, unless that was done before.

    Args:
        examples: whose frames are needed.
        needs: which others each needs.
        size: height and width of the training images.
        folder: of the shards.

    Raises:
        DataError: a frame that is needed cannot be read.
        StorageError: the shards cannot be written.
    """
    needed = {(e.recording.name, side, index) for e in examples for side, index in needs.places(e)}
    shards = [
        shard
        for recording in {id(e.recording): e.recording for e in examples}.values()
        for shard in _shards(recording, needed, size, folder)
    ]
    missing = [shard for shard in shards if not shard.file.exists()]
    for number, shard in enumerate(missing, start=1):
        _write(shard, needed, size, Bar(f"packing {number}/{len(missing)}", True, "frame"))
    return PackedFrames(
        {place: (shard.file, row) for shard in shards for row, place in enumerate(shard.places)}
    )


def _shards(
    recording: Recording, needed: Iterable[Place], size: tuple[int, int], folder: Path
) -> Iterator[_Shard]:
    sides = {side for name, side, _ in needed if name == recording.name}
    for side in sorted(sides):
        camera = recording.cameras[side]
        indices = sorted(camera.frames)
        for start in range(0, len(indices), _FRAMES_PER_SHARD):
            chosen = indices[start : start + _FRAMES_PER_SHARD]
            frames = [camera.frames[index] for index in chosen]
            series = _hash(recording.name, side, str(start))
            made_of = [part for frame in frames for part in frame.image.identity()]
            file = folder / f"{series}-{_hash(str(_VERSION), repr(size), *made_of)}.npy"
            yield _Shard(file, camera, [(recording.name, side, index) for index in chosen], frames)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]


def _write(shard: _Shard, needed: set[Place], size: tuple[int, int], bar: Bar) -> None:
    """Resize the frames of a shard; of a former state of theirs nothing stays."""

    def resized(item: tuple[Place, Frame]) -> NDArray[np.uint8]:
        place, frame = item
        try:
            pixels = frame.image.pixels()
            check_size(pixels.shape[:2], shard.camera.size, frame.image)
        except DataError:
            if place in needed:
                raise
            return np.zeros((3, *size), np.uint8)
        return np.asarray(Framing(size).pixels(pixels))

    part = shard.file.with_name(f".{shard.file.name}.{os.getpid()}")
    try:
        shard.file.parent.mkdir(parents=True, exist_ok=True)
        items = list(zip(shard.places, shard.frames, strict=True))
        packed = np.lib.format.open_memmap(part, "w+", np.uint8, (len(items), 3, *size))
        for row, pixels in enumerate(in_parallel(resized, items, bar)):
            packed[row] = pixels
        packed.flush()
        for former in shard.file.parent.glob(f"{shard.file.name.partition('-')[0]}-*.npy"):
            former.unlink(missing_ok=True)
        os.replace(part, shard.file)
    except OSError as error:
        what = f"frames cannot be packed ({error.strerror}), in {shard.file.parent}"
        raise StorageError(f"{what}; free space, or give --data.packed=false") from error
    finally:
        with suppress(OSError):
            part.unlink()


@lru_cache(maxsize=256)
def _opened(shard: Path) -> Tensor:
    """A shard's frames, bytes (N, 3, H, W), read when they are touched; what is written stays in memory."""
    return torch.from_numpy(np.load(shard, mmap_mode="c", allow_pickle=False))
