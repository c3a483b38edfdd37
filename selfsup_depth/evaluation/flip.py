"""Predictions for an image and for its mirror image, joined (Godard et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# Share of the width over which one prediction hands over to the other.
RAMP = 0.05


def predict_with_flip(predict: Callable[[Tensor], Tensor], image: Tensor) -> tuple[Tensor, Tensor]:
    """Predict for an image as it is and mirrored.

    Args:
        predict: from (B, 3, H, W) to inverse depth (B, 1, H, W), 1/m.
        image: (B, 3, H, W).

    Returns:
        Both joined, and how far apart they are at each pixel, both (B, 1, H, W) in 1/m.
    """
    direct = predict(image)
    mirrored = predict(image.flip(-1)).flip(-1)
    return join_with_mirrored(direct, mirrored), (direct - mirrored).abs()


def join_with_mirrored(direct: Tensor, mirrored: Tensor) -> Tensor:
    """Their mean, but each alone at the border of which it saw more.

    A network trained on pairs knows nothing at the left border, where the other camera does not
    look: there the mirrored prediction counts, and at the right border the direct one.

    Args:
        direct: (B, 1, H, W) prediction for the image.
        mirrored: (B, 1, H, W) prediction for the mirrored image, mirrored back.
    """
    across = torch.linspace(0, 1, direct.shape[-1], dtype=direct.dtype, device=direct.device)
    at_left = 1 - ((across - RAMP) / RAMP).clamp(0, 1)
    at_right = at_left.flip(-1)
    mean = (direct + mirrored) / 2
    return at_right * direct + at_left * mirrored + (1 - at_left - at_right) * mean
