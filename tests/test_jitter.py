"""Colour jitter: neutral factors change nothing, and each factor does what its name says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance

from selfsup_depth.modules.jitter import apply_jitter
from selfsup_depth.structures import ColourJitter

LUMA = torch.tensor([0.299, 0.587, 0.114])


def jitter(brightness=1.0, contrast=1.0, saturation=1.0, hue=0.0) -> ColourJitter:
    return ColourJitter(*(torch.tensor([value]).float() for value in (brightness, contrast, saturation, hue)))


def picture(low: float = 0.0, high: float = 1.0) -> torch.Tensor:
    return torch.empty(1, 3, 21, 34).uniform_(low, high, generator=torch.Generator().manual_seed(5))


def luma(image: torch.Tensor) -> torch.Tensor:
    return torch.einsum("bchw,c->bhw", image, LUMA)


def test_neutral_factors_are_the_identity():
    image = picture()
    torch.testing.assert_close(apply_jitter(image, jitter()), image, rtol=0, atol=1e-6)
    torch.testing.assert_close(apply_jitter(image, jitter(hue=1.0)), image, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["Brightness", "Contrast", "Color"])
@pytest.mark.parametrize("factor", [0.5, 0.8, 1.25, 1.7])
def test_pillow_agrees(name, factor):
    """To two of 255 grey levels: Pillow rounds after each step, and its mean luma too."""
    grey_levels = (picture()[0] * 255).byte().permute(1, 2, 0).numpy()
    expected = np.asarray(getattr(ImageEnhance, name)(Image.fromarray(grey_levels)).enhance(factor))
    option = {"Brightness": "brightness", "Contrast": "contrast", "Color": "saturation"}[name]
    image = torch.from_numpy(grey_levels).permute(2, 0, 1)[None] / 255
    found = apply_jitter(image, jitter(**{option: factor}))[0].permute(1, 2, 0).numpy() * 255
    np.testing.assert_allclose(found, expected, rtol=0, atol=2.0)


def test_the_steps_follow_one_another():
    """Inside the range, where nothing is clamped, all at once is one after the other."""
    image = picture(0.3, 0.6)
    once = apply_jitter(image, jitter(1.1, 0.9, 1.2, 0.03))
    for step in (jitter(brightness=1.1), jitter(contrast=0.9), jitter(saturation=1.2), jitter(hue=0.03)):
        image = apply_jitter(image, step)
    torch.testing.assert_close(once, image, rtol=0, atol=1e-6)


@pytest.mark.parametrize("change", [{"hue": 0.1}, {"hue": -0.3}, {"saturation": 0.4}, {"saturation": 1.3}])
def test_hue_and_saturation_leave_luma_and_greys_alone(change):
    image = picture(0.4, 0.6)
    torch.testing.assert_close(luma(apply_jitter(image, jitter(**change))), luma(image), rtol=0, atol=1e-6)
    grey = picture()[:, :1].expand(-1, 3, -1, -1)
    torch.testing.assert_close(apply_jitter(grey, jitter(**change)), grey, rtol=0, atol=1e-6)


def test_hue_turns_as_hsv_does():
    """A third of a turn makes red greenest, two thirds bluest; half a turn reverses the chroma."""
    red = torch.tensor([0.6, 0.4, 0.4]).view(1, 3, 1, 1)
    for turn, channel in ((0.0, 0), (1 / 3, 1), (2 / 3, 2), (0.12, 0)):
        assert apply_jitter(red, jitter(hue=turn)).argmax() == channel
    slightly = apply_jitter(red, jitter(hue=0.05))[0, :, 0, 0]
    assert slightly[1] > slightly[2]  # towards yellow
    opposite = apply_jitter(red, jitter(hue=0.5))
    torch.testing.assert_close(opposite - luma(red), luma(red) - red, rtol=0, atol=1e-6)


def test_zero_contrast_is_the_mean_luma():
    image = picture()
    flat = apply_jitter(image, jitter(contrast=0.0))
    torch.testing.assert_close(flat, luma(image).mean().expand_as(flat), rtol=0, atol=1e-6)


def test_each_example_has_its_own_factors():
    """And no example's mean enters another's contrast."""
    images = torch.cat([picture(), picture(0.2, 0.4), picture(0.1, 0.9)])
    factors = ColourJitter(
        *torch.tensor([[0.8, 1.2, 1.0], [1.1, 0.7, 1.3], [0.5, 1.0, 1.5], [0.1, -0.1, 0.0]])
    )
    together = apply_jitter(images, factors)
    for i in range(3):
        alone = apply_jitter(images[i : i + 1], ColourJitter(*(values[i : i + 1] for values in factors)))
        torch.testing.assert_close(together[i : i + 1], alone)


def test_values_stay_in_range_and_the_input_as_it_was():
    image = picture()
    before = image.clone()
    changed = apply_jitter(image, jitter(1.8, 1.8, 1.8, 0.2))
    assert changed.min() == 0
    assert changed.max() == 1
    assert torch.equal(image, before)


def test_autocast_does_not_round_the_image():
    image = picture()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        changed = apply_jitter(image, jitter(brightness=0.9))
    assert changed.dtype == torch.float32
    torch.testing.assert_close(changed, image * 0.9)


def test_half_precision_images_keep_their_type():
    assert apply_jitter(picture().bfloat16(), jitter(contrast=1.1)).dtype == torch.bfloat16
