"""Depth in metres, inverse depth in 1/m, and disparity in pixels are three different things."""

from __future__ import annotations

from torch import Tensor

from selfsup_depth.geometry.precision import at_least_float32

# Inverse depths below this (farther than 1e6 m) are taken as this, to keep depth finite.
MIN_INVERSE_DEPTH = 1e-6


def inverse_depth_from_sigmoid(activation: Tensor, min_depth: float, max_depth: float) -> Tensor:
    """Map (0, 1) linearly onto [1 / max_depth, 1 / min_depth], in 1/m."""
    nearest, farthest = 1 / min_depth, 1 / max_depth
    return farthest + (nearest - farthest) * at_least_float32(activation)


def sigmoid_from_inverse_depth(inverse_depth: float, min_depth: float, max_depth: float) -> float:
    """The activation in (0, 1) that stands for an inverse depth, in 1/m."""
    nearest, farthest = 1 / min_depth, 1 / max_depth
    return (inverse_depth - farthest) / (nearest - farthest)


def depth_from_inverse_depth(inverse_depth: Tensor) -> Tensor:
    """Depth in metres from inverse depth in 1/m, finite also where that is zero."""
    return 1 / at_least_float32(inverse_depth).clamp(min=MIN_INVERSE_DEPTH)


def disparity_from_inverse_depth(inverse_depth: Tensor, focal: Tensor, baseline: Tensor) -> Tensor:
    """Disparity of a rectified pair, x_left - x_right, in pixels.

    Args:
        inverse_depth: (B, 1, H, W) in 1/m.
        focal: (B,) in pixels of the image the disparity is measured in.
        baseline: (B,) metres.
    """
    return inverse_depth * (focal * baseline)[:, None, None, None]
