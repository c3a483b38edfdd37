"""Options of the data that no data could make sense of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from selfsup_depth.data.augmentation import Augmentation
from selfsup_depth.data.intrinsics import FieldOfView
from selfsup_depth.errors import ConfigError

# Far more than any machine reads with; a slip of a few zeros would fork until nothing else can run.
MOST_WORKERS = 256
# Pixels; memory ends long before.
LARGEST_SIDE = 16384


def check_ranges(augmentation: Augmentation, **counts: float) -> None:
    """Refuse numbers that are too small or too large.

    Args:
        augmentation: what is changed at random.
        counts: height, width, batch_size, num_workers, hold_out.

    Raises:
        ConfigError: naming the option.
    """
    ranges = {
        "height": (1, LARGEST_SIDE),
        "width": (1, LARGEST_SIDE),
        "batch_size": (1, math.inf),
        "num_workers": (0, MOST_WORKERS),
        "hold_out": (0, 0.999),
        "colour_jitter": (0, 1),
        "zoom": (1, 10),
    }
    given = {**counts, "colour_jitter": augmentation.colour_jitter, "zoom": augmentation.zoom}
    for name, (low, high) in ranges.items():
        if not low <= given[name] <= high:
            allowed = f"between {low} and {high}" if math.isfinite(high) else f"at least {low}"
            raise ConfigError(f"{name} is {given[name]}; give --data.{name} {allowed}")


def check_frames(video: Sequence[int], split: str | None, hold_out: float, min_parallax: float = 0.0) -> None:
    """Refuse neighbours that are none, a parallax without any, and two ways to keep frames for validation.

    Raises:
        ConfigError: naming the option.
    """
    if 0 in video or len(set(video)) < len(video):
        raise ConfigError(f"video is {list(video)}; give offsets that differ, none 0: --data.video=[-1,1]")
    if not 0 <= min_parallax < math.inf or (min_parallax and not video):
        fix = "give pixels from 0 on, and neighbours in --data.video"
        raise ConfigError(f"min_parallax is {min_parallax}; {fix}")
    if split is not None and hold_out:
        raise ConfigError("hold_out is for data without a split; leave one of the two out")


def check_sources(video: Sequence[int], stereo: bool) -> None:
    """Refuse to train on targets alone.

    Raises:
        ConfigError: there is neither a neighbour nor another camera.
    """
    if not video and not stereo:
        raise ConfigError("no source to learn from; give --data.video=[-1,1] or --data.stereo=true")


def check_fov(fov: FieldOfView, stereo: bool, two_view_motion: bool) -> None:
    """Refuse a field of view that a camera without distortion cannot have, or what needs one beside none.

    Raises:
        ConfigError: it is not between 1 and 170 degrees, or unknown where the camera must be known.
    """
    if fov == "unknown" and stereo:
        raise ConfigError("fov is unknown, and pairs need a camera; give --data.fov DEGREES or a camera.yaml")
    if fov == "unknown" and two_view_motion:
        raise ConfigError(
            "fov is unknown, and two-view geometry needs a camera; give --data.fov DEGREES, or "
            "--data.two_view_motion=false --model.geometric_start.steps=0 "
            "--model.pose_net.learned_intrinsics=true"
        )
    if isinstance(fov, float | int) and not 1 <= fov <= 170:
        raise ConfigError(f"fov is {fov}; give --data.fov in degrees, between 1 and 170, or unknown")


def check_packed(packed: bool, folder: Path | None, zoom: float) -> None:
    """Refuse frames that are resized beforehand where each example is cut in its own way, or a folder alone.

    Raises:
        ConfigError: both are asked for, a folder alone, or the working folder, which "" stands for, too.
    """
    if folder == Path():
        raise ConfigError("packed_folder is the working folder; give --data.packed_folder a name")
    if folder and not packed:
        raise ConfigError(f"packed_folder is {folder}, and nothing is packed; give --data.packed=true")
    if packed and zoom != 1:
        raise ConfigError("packed frames are resized as a whole; leave out --data.zoom, or packing")
