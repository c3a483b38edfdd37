"""Faults of videos: 45 to 48."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import videos
from faults.workshop import Case, Make, Workshop

NUM_MANY = 101
OPTIONS = ("--data.fov=80", "--trainer.max_steps=1")

Damaged = Callable[[Path], object]


def with_video(make_it: Damaged, num_others: int = 0, num_bad: int = 1, *options: str) -> Make:
    """Train on videos of which some are damaged."""

    def make(shop: Workshop) -> list[str]:
        shop.root.mkdir()
        whole = videos.write_video(shop.folder / "whole.mp4", videos.moving_pattern(4))
        for number in range(num_others):
            shutil.copy(whole, shop.root / f"video_{number:03d}.mp4")
        for number in range(num_bad):
            make_it(shop.root / f"bad_{number}.mp4")
        return shop.train(*OPTIONS, *options, method="monodepth2_mono", layout="data/video.yaml")

    return make


def truncated(path: Path) -> None:
    """What the player needs stands at the end, which is gone."""
    videos.write_video(path, videos.moving_pattern(40))
    keep_share(path, 0.5)


def fewer_frames(path: Path) -> None:
    """The header, with the number of frames, stands at the beginning."""
    videos.write_video(path, videos.moving_pattern(40), fast_start=True)
    keep_share(path, 0.6)


def keep_share(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: round(share * len(content))])


def playlist(path: Path) -> None:
    """Names another video, which is whole."""
    videos.write_video(path.parents[1] / "other.mp4", videos.moving_pattern(4))
    path.write_text("#EXTM3U\n#EXTINF:10,\n../other.mp4\n")


# Number, fault, damage, what must be named.
VIDEOS = [
    ("45", "video truncated", truncated, r"Invalid data.*bad_0\.mp4"),
    ("46", "no video stream in the file", videos.write_sound, r"no video stream.*bad_0\.mp4"),
    ("47", "fewer frames than the header says", fewer_frames, r"of 40 frames can be decoded.*bad_0\.mp4"),
    ("48", "playlist named .mp4", playlist, r"not an mp4.*bad_0\.mp4"),
]
SKIP = "--on-bad-data=skip"
ONE_BAD = rf"1 of {NUM_MANY} recordings are bad and left out, the first because .*"

CASES = [Case(number, fault, with_video(damage), 3, told) for number, fault, damage, told in VIDEOS]
SKIPPED = [
    *(Case(f"{number}s", f"{fault}, skipped", with_video(damage, NUM_MANY - 1, 1, SKIP), 0, ONE_BAD + told)
      for number, fault, damage, told in VIDEOS),
    Case("45t", "two videos of 102 truncated", with_video(truncated, NUM_MANY - 1, 2, SKIP), 3,
         r"2 of 102 recordings are bad, more than 1%.*bad_0\.mp4"),
]  # fmt: skip
