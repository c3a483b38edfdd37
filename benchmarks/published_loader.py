"""What a loader of the field does for one example, step by step: what ours is measured against.

As in the published trainers that read KITTI: each of three frames is decoded, reduced by Lanczos'
filter to four sizes one after the other, every size (and the full one) becomes a float tensor, and
a second set of them has its colours changed on every other example, with Pillow.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch import Tensor

LEVELS = 4


def example(paths: list[Path], size: tuple[int, int], draw: random.Random, jitter: bool) -> list[Tensor]:
    """All maps of an example, (3, h, w) in [0, 1]."""
    flip = draw.random() < 0.5
    change = colour_change(draw) if jitter else None
    maps = []
    for path in paths:
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        if flip:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pyramid = [picture]
        for level in range(LEVELS):
            at = (size[1] >> level, size[0] >> level)
            pyramid.append(pyramid[-1].resize(at, Image.Resampling.LANCZOS))
        for one in pyramid:
            maps += [to_tensor(one), to_tensor(change(one) if change else one)]
    return maps


def to_tensor(picture: Image.Image) -> Tensor:
    """(3, H, W) in [0, 1]."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous().float().div(255)


def colour_change(draw: random.Random) -> Callable[[Image.Image], Image.Image]:
    """Brightness, contrast, saturation by a factor in 0.8..1.2, hue by at most a tenth of a turn."""
    brightness, contrast, saturation = (draw.uniform(0.8, 1.2) for _ in range(3))
    hue = round(255 * draw.uniform(-0.1, 0.1))

    def change(picture: Image.Image) -> Image.Image:
        picture = ImageEnhance.Brightness(picture).enhance(brightness)
        picture = ImageEnhance.Contrast(picture).enhance(contrast)
        picture = ImageEnhance.Color(picture).enhance(saturation)
        h, s, v = picture.convert("HSV").split()
        h = Image.fromarray((np.array(h).astype(np.int16) + hue).astype(np.uint8))
        return Image.merge("HSV", (h, s, v)).convert("RGB")

    return change
