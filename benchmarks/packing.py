"""What an example costs with packed frames and without: `python -m benchmarks.packing`.

Photographs as large as KITTI's, JPEG, a target with two neighbours at 640x192, collated to batches;
CPU time of one process, both in turn. The ratio is what counts.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from torch.utils.data import default_collate

from benchmarks.race import alone
from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.data.examples import TrainingExamples
from selfsup_depth.data.frame_folder import FrameFolder

STORED, TRAINED = (375, 1242), (192, 640)  # height, width
FRAMES, BATCH, ROUNDS = 30, 4, 8  # 28 targets
EPOCHS = {"decoded": 1, "packed": 20}  # so that a turn takes either a while


def write_frames(folder: Path) -> None:
    """Pictures with as much detail as a street has."""
    generator = np.random.default_rng(0)
    for number in range(FRAMES):
        picture = np.zeros((*STORED, 3), np.float32)
        for detail in (4, 16, 64, 256):
            coarse = generator.random((detail // 2, detail * 2, 3), np.float32)
            picture += cv2.resize(coarse, STORED[::-1], interpolation=cv2.INTER_CUBIC) / 4
        Image.fromarray((picture.clip(0, 1) * 255).astype(np.uint8)).save(
            folder / f"{number}.jpg", quality=92
        )


def examples(folder: Path, packed: bool) -> TrainingExamples:
    """Targets with both neighbours."""
    told = {"stereo": False, "fov": 80, "packed": packed, "packed_folder": folder / ".packed"}
    data = DepthDataModule(FrameFolder(10), folder, *TRAINED, 1, 0, **told)
    data.setup("fit")
    found = data.train_dataloader().dataset
    assert isinstance(found, TrainingExamples)
    return found


def milliseconds(of: TrainingExamples, epochs: int) -> float:
    """CPU time of an example in a batch, the mean over some epochs."""
    start = time.process_time()
    for epoch in range(epochs):
        for first in range(0, len(of), BATCH):
            default_collate([of[epoch, index] for index in range(first, first + BATCH)])
    return 1000 * (time.process_time() - start) / (epochs * len(of))


def main() -> None:
    """Time both in turn and print the ratio."""
    alone()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "frames"
        folder.mkdir()
        write_frames(folder)
        kinds = {"decoded": examples(folder, packed=False), "packed": examples(folder, packed=True)}
        rounds = range(ROUNDS + 1)  # one to warm up
        times = [{name: milliseconds(kinds[name], EPOCHS[name]) for name in kinds} for _ in rounds][1:]
    for name in kinds:
        print(f"{name:<10}{statistics.median(round_[name] for round_ in times):8.2f} ms an example")
    ratios = [round_["decoded"] / round_["packed"] for round_ in times]
    spread = f"({min(ratios):.1f} to {max(ratios):.1f})"
    print(f"packed frames are given {statistics.median(ratios):.1f} times as fast {spread}")


if __name__ == "__main__":
    main()
