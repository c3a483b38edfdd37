"""The network that is fastest to ask says what the trained one says."""

from __future__ import annotations

import copy

import pytest
import torch
from stored_networks import live_through
from torch import nn

from selfsup_depth.networks.deep3d import Deep3DNet
from selfsup_depth.networks.depth import DepthNet
from selfsup_depth.networks.dispnet import DispNet
from selfsup_depth.networks.encoder import Encoder, ResNetEncoder
from selfsup_depth.networks.inference import InferenceNetwork
from selfsup_depth.networks.packnet import PackNet

SMALL = {"width": 0.125}


class NormFirst(Encoder):
    """Normalises what it convolves: names like torchvision's, in another order."""

    def __init__(self) -> None:
        super().__init__()
        self.num_channels = [4] * 5
        self.bn1, self.conv1 = nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.rest = nn.ModuleList(nn.Sequential(nn.Conv2d(4, 4, 2, 2), nn.BatchNorm2d(4)) for _ in range(4))

    def forward(self, images):
        maps = [self.conv2(self.bn2(self.conv1(self.bn1(images))))]
        for halve in self.rest:
            maps.append(halve(maps[-1]))
        return maps


class FirstFeatureAgain(ResNetEncoder):
    """Looks once more at what batch normalisation saw."""

    def forward(self, images):
        first, *others = super().forward(images)
        return [first + self.conv1(images), *others]


NETWORKS = {
    "resnet-18": lambda: DepthNet(**SMALL),
    "resnet-50, two outputs": lambda: DepthNet(50, **SMALL, num_outputs=2, coordinates=True),
    "group norm": lambda: DepthNet(**SMALL, norm="group"),
    "norm before convolution": lambda: DepthNet(**SMALL, encoder=NormFirst()),
    "convolution asked twice": lambda: DepthNet(**SMALL, encoder=FirstFeatureAgain(18, 0.125)),
    "packnet": lambda: PackNet(width=0.07, num_3d_features=1),
    "dispnet": lambda: DispNet(**SMALL),
    "deep3d": lambda: Deep3DNet(**SMALL),
}


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_it_says_the_same(name, eager):
    torch.manual_seed(0)
    trained = NETWORKS[name]().double().eval()
    live_through(trained)
    before = copy.deepcopy(trained.state_dict())
    images = torch.rand(2, 3, 64, 128, dtype=torch.float64)
    depth, inverse_depth = InferenceNetwork(trained, eager)(images)
    with torch.no_grad():
        expected = trained(images)[0][:, :1]
    assert expected.std() > 1e-4  # a constant would agree with everything
    torch.testing.assert_close(inverse_depth, expected, rtol=1e-9, atol=0)
    torch.testing.assert_close(depth, 1 / expected, rtol=1e-9, atol=0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in trained.state_dict().items())


@pytest.mark.parametrize("size", [(32, 32), (32, 96)])
def test_maps_of_a_single_row_are_doubled_alike(size):
    """At 1/32 of these sizes there is nothing to reflect."""
    torch.manual_seed(0)
    trained = DepthNet(**SMALL).double().eval()
    images = torch.rand(1, 3, *size, dtype=torch.float64)
    with torch.no_grad():
        expected = trained(images)[0]
    torch.testing.assert_close(InferenceNetwork(trained, eager=True)(images)[1], expected, rtol=1e-9, atol=0)


def test_nothing_is_left_of_batch_norms_and_coarser_levels():
    trained = DepthNet(50, **SMALL).eval()
    network = InferenceNetwork(trained, eager=True)
    assert not [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(network.depth_net(torch.rand(1, 3, 32, 64))) == 1
    assert len(trained(torch.rand(1, 3, 32, 64))) == 4
    assert network.depth_net.encoder.layer2[0].conv2.weight.is_contiguous(memory_format=torch.channels_last)
