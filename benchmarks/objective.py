"""The objective, forward and backward: ours against the published one, on the same work.

Two video sources, four levels compared at full resolution, automatic mask, 640x192, batch 2.
Before anything is timed, value and gradients must agree: in float64 to 1e-9, in float32 by norm
to 1e-2 (a bilinear cell or the choice of a source flips at single pixels).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks import published_objective
from selfsup_depth.losses.photometric import Photometric
from selfsup_depth.losses.smoothness import Smoothness
from selfsup_depth.modules.pyramid import synthesize_level
from selfsup_depth.structures import Batch, DepthEstimate, PosedView, View

HEIGHT, WIDTH, BATCH, LEVELS, SOURCES = 192, 640, 2, 4, 2
SMOOTHNESS_WEIGHT = 1e-3


class Work(NamedTuple):
    """What an objective is computed from.

    target: (B, 3, H, W) in [0, 1].
    sources: as many such images.
    K: (B, 3, 3) pixels.
    motions: (B, 4, 4) of each source; wants a gradient.
    inverse_depths: (B, 1, h, w) of each level, 1/m; want a gradient.
    """

    target: Tensor
    sources: list[Tensor]
    K: Tensor
    motions: list[Tensor]
    inverse_depths: list[Tensor]

    @property
    def learned(self) -> list[Tensor]:
        return self.motions + self.inverse_depths


def work(
    batch: int = BATCH,
    sources: int = SOURCES,
    levels: int = LEVELS,
    size: tuple[int, int] = (HEIGHT, WIDTH),
    dtype: torch.dtype = torch.float32,
) -> Work:
    """Smooth noise that moves from source to source, and a depth that is not quite right."""
    draw = torch.Generator().manual_seed(0)
    height, width = size

    def smooth(channels: int, cell: int) -> Tensor:
        coarse = torch.rand(batch, channels, height // cell + 2, width // cell + 2, generator=draw)
        return F.interpolate(coarse.to(dtype), size, mode="bilinear", align_corners=False)

    target = 0.7 * smooth(3, 16) + 0.3 * smooth(3, 4)
    K = torch.tensor([[0.58 * width, 0, width / 2], [0, 1.92 * height, height / 2], [0, 0, 1]], dtype=dtype)
    motions = []
    for number in range(sources):
        T = torch.eye(4, dtype=dtype).repeat(batch, 1, 1)
        T[:, :3, 3] = torch.tensor([0.02, 0.01, 0.4 if number % 2 else -0.4], dtype=dtype)
        motions.append(T.requires_grad_())
    rho = 0.05 + 0.15 * smooth(1, 16)
    pyramid = [
        F.interpolate(rho, (height >> n, width >> n), mode="area").requires_grad_() for n in range(levels)
    ]
    moved = [target.roll(3 if number % 2 else -3, dims=3) for number in range(sources)]
    return Work(target, moved, K.expand(batch, 3, 3), motions, pyramid)


def ours(work: Work, compiled: bool = False) -> Tensor:
    """The objective as the trainer computes it, set as it is published."""
    photometric = Photometric(padding="border")
    smoothness = Smoothness(weight=SMOOTHNESS_WEIGHT)
    photometric.compiled = smoothness.compiled = compiled
    target = View(work.target, work.K)
    sources = [PosedView(View(image, work.K), T) for image, T in zip(work.sources, work.motions, strict=True)]
    rebuilt = [
        synthesize_level(target, sources, rho, "full", compiled=compiled) for rho in work.inverse_depths
    ]
    estimates = [
        DepthEstimate(level, rho, syntheses, sources, work.motions, [])
        for level, (rho, syntheses) in enumerate(zip(work.inverse_depths, rebuilt, strict=True))
    ]
    batch = Batch(target, [], sources, [])
    return photometric(batch, estimates) + smoothness.weight * smoothness(batch, estimates)


def ours_compiled(work: Work) -> Tensor:
    """The same with `--model.compile objective`."""
    return ours(work, compiled=True)


def published(work: Work) -> Tensor:
    """The objective as the paper writes it."""
    return published_objective.objective(*work, SMOOTHNESS_WEIGHT)


# The first is what the others are compared with.
WAYS: dict[str, Callable[[Work], Tensor]] = {
    "published": published,
    "ours": ours,
    "compiled": ours_compiled,
}


def forward_and_backward(objective: Callable[[Work], Tensor], work: Work) -> Callable[[], list[Tensor]]:
    """A run that returns the value and the gradients."""

    def run() -> list[Tensor]:
        value = objective(work)
        return [value.detach(), *torch.autograd.grad(value, work.learned)]

    return run


def disagreement(ours: list[Tensor], theirs: list[Tensor]) -> float:
    """The largest distance of two results, relative by norm."""
    return max(float((a - b).norm() / b.norm()) for a, b in zip(ours, theirs, strict=True))


def check_agreement(**sizes: Any) -> None:
    """Compare value and gradients of every way with the published one before anything is timed.

    Args:
        sizes: of the work, where it is another than usual.

    Raises:
        AssertionError: one differs by more than 1e-9 in float64, or 1e-2 in float32.
    """
    for dtype, allowed in ((torch.float64, 1e-9), (torch.float32, 1e-2)):
        data = work(dtype=dtype, **sizes)
        expected = forward_and_backward(published, data)()
        for name, way in WAYS.items():
            found = disagreement(forward_and_backward(way, data)(), expected)
            print(f"objective, {name}, {dtype}: value and gradients agree to {found:.1e}")
            if found > allowed:
                raise AssertionError(f"{name} differs by {found:.1e}, more than {allowed:.0e}")
