"""The objective of Monodepth2 as it is published, formula by formula: what ours is measured against.

Godard et al., "Digging into self-supervised monocular depth estimation", ICCV 2019. Nothing is
shared or anticipated: every level and every source for itself, pooling for every window mean,
points in homogeneous coordinates, the error of the unmoved sources for each level. It reads like
the paper, and ours must equal it. In place of the random numbers that break ties there, the
unmoved source wins a tie. Pixel centres are at integers.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def objective(
    target: Tensor,
    sources: list[Tensor],
    K: Tensor,
    motions: list[Tensor],
    inverse_depths: list[Tensor],
    smoothness_weight: float = 1e-3,
) -> Tensor:
    """Mean over the levels of photometric error and smoothness.

    Args:
        target: (B, 3, H, W) in [0, 1].
        sources: as many such images.
        K: (B, 3, 3) of all of them, pixels.
        motions: (B, 4, 4), target to source, one for each source.
        inverse_depths: (B, 1, H / 2^l, W / 2^l) of the levels, finest first, 1/m.
        smoothness_weight: of the finest level; it halves with each.
    """
    values = []
    for level, inverse_depth in enumerate(inverse_depths):
        size = target.shape[-2:]
        depth = 1 / F.interpolate(inverse_depth, size, mode="bilinear", align_corners=False)
        rebuilt = [rebuild(source, depth, K, T) for source, T in zip(sources, motions, strict=True)]
        errors = [photometric_error(image, target) for image in rebuilt]
        unmoved = [photometric_error(image, target) for image in sources]
        # The first of equals wins, so the unmoved sources stand first.
        least = torch.cat(unmoved + errors, 1).min(dim=1).values
        small = F.interpolate(target, inverse_depth.shape[-2:], mode="area")
        smooth = smoothness(inverse_depth, small)
        values.append(least.mean() + smoothness_weight / 2**level * smooth)
    return torch.stack(values).mean()


def rebuild(source: Tensor, depth: Tensor, K: Tensor, T: Tensor) -> Tensor:
    """The target as a source shows it: points from pixels and depth, moved, projected, looked up."""
    batch, _, height, width = depth.shape
    v, u = torch.meshgrid(
        torch.arange(height, dtype=depth.dtype), torch.arange(width, dtype=depth.dtype), indexing="ij"
    )
    pixels = torch.stack([u, v, torch.ones_like(u)]).reshape(1, 3, -1).expand(batch, -1, -1)
    points = depth.reshape(batch, 1, -1) * (torch.linalg.inv(K) @ pixels)
    points = torch.cat([points, torch.ones_like(points[:, :1])], 1)
    projected = (K @ T[:, :3]) @ points
    places = projected[:, :2] / projected[:, 2:]
    grid = places.reshape(batch, 2, height, width).permute(0, 2, 3, 1)
    grid = 2 * grid / torch.tensor([width - 1, height - 1], dtype=depth.dtype) - 1
    return F.grid_sample(source, grid, padding_mode="border", align_corners=True)


def photometric_error(x: Tensor, y: Tensor) -> Tensor:
    """0.85 of structural dissimilarity and 0.15 of absolute difference, mean over the colours."""
    difference = (x - y).abs().mean(1, keepdim=True)
    return 0.85 * dissimilarity(x, y).mean(1, keepdim=True) + 0.15 * difference


def dissimilarity(x: Tensor, y: Tensor) -> Tensor:
    """(1 - SSIM) / 2 over windows of 3 by 3 pixels."""
    x, y = F.pad(x, (1, 1, 1, 1), mode="reflect"), F.pad(y, (1, 1, 1, 1), mode="reflect")
    mean_x, mean_y = F.avg_pool2d(x, 3, 1), F.avg_pool2d(y, 3, 1)
    variance_x = F.avg_pool2d(x**2, 3, 1) - mean_x**2
    variance_y = F.avg_pool2d(y**2, 3, 1) - mean_y**2
    covariance = F.avg_pool2d(x * y, 3, 1) - mean_x * mean_y
    over = (2 * mean_x * mean_y + 0.01**2) * (2 * covariance + 0.03**2)
    under = (mean_x**2 + mean_y**2 + 0.01**2) * (variance_x + variance_y + 0.03**2)
    return ((1 - over / under) / 2).clamp(0, 1)


def smoothness(inverse_depth: Tensor, image: Tensor) -> Tensor:
    """Slope of the inverse depth over its mean, less where the image has one."""
    normalised = inverse_depth / (inverse_depth.mean((2, 3), keepdim=True) + 1e-7)
    along_x = (normalised[..., :-1] - normalised[..., 1:]).abs()
    along_y = (normalised[..., :-1, :] - normalised[..., 1:, :]).abs()
    image_x = (image[..., :-1] - image[..., 1:]).abs().mean(1, keepdim=True)
    image_y = (image[..., :-1, :] - image[..., 1:, :]).abs().mean(1, keepdim=True)
    return (along_x * torch.exp(-image_x)).mean() + (along_y * torch.exp(-image_y)).mean()
