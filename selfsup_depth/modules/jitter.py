"""Colour jitter of a batch: what the networks see, never what the losses compare.

Every change is linear in the colours: one 3x3 matrix and one grey offset for each image.
A batch costs one small matrix product, which matters where the CPU trains.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from selfsup_depth.geometry.precision import at_least_float32, full_precision
from selfsup_depth.structures import ColourJitter

# NTSC's YIQ from RGB. Its first row is the luma of ITU-R BT.601, as Pillow and torchvision use it.
_YIQ_FROM_RGB = [[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]]
# From red towards yellow, the sense in which HSV counts its hue, is from I towards -Q.
_QUARTER_TURN_OF_IQ = [[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]


def apply_jitter(image: Tensor, jitter: ColourJitter) -> Tensor:
    """Change brightness, contrast about the image's mean luma, saturation and hue, in this order.

    Hue turns the chroma I, Q at constant luma; the usual turn in HSV is not linear and lets
    the luma jump. Values are clamped once, at the end.

    Args:
        image: (B, 3, H, W) RGB in [0, 1].
        jitter: (B,) factors, and shift of hue in turns, of the examples.

    Returns:
        (B, 3, H, W) in [0, 1].
    """
    with full_precision(image):
        pixels = at_least_float32(image).flatten(2)  # (B, 3, H W)
        matrix = _colour_matrix(jitter, pixels)
        luma = pixels.new_tensor(_YIQ_FROM_RGB[0])
        grey = jitter.brightness.to(pixels) * (pixels.mean(dim=2) @ luma)
        offset = (1 - jitter.contrast.to(pixels)) * grey
        changed = torch.baddbmm(offset[:, None, None], matrix, pixels).clamp_(0, 1)
    return changed.view_as(image).to(image.dtype)


def _colour_matrix(jitter: ColourJitter, like: Tensor) -> Tensor:
    """(B, 3, 3) RGB from RGB: grey is scaled, the chroma around it scaled and turned."""
    yiq_from_rgb = torch.tensor(_YIQ_FROM_RGB, dtype=torch.float64)
    turn_of_iq = torch.tensor(_QUARTER_TURN_OF_IQ, dtype=torch.float64)
    quarter_turn = torch.linalg.solve(yiq_from_rgb, turn_of_iq @ yiq_from_rgb).to(like)  # of RGB
    luma = like.new_tensor(_YIQ_FROM_RGB[0]).expand(3, 3)
    chroma = torch.eye(3, dtype=like.dtype, device=like.device) - luma
    scale, saturation, hue = (
        values.to(like)[:, None, None]
        for values in (jitter.brightness * jitter.contrast, jitter.saturation, 2 * math.pi * jitter.hue)
    )
    matrix: Tensor = scale * (luma + saturation * (hue.cos() * chroma + hue.sin() * quarter_turn))
    return matrix
