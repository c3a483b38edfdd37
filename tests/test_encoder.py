"""The encoder is torchvision's by name, and what it does with files of weights."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import Tensor, nn

from selfsup_depth.errors import CheckpointError
from selfsup_depth.networks.depth import DepthNet
from selfsup_depth.networks.encoder import ResNetEncoder, normalisation
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


def test_images_are_normalised_inside():
    seen = []
    encoder = ResNetEncoder(18, SMALL)
    encoder.conv1.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    encoder(torch.full((1, 3, 32, 64), 0.45 + 2 * 0.225))
    torch.testing.assert_close(seen[0], torch.full((1, 3, 32, 64), 2.0))


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


def test_older_files_without_counts_of_batches_fit(weights, tmp_path):
    tensors = torch.load(weights, weights_only=True)
    older = {name: tensor for name, tensor in tensors.items() if "num_batches_tracked" not in name}
    torch.save(older, tmp_path / "older.pth")
    encoder = ResNetEncoder(18, weights=tmp_path / "older.pth")
    assert torch.equal(encoder.bn1.running_mean, tensors["bn1.running_mean"])


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
