"""Networks: names, sizes, where they start, and what they refuse."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import Tensor, nn

from selfsup_depth.errors import CheckpointError, ConfigError
from selfsup_depth.geometry.pose import axis_angle_from_T
from selfsup_depth.networks.depth import DepthNet
from selfsup_depth.networks.encoder import ResNetEncoder, image_coordinates, normalisation
from selfsup_depth.networks.pose import PoseNet

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
# torchvision's counts without the classifier.
NUM_PARAMETERS = {18: 11_689_512 - 513_000, 34: 21_797_672 - 513_000, 50: 25_557_032 - 2_049_000}
NORM_TENSORS = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
SMALL = 0.125


def num_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def torchvision_names(num_layers: int) -> set[str]:
    """Every tensor of torchvision's ResNet but the classifier's, by rule."""
    names = {"conv1.weight", *(f"bn1.{tensor}" for tensor in NORM_TENSORS)}
    num_convolutions = 3 if num_layers == 50 else 2
    for stage, num_blocks in enumerate(BLOCKS[num_layers], start=1):
        for index in range(num_blocks):
            block = f"layer{stage}.{index}"
            for i in range(1, num_convolutions + 1):
                names |= {f"{block}.conv{i}.weight", *(f"{block}.bn{i}.{tensor}" for tensor in NORM_TENSORS)}
            # The first block of a stage changes the shape, but for ResNet-18 and -34's first stage.
            if index == 0 and (stage > 1 or num_layers == 50):
                names |= {f"{block}.downsample.0.weight"}
                names |= {f"{block}.downsample.1.{tensor}" for tensor in NORM_TENSORS}
    return names


def random_images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file as torchvision has it, with a classifier."""
    torch.manual_seed(3)
    tensors = dict(ResNetEncoder(18).state_dict())
    tensors |= {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(tensors, path)
    return path


@pytest.mark.parametrize("num_layers", [18, 34, 50])
def test_encoder_is_torchvisions(num_layers):
    encoder = ResNetEncoder(num_layers)
    assert set(encoder.state_dict()) == torchvision_names(num_layers)
    assert num_parameters(encoder) == NUM_PARAMETERS[num_layers]


def test_group_norm_keeps_the_names_but_has_no_running_statistics():
    names = set(ResNetEncoder(18, SMALL, "group").state_dict())
    assert names == {
        name for name in torchvision_names(18) if "running" not in name and "num_batches" not in name
    }


@pytest.mark.parametrize("width", [SMALL, 0.2, 0.33, 0.5, 1.0, 1.1])
def test_any_width_works_with_group_norm(width):
    encoder = ResNetEncoder(18, width, "group")
    assert [f.shape[1] for f in encoder(random_images(1, 3, 32, 64))] == encoder.num_channels
    assert normalisation(64, "group").num_groups == 16


def test_stages_halve_the_image():
    encoder = ResNetEncoder(50, SMALL)
    assert [tuple(f.shape[-2:]) for f in encoder(random_images(1, 3, 64, 96))] == [
        (32, 48), (16, 24), (8, 12), (4, 6), (2, 3)
    ]  # fmt: skip


def test_a_small_pair_of_networks_is_small():
    small = num_parameters(DepthNet(width=0.1875, norm="group", coordinates=True))
    assert 0.45e6 < small < 0.55e6


# ImageNet weights


def test_weights_are_loaded_and_counted(weights, caplog):
    with caplog.at_level(logging.INFO):
        encoder = ResNetEncoder(18, weights=weights)
    assert "120 of 120 tensors" in caplog.text
    file = torch.load(weights, weights_only=True)
    assert all(torch.equal(tensor, file[name]) for name, tensor in encoder.state_dict().items())


def test_stacked_equal_images_answer_as_one(weights):
    image = random_images(1, 3, 32, 64)
    one = ResNetEncoder(18, weights=weights).eval()
    two = ResNetEncoder(18, num_images=2, coordinates=True, weights=weights).eval()
    for single, stacked in zip(one(image), two(torch.cat([image, image], dim=1)), strict=True):
        torch.testing.assert_close(single, stacked, rtol=1e-4, atol=1e-5)


def test_weights_reach_both_networks(weights):
    first = torch.load(weights, weights_only=True)["layer1.0.conv1.weight"]
    for network in (DepthNet(weights=weights), PoseNet(weights=weights)):
        assert torch.equal(network.encoder.layer1[0].conv1.weight, first)


def broken(weights, tmp_path, how):
    tensors = torch.load(weights, weights_only=True)
    path = tmp_path / "broken.pth"
    if how == "absent":
        return path
    if how == "text":
        path.write_text("not weights")
        return path
    if how == "truncated":
        path.write_bytes(weights.read_bytes()[:1000])
        return path
    if how == "missing":
        del tensors["layer2.1.bn2.weight"]
    elif how == "unknown":
        tensors["layer5.weight"] = torch.zeros(1)
    elif how == "shape":
        tensors["layer3.0.conv1.weight"] = torch.zeros(1, 2, 3, 3)
    elif how == "list":
        tensors = [tensors["conv1.weight"]]
    torch.save(tensors, path)
    return path


@pytest.mark.parametrize("how", ["absent", "text", "truncated", "missing", "unknown", "shape", "list"])
def test_weights_that_do_not_fit_are_refused_in_one_line(weights, tmp_path, how):
    path = broken(weights, tmp_path, how)
    with pytest.raises(CheckpointError) as refusal:
        ResNetEncoder(18, weights=path)
    message = str(refusal.value)
    assert "\n" not in message
    assert f"in {path}; " in message
    if how in ("missing", "shape"):
        assert message.startswith("119 of 120 tensors fit, layer")


def test_weights_of_another_network_are_refused(weights):
    with pytest.raises(CheckpointError, match="num_layers"):
        ResNetEncoder(34, weights=weights)
    with pytest.raises(CheckpointError, match="width 1"):
        ResNetEncoder(18, 0.5, weights=weights)


# depth


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
    assert num_parameters(DepthNet()) == NUM_PARAMETERS[18] + 3_152_724


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
    assert num_parameters(PoseNet()) == NUM_PARAMETERS[18] + widened + squeeze + middle + last


@pytest.mark.parametrize("motion", [(0.0, 0.0, 0.0), (0.0, 0.0, 1.1), (0.3, -0.2, 5.0)])
@pytest.mark.parametrize("norm", ["batch", "group"])
def test_untrained_network_says_the_first_motion(motion, norm):
    T = PoseNet(width=SMALL, norm=norm, first_motion=motion)(
        random_images(2, 3, 64, 96), random_images(2, 3, 64, 96).flip(-1)
    )
    # The world moves against the camera.
    expected = -torch.tensor(motion).expand(2, 3)
    torch.testing.assert_close(T[:, :3, 3], expected, atol=0.02, rtol=0)
    assert axis_angle_from_T(T).abs().max() < 0.02
    torch.testing.assert_close(T[:, 3], torch.tensor([0.0, 0, 0, 1]).expand(2, 4))


def test_first_motion_is_part_of_the_weights():
    trained, other = PoseNet(width=SMALL, first_motion=(0.0, 0.0, 1.0)), PoseNet(width=SMALL)
    other.load_state_dict(trained.state_dict())
    first, second = random_images(2, 2, 3, 32, 64)
    trained.eval(), other.eval()
    torch.testing.assert_close(trained(first, second), other(first, second))


def test_the_order_of_the_images_matters():
    network = PoseNet(width=SMALL, output_scale=1.0).eval()
    first, second = random_images(2, 2, 3, 64, 96)
    assert not torch.allclose(network(first, second), network(second, first), atol=1e-4)


def test_gradient_reaches_the_network_where_it_says_no_rotation():
    network = PoseNet(width=SMALL, norm="group")
    nn.init.zeros_(network.head.weight)
    nn.init.zeros_(network.head.bias)
    first, second = random_images(2, 2, 3, 64, 96)
    T = network(first, second)
    assert torch.equal(T, torch.eye(4).expand(2, 4, 4))
    T[:, 0, 1].sum().backward()
    # dR/dw at zero is the generator: R_01 falls with the turn about z, times the output's scale.
    torch.testing.assert_close(network.head.bias.grad[:3], torch.tensor([0.0, 0.0, -2 * 0.01]))


def test_motion_is_not_rounded_under_autocast():
    network = PoseNet(width=SMALL, norm="group", first_motion=(0.0, 0.0, 1.1)).eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        T = network(random_images(1, 3, 64, 96), random_images(1, 3, 64, 96))
    assert T.dtype == torch.float32
    torch.testing.assert_close(T[0, 2, 3], torch.tensor(-1.1), atol=1e-3, rtol=0)


def test_depth_is_not_rounded_under_autocast():
    network = DepthNet(width=SMALL, norm="group", first_depth=15.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert all(level.dtype == torch.float32 for level in network(random_images(1, 3, 32, 32)))
