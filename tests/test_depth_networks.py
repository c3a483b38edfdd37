"""What every depth network keeps to, and what each is by its paper."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selfsup_depth.errors import ConfigError
from selfsup_depth.networks.base import DepthNetwork
from selfsup_depth.networks.depth import DepthNet
from selfsup_depth.networks.dispnet import DispNet
from selfsup_depth.networks.packnet import Packing, PackNet, Unpacking
from selfsup_depth.training.constructors import known_classes

SMALL = 0.125

PUBLISHED = {
    # Guizilini et al. 2020 state 128 million; the released network has exactly this many.
    "PackNet": (PackNet, {}, 128_294_020),
    # The plain network of SfM-Learner.
    "DispNet": (DispNet, {}, 31_596_900),
    # torchvision's encoders without the classifier, and the U-Net's decoder on their channels.
    "ResNet-34": (DepthNet, {"num_layers": 34}, 21_284_672 + 3_152_724),
    "ResNet-50": (DepthNet, {"num_layers": 50}, 23_508_032 + 9_014_100),
}


def random_images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1))


def kinds() -> list[type[DepthNetwork]]:
    return known_classes(DepthNetwork)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_network_has_its_published_number_of_parameters(name):
    kind, options, expected = PUBLISHED[name]
    with torch.device("meta"):
        network = kind(**options)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


@pytest.mark.parametrize("kind", [DepthNet, PackNet, DispNet])
@pytest.mark.parametrize("size", [(32, 64), (96, 160)])
def test_every_u_net_says_inverse_depths_in_its_range_at_four_levels(kind, size):
    torch.manual_seed(0)
    network = kind(width=SMALL, num_outputs=2, min_depth=2.0, max_depth=50.0, coordinates=True)
    levels = network(random_images(2, 3, *size))
    assert [tuple(level.shape) for level in levels] == [(2, 2, size[0] >> i, size[1] >> i) for i in range(4)]
    assert all(1 / 50 <= level.min() <= level.max() <= 1 / 2 for level in levels)
    assert network.first_depth == pytest.approx(2 / (1 / 2 + 1 / 50))


@pytest.mark.parametrize("kind", kinds())
def test_every_network_says_its_first_depth_before_it_has_learned(kind):
    torch.manual_seed(0)
    network = kind(width=SMALL, first_depth=12.0)
    assert network.first_depth == 12
    for level in network(random_images(2, 3, 64, 96)):
        torch.testing.assert_close(1 / level, torch.full_like(level, 12), rtol=0.06, atol=0)


@pytest.mark.parametrize("kind", kinds())
def test_every_network_refuses_sizes_that_it_cannot_halve(kind):
    with pytest.raises(ValueError, match="the nearest are 64 and 96"):
        kind(width=SMALL)(random_images(1, 3, 60, 90))


@pytest.mark.parametrize("kind", kinds())
def test_every_parameter_of_every_network_learns(kind):
    torch.manual_seed(0)
    network = kind(width=SMALL)
    sum(level.square().sum() for level in network(random_images(2, 3, 64, 128))).backward()
    idle = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    assert not idle


@pytest.mark.parametrize("kind", kinds())
def test_no_network_rounds_depth_under_autocast(kind):
    torch.manual_seed(0)
    network = kind(width=SMALL, first_depth=12.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        levels = network(random_images(1, 3, 64, 96))
    assert all(level.dtype == torch.float32 for level in levels)
    assert levels[0].unique().numel() > 1000


@pytest.mark.parametrize("kind", [PackNet, DispNet])
def test_coordinates_tell_where_a_pixel_is(kind):
    torch.manual_seed(0)
    network = kind(width=SMALL, coordinates=True)
    grey = torch.full((1, 3, 64, 64), 0.5)
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    before = network(grey)[0]
    with torch.no_grad():
        first.weight[:, 3:] = 0
    assert (network(grey)[0] - before).abs().max() > 1e-4


def test_packing_then_unpacking_can_pass_everything_through():
    """With identity convolutions every pixel comes back: nothing is lost by folding."""
    x = random_images(1, 4, 8, 12)
    pack, unpack = Packing(4, 3, 1), Unpacking(4, 4, 1)
    for conv3d in (pack.conv3d, unpack.conv3d):
        nn.init.zeros_(conv3d.bias)
        nn.init.dirac_(conv3d.weight)
    pack.compress, unpack.expand = nn.Identity(), nn.Identity()
    folded = pack(x)
    assert folded.shape == (1, 16, 4, 6)
    # Channel by channel, and in each by row and column of the 2x2 block.
    torch.testing.assert_close(folded[0, 5], x[0, 1, 0::2, 1::2])
    torch.testing.assert_close(unpack(folded), x)


def test_the_3d_convolution_runs_over_channels_rows_and_columns():
    pack = Packing(4, 3, 2)
    pack.compress = nn.Identity()
    x = random_images(1, 4, 8, 12)
    folded = F.pixel_unshuffle(x, 2)
    expected = F.conv3d(folded[:, None], pack.conv3d.weight, pack.conv3d.bias, padding=1)
    got = pack(x)
    torch.testing.assert_close(got[:, :16], expected[:, 0])
    torch.testing.assert_close(got[:, 16:], expected[:, 1])


@pytest.mark.parametrize("number", [0, 3, 16])
def test_packnet_refuses_numbers_of_features_that_do_not_fit(number):
    with pytest.raises(ConfigError, match="use 1, 2, 4 or 8"):
        PackNet(width=SMALL, num_3d_features=number)
