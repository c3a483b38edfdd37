"""The colour map equals matplotlib's, and a picture does not depend on the unit of depth."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib import colormaps

from selfsup_depth.training.colour import magma, picture_of_inverse_depth


def test_magma_is_matplotlibs():
    values = torch.linspace(-0.2, 1.2, 300).reshape(1, 1, 15, 20)
    entries = np.round(values.clamp(0, 1).numpy()[0, 0] * 255).astype(int)
    expected = np.round(255 * colormaps["magma"](entries)[..., :3])
    np.testing.assert_array_equal(magma(values)[0].permute(1, 2, 0).numpy(), expected)


def test_near_is_bright_and_each_image_has_its_own_scale():
    ramp = torch.linspace(0.01, 1, 400).reshape(1, 1, 20, 20)
    near, far = picture_of_inverse_depth(torch.cat([ramp, ramp / 50])).float()
    torch.testing.assert_close(near, far)
    brightness = near.sum(0).flatten()
    assert brightness[-1] > brightness[200] > brightness[0]
    assert (brightness[-20:] == brightness[-1]).all()  # the upper five per cent are saturated


def test_a_map_of_zeros_is_black_not_nan():
    assert picture_of_inverse_depth(torch.zeros(1, 1, 4, 4)).max() <= 4
