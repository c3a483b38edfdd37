"""What a worker of the loader does for a batch of examples of three frames: ours against the field's.

JPEG of 1242x375 to 640x192, from the file to what a worker gives away: collated, as every loader's
is. Ours decodes, reduces once, and gives bytes and intrinsics; on the device bytes become numbers
and colours are changed, of the whole batch at once: "with the device's part" has that done here,
too. "packed" takes the frames of `data pack`.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import default_collate

from benchmarks import published_loader
from benchmarks.race import Contender
from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.data.frame_folder import FrameFolder
from selfsup_depth.data.loading import on_device
from selfsup_depth.modules.base import as_networks_see
from selfsup_depth.structures import Batch

HEIGHT, WIDTH, NUM_FRAMES, BATCH = 192, 640, 24, 4


def write_drive(root: Path) -> list[Path]:
    """A folder of frames with the detail of photographs (about 190 kB each)."""
    draw = torch.Generator().manual_seed(0)
    cells = {64: 0.5, 8: 0.3, 1: 0.12}
    scene = root / "scene"
    scene.mkdir()
    paths = [scene / f"{index:06}.jpg" for index in range(NUM_FRAMES)]
    for path in paths:
        layers = [
            share * F.interpolate(torch.rand(1, 3, 375 // c + 2, 1242 // c + 2, generator=draw), (375, 1242))
            for c, share in cells.items()
        ]
        values = torch.stack(layers).sum(0)[0].clamp(0, 1).mul(255).byte()
        Image.fromarray(values.permute(1, 2, 0).numpy()).save(path, quality=92)
    return paths


def contenders(root: Path) -> dict[str, Contender]:
    """A batch by either loader, going through the drive; the published one jitters every other example."""
    paths = write_drive(root)
    draw = random.Random(0)
    middles = itertools.cycle(range(1, NUM_FRAMES - 1))

    def published() -> object:
        return default_collate(
            [
                published_loader.example(paths[middle - 1 : middle + 2], (HEIGHT, WIDTH), draw, jitter)
                for middle, jitter in zip(itertools.islice(middles, BATCH), itertools.cycle((True, False)))
            ]
        )

    return {
        "published": published,
        "ours": worker(root, packed=False),
        "with the device's part": with_device(worker(root, packed=False)),
        "packed": worker(root, packed=True),
    }


def with_device(work: Callable[[], Batch]) -> Contender:
    """The batch as losses and networks see it."""

    def run() -> object:
        batch = on_device(work(), torch.device("cpu"))
        return batch, as_networks_see(batch, torch.contiguous_format)

    return run


def worker(root: Path, packed: bool) -> Callable[[], Batch]:
    """Our loader's worker, a batch at a time."""
    module = DepthDataModule(
        FrameFolder(10),
        root,
        HEIGHT,
        WIDTH,
        batch_size=BATCH,
        num_workers=0,
        stereo=False,
        fov=80.0,
        packed=packed,
        packed_folder=root / ".packed",
    )
    module.setup("fit")
    examples = module.train_dataloader().dataset
    keys = itertools.cycle((0, index) for index in range(len(examples)))
    return lambda: default_collate([examples[key] for key in itertools.islice(keys, BATCH)])
