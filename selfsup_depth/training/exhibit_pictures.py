"""Pictures of one evaluated image: what was seen, predicted and measured, and where the two differ."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from selfsup_depth.evaluation.exhibits import Exhibit
from selfsup_depth.training.colour import magma, white_point

# Of every picture; a page holds two beside each other.
WIDTH = 640
JPEG_QUALITY = 88

# The error whose colour is the strongest: 25 % too near (blue) or too far (orange).
STRONGEST_ERROR = 0.25
TOO_NEAR, RIGHT, TOO_FAR = (58, 110, 230), (236, 236, 236), (240, 110, 20)

# Share of measured pixels of a picture below which each is drawn larger.
SPARSE = 0.3

# Measured points are drawn on the dimmed image, or on this grey where there is none.
PAPER = 0.12
DIMMED = 0.35


def pictures_of(exhibit: Exhibit) -> Mapping[str, bytes]:
    """JPEG files by caption; without an input image its picture is left out."""
    height = max(1, round(WIDTH * exhibit.size[0] / exhibit.size[1]))
    image, predicted = exhibit.errors, exhibit.inverse_depth.float()[None, None]
    # One brightness for prediction and measurement, so that equal depth has equal colour.
    brightest = float(white_point(predicted)) / float(image.scale or 1)
    backdrop, shown = torch.full((3, height, WIDTH), PAPER), {}
    for seen in exhibit.context.image:
        picture = resized(seen[None].float().cpu(), height)[0]
        backdrop, shown = DIMMED * picture.mean(0, keepdim=True).expand(3, -1, -1), {"image": picture}
    depth = resized(predicted, height)[0] / white_point(predicted)[0]
    error = (image.predicted - image.measured) / image.measured / STRONGEST_ERROR
    shown |= {
        "predicted inverse depth, near is bright": magma(depth).float() / 255,
        "measured, in the same colours": drawn(
            exhibit, magma((1 / image.measured / brightest).float()[None, None])[:, 0], backdrop
        ),
        "error: blue too near, orange too far": drawn(exhibit, colours_of_error(error), backdrop),
    }
    return {caption: jpeg(picture) for caption, picture in shown.items()}


def resized(values: Tensor, height: int) -> Tensor:
    """(1, C, h, w) at the size of the pictures."""
    return F.interpolate(values, (height, WIDTH), mode="bilinear", align_corners=False, antialias=True)


def colours_of_error(error: Tensor) -> Tensor:
    """(3, n) colours 0 to 255 of errors (n,), where -1 and 1 have the strongest."""
    ends = torch.where(error[None] < 0, torch.tensor(TOO_NEAR)[:, None], torch.tensor(TOO_FAR)[:, None])
    middle = torch.tensor(RIGHT)[:, None].float()
    return middle + (ends - middle) * error.abs().clamp(max=1).float()


def drawn(exhibit: Exhibit, colours: Tensor, backdrop: Tensor) -> Tensor:
    """Points in their colours (3, n), 0 to 255, over a backdrop (3, H, WIDTH) in [0, 1].

    The points of a laser, a pixel each, would not be seen: where few pixels are measured, each
    is drawn three wide, and wider where the map is smaller than the picture. Where points meet, the
    nearest is on top.
    """
    height, image = backdrop.shape[1], exhibit.errors
    rows = (2 * image.rows + 1) * height // (2 * exhibit.size[0])
    columns = (2 * image.columns + 1) * WIDTH // (2 * exhibit.size[1])
    sparse = len(rows) < SPARSE * height * WIDTH
    # A map smaller than the picture would have gaps.
    reach = max(int(sparse), math.ceil(WIDTH / exhibit.size[1]) // 2)
    steps = list(itertools.product(range(-reach, reach + 1), repeat=2))
    places = [
        (rows + down).clamp(0, height - 1) * WIDTH + (columns + along).clamp(0, WIDTH - 1)
        for down, along in steps
    ]
    nearest_last = image.measured.repeat(len(steps)).argsort(descending=True)
    last = torch.full((height * WIDTH,), -1)
    last.scatter_reduce_(0, torch.cat(places)[nearest_last], torch.arange(len(nearest_last)), "amax")
    hit = last >= 0
    picture = backdrop.clone()
    picture.flatten(1)[:, hit] = colours.float()[:, nearest_last[last[hit]] % len(rows)] / 255
    return picture


def jpeg(picture: Tensor) -> bytes:
    """A JPEG file of (3, H, W) in [0, 1]."""
    pixels: NDArray[np.uint8] = (picture.clamp(0, 1) * 255).round().byte().movedim(0, -1).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return file.getvalue()
