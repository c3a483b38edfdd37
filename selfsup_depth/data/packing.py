"""Frames resized once and kept as they are trained on, so that no epoch decodes them again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from selfsup_depth.data.packed_shards import Place, holds, opened, remove_abandoned, shards_of, write
from selfsup_depth.data.recording import Camera
from selfsup_depth.data.selection import Example, Needs
from selfsup_depth.data.transforms import Framing
from selfsup_depth.structures import View


class PackedFrames:
    """Resized frames by their place; only names travel to the processes that read.

    Args:
        rows: shard, and place in it, of each frame.
    """

    def __init__(self, rows: dict[Place, tuple[Path, int]]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def num_bytes(self) -> int:
        """What they take on the disk."""
        return sum(shard.stat().st_size for shard in {shard for shard, _ in self._rows.values()})

    def view(self, place: Place, camera: Camera, framing: Framing) -> View:
        """As `framing` makes it of the photograph itself, to the last bit."""
        shard, row = self._rows[place]
        return framing.framed_view(opened(shard)[row], camera.K, camera.size)


def pack(
    examples: Sequence[Example],
    needs: Needs,
    size: tuple[int, int],
    folder: Path,
    rank: int = 0,
    world_size: int = 1,
) -> PackedFrames:
    """Resize every frame of the examples' cameras, unless that was done before.

    Args:
        examples: whose frames are needed.
        needs: which others each needs.
        size: height and width of the training images.
        folder: of the shards.
        rank: number of this process among those that pack at the same time.
        world_size: how many do; each begins with its share, and does what is then still missing.

    Raises:
        DataError: a frame that is needed cannot be read.
        StorageError: the shards cannot be written.
    """
    needed = {(e.recording.name, side, index) for e in examples for side, index in needs.places(e)}
    recordings = {id(e.recording): e.recording for e in examples}.values()
    shards = [
        shard
        for recording in recordings
        for side in sorted({side for name, side, _ in needed if name == recording.name})
        for shard in shards_of(recording, side, size, folder)
    ]
    remove_abandoned(folder)
    missing = [shard for shard in shards if not holds(shard, needed)]
    mine = sorted(range(len(missing)), key=lambda number: (number - rank) % world_size)
    for done, number in enumerate(mine, start=1):
        if not holds(missing[number], needed):
            write(missing[number], needed, f"packing {done}/{len(missing)}")
    return PackedFrames(
        {place: (shard.file, row) for shard in shards for row, place in enumerate(shard.places)}
    )
