"""An encoder of the user's own takes the ResNet's place by its class path."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from selfsup_depth.cli import main
from selfsup_depth.errors import ConfigError
from selfsup_depth.networks.depth import DepthNet
from selfsup_depth.networks.encoder import Encoder, ResNetEncoder
from selfsup_depth.networks.pose import PoseNet

OWN_ENCODER = """
from torch import nn

from selfsup_depth.networks.encoder import Encoder


class Halving(Encoder):
    def __init__(self, channels: int = 4, num_images: int = 1):
        super().__init__()
        self.num_channels = [channels] * 5
        inputs = [3 * num_images] + [channels] * 4
        self.halve = nn.ModuleList(nn.Conv2d(c, channels, 3, 2, padding=1) for c in inputs)

    def forward(self, images):
        maps = [images]
        for halve in self.halve:
            maps.append(halve(maps[-1]).relu())
        return maps[1:]
"""


class Silent(Encoder):
    """Does not say its channels."""

    def forward(self, images):
        return [images]


def test_an_own_encoder_trains_by_flags_alone(train, tmp_path, monkeypatch, capsys):
    (tmp_path / "my_encoders.py").write_text(OWN_ENCODER)
    monkeypatch.chdir(tmp_path)
    flags = [
        "--model.depth_net.encoder=my_encoders.Halving",
        "--model.pose_net.encoder.class_path=my_encoders.Halving",
        "--model.pose_net.encoder.channels=8",
        "--model.pose_net.encoder.num_images=2",
    ]
    assert train(tmp_path / "run", *flags, method="velocity") == 0
    weights = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    assert weights["depth_net.encoder.halve.0.weight"].shape == (4, 3, 3, 3)
    assert weights["pose_net.encoder.halve.0.weight"].shape == (8, 6, 3, 3)
    # It is code of the user's: a checkpoint must not run it unasked.
    (tmp_path / "images").mkdir()
    command = ["predict", "--checkpoint=run", "--input=images", "--output=depth"]
    Image.new("RGB", (64, 32)).save(tmp_path / "images/a.png")
    assert main(command) == 2
    assert "--trust" in capsys.readouterr().err
    assert main([*command, "--trust"]) == 0


def test_an_encoder_takes_the_resnets_place_and_its_channels_count():
    depth_net = DepthNet(encoder=ResNetEncoder(50, 0.125, "group"), width=0.125)
    assert depth_net(torch.rand(1, 3, 32, 64))[0].shape == (1, 1, 32, 64)
    pose_net = PoseNet(encoder=ResNetEncoder(50, 0.125, "group", num_images=2), width=0.125)
    assert pose_net(*torch.rand(2, 1, 3, 32, 64)).T_first_to_second.shape == (1, 4, 4)


@pytest.mark.parametrize("network", [DepthNet, PoseNet])
def test_an_encoder_that_does_not_fit_is_refused(network, tmp_path):
    with pytest.raises(ConfigError, match="num_channels"):
        network(encoder=Silent())
    with pytest.raises(ConfigError, match="give them to the encoder"):
        network(encoder=ResNetEncoder(18, 0.125), weights=tmp_path / "resnet18.pth")
