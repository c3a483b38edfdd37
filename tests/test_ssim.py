"""Structural dissimilarity against its formula, and its closed-form gradient."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from selfsup_depth.losses import photometric_gradient
from selfsup_depth.losses.photometric_error import photometric_error, window_statistics
from selfsup_depth.losses.photometric_gradient import Recipe, plain_photometric_error
from selfsup_depth.losses.ssim import ssim_dissimilarity

WINDOWS = [3, 5, 7]


def noise_like(image: Tensor) -> Tensor:
    return torch.rand(image.shape, generator=torch.Generator().manual_seed(0), dtype=image.dtype)


@pytest.mark.parametrize("window", WINDOWS)
def test_equal_images_are_not_dissimilar(window):
    image = noise_like(torch.zeros(2, 3, 20, 30))
    assert ssim_dissimilarity(image, image.clone(), window).abs().max() < 1e-5


@pytest.mark.parametrize("window", WINDOWS)
def test_dissimilarity_is_symmetric_and_bounded(window):
    x = noise_like(torch.zeros(2, 3, 20, 30).double())
    y = x.flip(-1)
    forward, backward = ssim_dissimilarity(x, y, window), ssim_dissimilarity(y, x, window)
    torch.testing.assert_close(forward, backward)
    assert 0 <= forward.min() <= forward.max() <= 1
    assert forward.mean() > 0.2


@pytest.mark.parametrize("window", WINDOWS)
def test_dissimilarity_is_the_published_formula(window):
    x, y = noise_like(torch.zeros(1, 3, 16, 20).double()), noise_like(torch.zeros(1, 3, 20, 16).double())
    y = (x + 0.5 * y.transpose(-1, -2)) / 1.5

    def mean(values: Tensor) -> Tensor:
        return F.avg_pool2d(F.pad(values, [window // 2] * 4, mode="reflect"), window, stride=1)

    def covariance(a: Tensor, b: Tensor) -> Tensor:
        return mean(a * b) - mean(a) * mean(b)

    luminance = (2 * mean(x) * mean(y) + 0.01**2) / (mean(x) ** 2 + mean(y) ** 2 + 0.01**2)
    structure = (2 * covariance(x, y) + 0.03**2) / (covariance(x, x) + covariance(y, y) + 0.03**2)
    torch.testing.assert_close(ssim_dissimilarity(x, y, window), (1 - luminance * structure) / 2)


@pytest.fixture
def small_pieces(monkeypatch):
    """Pieces of two rows, so that an image of a few has several, the last one cut short."""
    monkeypatch.setattr(photometric_gradient, "PIECE", 3 * 12 * 2)


def test_the_error_with_ready_statistics_is_the_same():
    x = noise_like(torch.zeros(1, 3, 16, 20))
    y = x.flip(-1)
    assert torch.equal(photometric_error(x, window_statistics(y)), photometric_error(x, y))


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("window", WINDOWS)
def test_value_and_gradient_are_those_of_the_plain_formula(window, robust, small_pieces):
    x = noise_like(torch.zeros(2, 3, 9, 12).double()).requires_grad_()
    y = x.detach().flip(-1)
    weights = noise_like(torch.zeros(2, 1, 9, 12).double())
    error = photometric_error(x, y, window=window, robust=robust)
    plain = plain_photometric_error(x, y, Recipe(0.85, window, robust))
    torch.testing.assert_close(error, plain, atol=1e-12, rtol=0)
    found, expected = (torch.autograd.grad((e * weights).sum(), x)[0] for e in (error, plain))
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)


def test_without_gradient_the_value_is_the_same(small_pieces):
    x = noise_like(torch.zeros(1, 3, 9, 12))
    y = x.flip(-1)
    error = photometric_error(x.requires_grad_(), y)
    torch.testing.assert_close(photometric_error(x.detach(), y), error.detach(), atol=1e-6, rtol=0)


def test_the_gradient_can_be_asked_for_twice(small_pieces):
    x = noise_like(torch.zeros(1, 3, 9, 12)).requires_grad_()
    error = photometric_error(x, x.detach().flip(-1)).sum()
    first, second = (torch.autograd.grad(error, x, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)


def test_the_error_has_its_true_gradient():
    x = noise_like(torch.zeros(1, 2, 6, 7).double()).requires_grad_()
    y = noise_like(torch.zeros(1, 2, 7, 6).double()).transpose(-1, -2)
    assert torch.autograd.gradcheck(lambda x: photometric_error(x, y), x)
    assert torch.autograd.gradcheck(lambda x: photometric_error(x, y, window=5, robust=True), x)


def test_a_second_image_that_should_learn_is_refused():
    x = noise_like(torch.zeros(1, 3, 8, 8))
    with pytest.raises(ValueError, match="exchange"):
        photometric_error(x, x.clone().requires_grad_())


def test_half_precision_is_raised():
    image = 0.5 + 0.02 * noise_like(torch.zeros(1, 3, 16, 20))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        error = photometric_error(image, image.flip(-1))
    assert error.dtype == torch.float32
    assert torch.equal(error, photometric_error(image, image.flip(-1)))
    halves = image.half(), image.half().flip(-1)
    raised = ssim_dissimilarity(*(half.float() for half in halves))
    assert torch.equal(ssim_dissimilarity(*halves), raised)
