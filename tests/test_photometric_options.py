"""What may be done to the photometric error before its mean: clipping, a robust size, weights."""

from __future__ import annotations

import pytest
import torch
from scenes import Wall, wall
from torch import Tensor

from selfsup_depth.errors import ConfigError
from selfsup_depth.geometry.pose import T_from_axis_angle
from selfsup_depth.geometry.view_synthesis import synthesize
from selfsup_depth.losses.least_error import of_the_least
from selfsup_depth.losses.needs import Need
from selfsup_depth.losses.photometric import Photometric
from selfsup_depth.losses.photometric_error import clipped, photometric_error
from selfsup_depth.structures import Batch, DepthEstimate

TRUTH = 5.0


def scene() -> Wall:
    """A wall seen by two cameras beside one another."""
    T = T_from_axis_angle(torch.zeros(1, 3).double(), torch.tensor([[-0.3, 0, 0]]).double())
    return wall(T, TRUTH)


def level_of(seen: Wall, distances: list[float]) -> DepthEstimate:
    """The truth for the target; each copy of the source says another distance of the wall."""
    sources = [seen.source] * len(distances)
    syntheses = [synthesize(seen.target, source, seen.inverse_depth) for source in sources]
    of_sources = [torch.full_like(seen.inverse_depth, 1 / d) for d in distances]
    return DepthEstimate(0, seen.inverse_depth, syntheses, sources, [], of_sources)


def noise_like(image: Tensor) -> Tensor:
    return torch.rand(image.shape, generator=torch.Generator().manual_seed(0), dtype=image.dtype)


def test_clipping_ends_what_an_outlier_counts_and_teaches():
    error = torch.full((2, 1, 4, 4), 0.1).double()
    error[0, 0, 0, 0] = 0.9
    error[1] *= 5  # another image's errors are none of this one's
    error.requires_grad_()
    cut = clipped(error, deviations=0.5)
    torch.testing.assert_close(cut[0, 0, 0, 0], error[0].mean() + 0.5 * error[0].std())
    assert torch.equal(cut[0].flatten()[1:], error[0].flatten()[1:])
    torch.testing.assert_close(cut[1], error[1])
    cut[0].sum().backward()
    assert error.grad[0, 0, 0, 0] == 0
    assert error.grad.sum() == 15


def test_a_clipped_term_counts_an_occlusion_less():
    seen = scene()
    image = seen.source.view.image.clone()
    image[..., 10:20, 30:50] = 0
    hidden = seen._replace(source=seen.source._replace(view=seen.source.view._replace(image=image)))
    batch, level = Batch(seen.target, [], [], []), level_of(hidden, [TRUTH])
    plain, cut, gentle = (
        Photometric(auto_mask=False, clip_percentile=c)(batch, [level]) for c in (0.0, 0.5, 100.0)
    )
    assert cut < 0.7 * plain
    assert gentle == plain


def test_the_robust_difference_is_a_hyperbola():
    x, y = torch.full((1, 3, 8, 8), 0.5).double(), torch.full((1, 3, 8, 8), 0.5).double()
    x[..., 4:] += 0.001
    error = photometric_error(x, y, ssim_weight=0.0, robust=True)
    torch.testing.assert_close(error[0, 0, 0, [0, -1]], torch.tensor([0.001, 0.001 * 2**0.5]).double())
    far, plain = (photometric_error(x + 0.3, y, ssim_weight=0.0, robust=on) for on in (True, False))
    torch.testing.assert_close(far, plain, rtol=1e-5, atol=0)
    batch, level = Batch(scene().target, [], [], []), level_of(scene(), [TRUTH])
    assert Photometric(robust=True)(batch, [level]) > Photometric()(batch, [level])


@pytest.mark.parametrize("per_pixel_minimum", [True, False])
def test_where_the_depths_disagree_the_error_counts_less(per_pixel_minimum):
    seen = scene()
    batch = Batch(seen.target._replace(image=noise_like(seen.target.image)), [], [], [])
    options = {"auto_mask": False, "padding": "border", "per_pixel_minimum": per_pixel_minimum}
    weighted, plain = (Photometric(geometry_weighted=on, **options) for on in (True, False))
    agreeing, doubled = (level_of(seen, [d, d]) for d in (TRUTH, 2 * TRUTH))
    torch.testing.assert_close(weighted(batch, [agreeing]), plain(batch, [agreeing]))
    inside = doubled.syntheses[0].valid
    # |5 - 10| / (5 + 10) apart.
    ratio = weighted.per_pixel(batch, doubled).error / plain.per_pixel(batch, doubled).error
    torch.testing.assert_close(ratio[inside], torch.full_like(ratio[inside], 2 / 3))


def test_the_weight_has_no_gradient_and_does_not_choose_the_source():
    seen = scene()
    level = level_of(seen, [TRUTH, 9 * TRUTH])
    noise = level.syntheses[1]._replace(image=noise_like(seen.target.image))
    level = level._replace(syntheses=[level.syntheses[0], noise])
    for rho in level.source_inverse_depths:
        rho.requires_grad_()
    batch = Batch(seen.target, [], [], [])
    weighted, plain = (
        Photometric(auto_mask=False, padding="border", geometry_weighted=on).per_pixel(batch, level).error
        for on in (True, False)
    )
    inside = level.syntheses[0].valid
    # The good source keeps its pixels, though the bad one's error is multiplied by 0.2.
    torch.testing.assert_close(weighted[inside], plain[inside])
    assert not weighted.requires_grad


def test_the_auto_mask_is_decided_by_the_error_itself():
    seen = scene()
    level, batch = level_of(seen, [9 * TRUTH]), Batch(seen.target, [], [], [])
    weighted, plain = (Photometric(geometry_weighted=on).per_pixel(batch, level).kept for on in (True, False))
    assert torch.equal(weighted, plain)


def test_the_weight_is_brought_to_the_size_of_the_syntheses():
    seen = scene()
    level = level_of(seen, [2 * TRUTH])
    coarse = level._replace(
        inverse_depth=level.inverse_depth[..., ::2, ::2],
        source_inverse_depths=[level.source_inverse_depths[0][..., ::2, ::2]],
    )
    term, batch = Photometric(geometry_weighted=True), Batch(seen.target, [], [], [])
    torch.testing.assert_close(term(batch, [coarse]), term(batch, [level]), rtol=0.05, atol=0)


def test_the_weight_needs_the_sources_depth():
    term = Photometric(geometry_weighted=True)
    assert Need.SOURCE_DEPTH in term.needs()
    assert Need.SOURCE_DEPTH not in Photometric().needs()
    with pytest.raises(ConfigError, match="depth of the sources"):
        term(
            Batch(scene().target, [], [], []), [level_of(scene(), [TRUTH])._replace(source_inverse_depths=[])]
        )


def test_the_least_of_three_has_the_value_and_the_gradient_of_the_first_of_equals():
    rows = [[1.0, 3.0, 2.0, 2.0], [2.0, 1.0, 3.0, 2.0], [3.0, 2.0, 1.0, 2.0]]
    errors = [torch.tensor(row).view(1, 1, 1, -1).requires_grad_() for row in rows]
    least = of_the_least(errors, errors)
    assert least.flatten().tolist() == [1.0, 1.0, 1.0, 2.0]
    gradients = torch.autograd.grad(least.sum(), errors)
    assert torch.cat(gradients).flatten(1).tolist() == [[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0]]
    counted = [torch.full_like(errors[0], number != 0, dtype=torch.bool) for number in range(3)]
    assert of_the_least(errors, errors, counted).flatten().tolist() == [2.0, 1.0, 1.0, 2.0]
