"""Structural dissimilarity against its formula, and its closed-form gradient."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from selfsup_depth.losses.photometric_error import photometric_error
from selfsup_depth.losses.ssim import ssim_dissimilarity, window_statistics

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


def test_dissimilarity_with_ready_statistics_is_the_same():
    x = noise_like(torch.zeros(1, 3, 16, 20))
    y = x.flip(-1)
    assert torch.equal(ssim_dissimilarity(x, window_statistics(y)), ssim_dissimilarity(x, y))


def test_dissimilarity_has_its_true_gradient():
    x = noise_like(torch.zeros(1, 2, 6, 7).double()).requires_grad_()
    y = noise_like(torch.zeros(1, 2, 7, 6).double()).transpose(-1, -2)
    assert torch.autograd.gradcheck(lambda x: ssim_dissimilarity(x, y), x)
    assert torch.autograd.gradcheck(lambda x: photometric_error(x, y, window=5), x)


def test_a_second_image_that_should_learn_is_refused():
    x = noise_like(torch.zeros(1, 3, 8, 8))
    with pytest.raises(ValueError, match="exchange"):
        ssim_dissimilarity(x, x.clone().requires_grad_())


def test_half_precision_is_raised():
    image = 0.5 + 0.02 * noise_like(torch.zeros(1, 3, 16, 20))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        error = photometric_error(image, image.flip(-1))
    assert error.dtype == torch.float32
    assert torch.equal(error, photometric_error(image, image.flip(-1)))
    halves = image.half(), image.half().flip(-1)
    raised = ssim_dissimilarity(*(half.float() for half in halves))
    assert torch.equal(ssim_dissimilarity(*halves), raised)
