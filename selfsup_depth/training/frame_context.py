"""What the data know of a test frame besides its image and depth."""

from __future__ import annotations

import torch

from selfsup_depth.data.selection import Example
from selfsup_depth.evaluation.exhibits import ImageContext
from selfsup_depth.geometry.camera import resize_intrinsics
from selfsup_depth.structures import Measured


def context_of(batch: Measured, example: Example) -> ImageContext:
    """Image, camera and mask of one frame.

    Raises:
        DataError: the mask cannot be read.
    """
    size = (batch.depth.shape[-2], batch.depth.shape[-1])
    height, width = batch.view.image.shape[-2:]
    K = resize_intrinsics(batch.view.K[0].double(), (height, width), size)
    mask = example.frame.moving
    return ImageContext(
        [batch.view.image[0]],
        K=[K] if bool(K.isfinite().all()) else [],
        moving=[torch.from_numpy(mask.read(size))] if mask else [],
    )
