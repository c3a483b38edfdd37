"""Depth and pose networks: sizes, where they start, and what they refuse."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from selfsup_depth.errors import ConfigError
from selfsup_depth.geometry.pose import axis_angle_from_T
from selfsup_depth.networks.depth import DepthNet
from selfsup_depth.networks.encoder import image_coordinates
from selfsup_depth.networks.pose import PoseNet

# torchvision's ResNet-18 without the classifier.
NUM_ENCODER_PARAMETERS = 11_689_512 - 513_000
SMALL = 0.125


def num_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def random_images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1))


# depth


def test_a_small_pair_of_networks_is_small():
    small = num_parameters(DepthNet(width=0.1875, norm="group", coordinates=True))
    assert 0.45e6 < small < 0.55e6


@pytest.mark.parametrize("size", [(32, 64), (64, 32), (96, 160)])
@pytest.mark.parametrize("num_outputs", [1, 2])
def test_depth_net_says_inverse_depths_in_its_range(size, num_outputs):
    network = DepthNet(width=SMALL, num_outputs=num_outputs, min_depth=1.0, max_depth=50.0)
    levels = network(random_images(2, 3, *size))
    assert [tuple(level.shape) for level in levels] == [
        (2, num_outputs, size[0] // 2**i, size[1] // 2**i) for i in range(4)
    ]
    assert all(1 / 50 <= level.min() <= level.max() <= 1 for level in levels)


def test_depth_net_as_published_has_its_number_of_parameters():
    assert num_parameters(DepthNet()) == NUM_ENCODER_PARAMETERS + 3_152_724


@pytest.mark.parametrize("first_depth", [3.0, 15.0, 60.0])
@pytest.mark.parametrize("norm", ["batch", "group"])
def test_untrained_network_says_the_first_depth_everywhere(first_depth, norm):
    network = DepthNet(
        width=SMALL, norm=norm, first_depth=first_depth, min_depth=1.0, num_outputs=2, coordinates=True
    )
    for level in network(random_images(2, 3, 64, 96)):
        torch.testing.assert_close(1 / level, torch.full_like(level, first_depth), rtol=0.05, atol=0)


def test_first_depth_is_known_where_none_was_asked_for():
    network = DepthNet(width=SMALL)
    assert network.first_depth == pytest.approx(1 / 5.005)
    medians = [1 / level.median() for level in network(random_images(2, 3, 64, 96))]
    assert all(network.first_depth / 1.5 < median < 1.5 * network.first_depth for median in medians)


def test_coordinates_tell_where_a_pixel_is():
    columns, rows = image_coordinates(random_images(1, 3, 5, 9))[0]
    torch.testing.assert_close(columns, torch.linspace(-1, 1, 9).expand(5, 9))
    torch.testing.assert_close(rows, torch.linspace(-1, 1, 5)[:, None].expand(5, 9))
    network = DepthNet(width=SMALL, coordinates=True).eval()
    image = random_images(1, 3, 32, 64)
    before = network(image)[0]
    with torch.no_grad():
        network.encoder.conv1.weight[:, 3:] = 0
    assert (network(image)[0] - before).abs().max() > 1e-3


def test_a_size_that_cannot_be_halved_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="the nearest are 192 and 640"):
        DepthNet(width=SMALL)(random_images(1, 3, 190, 650))
    with pytest.raises(ValueError, match="the nearest are 32 and 32"):
        DepthNet(width=SMALL)(random_images(1, 3, 10, 40))
    with pytest.raises(ValueError, match="the nearest are 64 and 32"):
        DepthNet(width=SMALL)(random_images(1, 3, 64, 40))


@pytest.mark.parametrize(
    "options",
    [
        {"min_depth": 0.0},
        {"min_depth": -1.0},
        {"min_depth": 5.0, "max_depth": 5.0},
        {"first_depth": 200.0},
        {"first_depth": 0.1},
        {"num_layers": 19},
    ],
)
def test_impossible_options_are_refused(options):
    with pytest.raises(ConfigError, match=f"in {next(iter(options))}; "):
        DepthNet(width=SMALL, **options)


# pose


def test_pose_net_has_its_number_of_parameters():
    widened = 64 * 3 * 7 * 7
    squeeze, middle, last = 512 * 256 + 256, 2 * (256 * 256 * 9 + 256), 256 * 6 + 6
    assert num_parameters(PoseNet()) == NUM_ENCODER_PARAMETERS + widened + squeeze + middle + last


@pytest.mark.parametrize("motion", [(0.0, 0.0, 0.0), (0.0, 0.0, 1.1), (0.3, -0.2, 5.0)])
@pytest.mark.parametrize("norm", ["batch", "group"])
def test_untrained_network_says_the_first_motion(motion, norm):
    T = PoseNet(width=SMALL, norm=norm, first_motion=motion)(
        random_images(2, 3, 64, 96), random_images(2, 3, 64, 96).flip(-1)
    ).T_first_to_second
    # The world moves against the camera.
    expected = -torch.tensor(motion).expand(2, 3)
    torch.testing.assert_close(T[:, :3, 3], expected, atol=1e-3 if any(motion) else 0.02, rtol=0)
    assert axis_angle_from_T(T).abs().max() < 0.02
    torch.testing.assert_close(T[:, 3], torch.tensor([0.0, 0, 0, 1]).expand(2, 4))


def test_first_motion_is_part_of_the_weights():
    trained, other = PoseNet(width=SMALL, first_motion=(0.0, 0.0, 1.0)), PoseNet(width=SMALL)
    other.load_state_dict(trained.state_dict())
    first, second = random_images(2, 2, 3, 32, 64)
    trained.eval(), other.eval()
    expected = trained(first, second).T_first_to_second
    torch.testing.assert_close(expected, other(first, second).T_first_to_second)


def test_the_order_of_the_images_matters():
    network = PoseNet(width=SMALL, output_scale=1.0).eval()
    first, second = random_images(2, 2, 3, 64, 96)
    forward = network(first, second).T_first_to_second
    assert not torch.allclose(forward, network(second, first).T_first_to_second, atol=1e-4)
    assert not torch.allclose(forward, network(first, first).T_first_to_second, atol=1e-4)


def test_gradient_reaches_the_network_where_it_says_no_rotation():
    network = PoseNet(width=SMALL, norm="group")
    nn.init.zeros_(network.head.weight)
    nn.init.zeros_(network.head.bias)
    first, second = random_images(2, 2, 3, 64, 96)
    T = network(first, second).T_first_to_second
    assert torch.equal(T, torch.eye(4).expand(2, 4, 4))
    T[:, 0, 1].sum().backward()
    # dR/dw at zero is the generator: R_01 falls with the turn about z, times the output's scale.
    torch.testing.assert_close(network.head.bias.grad[:3], torch.tensor([0.0, 0.0, -2 * 0.01]))


def test_motion_is_not_rounded_under_autocast():
    network = PoseNet(width=SMALL, norm="group", first_motion=(0.0, 0.0, 1.1)).eval()
    nn.init.zeros_(network.head.weight)
    nn.init.constant_(network.head.bias, -0.3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        T = network(random_images(1, 3, 64, 96), random_images(1, 3, 64, 96)).T_first_to_second
    assert T.dtype == torch.float32
    torch.testing.assert_close(T[0, 2, 3], torch.tensor(-1.103), atol=1e-6, rtol=0)


def test_depth_is_not_rounded_under_autocast():
    network = DepthNet(width=SMALL, norm="group", first_depth=15.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        levels = network(random_images(1, 3, 64, 96))
    assert all(level.dtype == torch.float32 for level in levels)
    # A few dozen values would be all that bfloat16 knows here.
    assert levels[0].unique().numel() > 1000
