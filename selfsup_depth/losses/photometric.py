"""Photometric error of the syntheses: what the views look like when they are rebuilt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from selfsup_depth.errors import ConfigError
from selfsup_depth.geometry.resize import resize_by_area
from selfsup_depth.losses.base import LossTerm
from selfsup_depth.losses.explainability import explained
from selfsup_depth.losses.geometry_consistency import geometry_weights
from selfsup_depth.losses.least_error import MOST_IN_ONE_KERNEL, least_error, of_the_least
from selfsup_depth.losses.needs import Need
from selfsup_depth.losses.photometric_error import clipped, photometric_error, window_statistics
from selfsup_depth.losses.photometric_gradient import Recipe
from selfsup_depth.losses.ssim import WindowStatistics
from selfsup_depth.structures import Batch, DepthEstimate


class PerPixel(NamedTuple):
    """The photometric error before its mean.

    error: (B, 1, h, w) what enters the mean.
    kept: (B, 1, h, w) bool, true where a synthesis supplies it and so learns from it; false where
        the unmoved source explains the pixel as well, or where no source shows the point.
    """

    error: Tensor
    kept: Tensor


class _Reference(NamedTuple):
    """The target at one size, and how badly the unmoved sources explain it.

    unmoved: (B, 1, h, w) their error, or absent.
    unmoved_each: that of each, where each has a mask of its own.
    """

    target: WindowStatistics
    unmoved: Tensor | None
    unmoved_each: list[Tensor]


class Photometric(LossTerm):
    """Photometric error of the syntheses, least over the sources, averaged over the levels.

    Source: Godard et al., "Digging into self-supervised monocular depth estimation", ICCV 2019.

    The error itself is that of Godard et al., "Unsupervised monocular depth estimation with left-right
    consistency", CVPR 2017.

    Args:
        weight: factor in the weighted sum.
        ssim_weight: share of structural dissimilarity, the rest is absolute difference.
        window: side of the SSIM window in pixels, odd, at least 3.
        per_pixel_minimum: keep each pixel's best source; false averages over the sources.
        auto_mask: where the unmoved source explains a pixel at least as well, count its error
            instead, from which nothing is learned: such pixels do not move relative to the camera.
        mask_each_source: let the auto-mask drop a source only where that very source, unmoved,
            explains the pixel. As published, a car that keeps the camera's speed is masked in all
            sources because the neighbour in time shows it unmoved; this way the other camera of
            the rig still tells how far it is. Not published; the same with a single source.
        padding: what a point that its source does not show is compared with. "border": the nearest
            colours of the source's border, as published. "masked": nothing; the other sources (and
            with auto_mask the unmoved one) decide, and where there are none the border's error
            stands without gradient, so that moving everything out of the picture gains nothing.
        clip_percentile: cut errors that are above their image's mean by more than so many standard
            deviations, as PackNet does (there 0.5, called clip_loss); 0 cuts none.
        robust: sqrt(e^2 + 0.001^2) in place of the absolute difference (Charbonnier), as FeatDepth.
        geometry_weighted: multiply a source's error by 1 - |c - s| / (c + s), by how well the depths
            of the two views agree, without gradient, as SC-SfMLearner (see GeometryConsistency):
            what is hidden or moves counts less. The choice between sources is made before.

    Raises:
        ConfigError: no such share or window, or options that contradict each other.
    """

    def __init__(
        self,
        weight: float = 1.0,
        ssim_weight: float = 0.85,
        window: int = 3,
        per_pixel_minimum: bool = True,
        auto_mask: bool = True,
        mask_each_source: bool = False,
        padding: Literal["border", "masked"] = "masked",
        clip_percentile: float = 0.0,
        robust: bool = False,
        geometry_weighted: bool = False,
    ) -> None:
        super().__init__(weight)
        if not 0 <= ssim_weight <= 1:
            raise ConfigError(f"share {ssim_weight}, in ssim_weight; use one in 0..1")
        if window < 3 or window % 2 == 0:
            raise ConfigError(f"window of {window} pixels, in window; use an odd number from 3 on")
        if clip_percentile < 0:
            raise ConfigError(f"clip of {clip_percentile}, in clip_percentile; use 0 (none) or more")
        if mask_each_source and not auto_mask:
            raise ConfigError("mask_each_source without auto_mask; set auto_mask: true, or leave both false")
        self.ssim_weight = ssim_weight
        self.window = window
        self.per_pixel_minimum = per_pixel_minimum
        self.auto_mask = auto_mask
        self.mask_each_source = mask_each_source
        self.padding = padding
        self.clip_percentile = clip_percentile
        self.recipe = Recipe(ssim_weight, window, robust)
        self.geometry_weighted = geometry_weighted

    def needs(self) -> set[Need]:
        return {Need.SOURCES, Need.SOURCE_DEPTH} if self.geometry_weighted else {Need.SOURCES}

    def forward(self, batch: Batch, estimates: list[DepthEstimate]) -> Tensor:
        """Mean over pixels and levels; see LossTerm.

        Raises:
            ConfigError: there is no source to synthesize the target from.
        """
        if not estimates[0].syntheses:
            raise ConfigError(
                "no source views for the photometric error, in data; set data.video or data.stereo"
            )
        references: dict[torch.Size, _Reference] = {}
        means = []
        for estimate in estimates:
            size = estimate.syntheses[0].image.shape[-2:]
            # Syntheses at full resolution share one reference over all levels.
            if size not in references:
                references[size] = self._reference(batch, estimate)
            per_pixel = self._per_pixel(batch, references[size], estimate)
            means.append(per_pixel.error.mean())
            if self.auto_mask and estimate is estimates[0]:
                self.kept_share = per_pixel.kept.float().mean()
        return torch.stack(means).mean()

    def per_pixel(self, batch: Batch, estimate: DepthEstimate) -> PerPixel:
        """The error of one level before its mean, for pictures."""
        return self._per_pixel(batch, self._reference(batch, estimate), estimate)

    def _reference(self, batch: Batch, estimate: DepthEstimate) -> _Reference:
        size = estimate.syntheses[0].image.shape[-2:]
        target = window_statistics(resize_by_area(batch.target.image, size), self.window, self._in_kernels)
        if not self.auto_mask:
            return _Reference(target, None, [])
        with torch.no_grad():
            each = [self._error(synthesis.source, target) for synthesis in estimate.syntheses]
            return _Reference(target, self._over_sources(each), each if self.mask_each_source else [])

    def _per_pixel(self, batch: Batch, reference: _Reference, estimate: DepthEstimate) -> PerPixel:
        shown = [synthesis.valid for synthesis in estimate.syntheses] if self.padding == "masked" else []
        if self._in_one_kernel(reference, estimate):
            images = [synthesis.image for synthesis in estimate.syntheses]
            return PerPixel(*least_error(images, reference.target, shown, reference.unmoved, self.recipe))
        errors = [self._error(synthesis.image, reference.target) for synthesis in estimate.syntheses]
        if estimate.explainability:
            errors = list(explained(estimate, torch.cat(errors, dim=1)).tensor_split(len(errors), dim=1))
        usable = shown or [torch.ones_like(error, dtype=torch.bool) for error in errors]
        for source, unmoved in enumerate(reference.unmoved_each):
            usable[source] = usable[source] & (errors[source] < unmoved)
        some = torch.stack(usable).any(dim=0)
        counted = [mask | ~some for mask in usable]
        error = self._over_sources(errors, counted)
        kept = some
        if reference.unmoved is not None and not reference.unmoved_each:
            # Equality goes to the unmoved source: a fixed rule, so that runs repeat.
            kept = some & (error < reference.unmoved)
        if self.geometry_weighted:
            weights = geometry_weights(batch, estimate).tensor_split(len(errors), dim=1)
            error = self._over_sources(errors, counted, weights)
        not_learned = error.detach() if reference.unmoved is None else reference.unmoved
        return PerPixel(torch.where(kept, error, not_learned), kept)

    @property
    def _in_kernels(self) -> bool:
        return self.compiled and self.ssim_weight > 0

    def _in_one_kernel(self, reference: _Reference, estimate: DepthEstimate) -> bool:
        """Whether nothing comes between the sources' errors and the least of them."""
        changed = estimate.explainability or self.geometry_weighted or self.clip_percentile
        few = len(estimate.syntheses) <= MOST_IN_ONE_KERNEL
        chosen = self.per_pixel_minimum and not reference.unmoved_each
        return self._in_kernels and few and chosen and not changed

    def _error(self, image: Tensor, target: WindowStatistics) -> Tensor:
        error = photometric_error(image, target, *self.recipe, self._in_kernels)
        return clipped(error, self.clip_percentile) if self.clip_percentile else error

    def _over_sources(
        self, errors: list[Tensor], counted: Sequence[Tensor] = (), weights: Sequence[Tensor] = ()
    ) -> Tensor:
        """Least or mean of the sources' errors, of those that count (absent: all), then weighted."""
        values = [error * w for error, w in zip(errors, weights, strict=True)] if weights else errors
        if self.per_pixel_minimum:
            return of_the_least(values, errors, counted)
        if not counted:
            return torch.stack(values).mean(dim=0)
        masks = torch.stack(list(counted))
        return torch.stack(values).masked_fill(~masks, 0).sum(dim=0) / masks.sum(dim=0)
