"""At which resolution the levels of the pyramid are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor

from selfsup_depth.geometry.camera import resize_intrinsics
from selfsup_depth.geometry.resize import resize_by_area, upsample
from selfsup_depth.geometry.view_synthesis import Gradient, synthesize
from selfsup_depth.structures import PosedView, Synthesis, View

Pyramid = Literal["full", "native"]


def synthesize_level(
    target: View,
    sources: list[PosedView],
    inverse_depth: Tensor,
    pyramid: Pyramid,
    gradient: Gradient = "bilinear",
    compiled: bool = False,
) -> list[Synthesis]:
    """Rebuild the target with the inverse depth of one level.

    Args:
        target: at full resolution.
        sources: at full resolution.
        inverse_depth: (B, 1, h, w) of this level, 1/m.
        pyramid: "full" brings the inverse depth up to the image's size (Monodepth2), "native"
            brings images and intrinsics down to the level's (Monodepth, SfM-Learner).
        gradient: how the colours change with the place they are looked up at.
        compiled: in compiled kernels; see `synthesize`.
    """
    if pyramid == "full":
        size = target.image.shape[-2:]
        if inverse_depth.shape[-2:] != size:
            # Inverse depth, not depth, is what may be interpolated: it is linear on a plane.
            inverse_depth = upsample(inverse_depth, size)
    else:
        level = (inverse_depth.shape[-2], inverse_depth.shape[-1])
        target = reduce_view(target, level)
        sources = [source._replace(view=reduce_view(source.view, level)) for source in sources]
    return [synthesize(target, source, inverse_depth, gradient, compiled) for source in sources]


def counted_only(syntheses: list[Synthesis], counted: Sequence[Tensor]) -> list[Synthesis]:
    """Syntheses that are not to be trusted where the target's pixels do not count.

    Args:
        syntheses: of one level.
        counted: one map (B, 1, H, W) bool at full resolution, or none: all count.
    """
    if not counted:
        return syntheses
    (whole,) = counted
    size = syntheses[0].valid.shape[-2:] if syntheses else whole.shape[-2:]
    at_level = resize_by_area(whole.float(), size) > 1 - 1e-3
    return [synthesis._replace(valid=synthesis.valid & at_level) for synthesis in syntheses]


def reduce_view(view: View, size: tuple[int, int]) -> View:
    """A view at a coarser level: area means of its colours, and the intrinsics that fit them."""
    full = (view.image.shape[-2], view.image.shape[-1])
    if full == size:
        return view
    return View(resize_by_area(view.image, size), resize_intrinsics(view.K, full, size))
