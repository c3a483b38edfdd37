"""Networks on disk without training: checkpoints like those of a run, and folders in others' formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from selfsup_depth.networks.depth import DepthNet
from selfsup_depth.networks.pose import PoseNet
from selfsup_depth.training.checkpoint import RECORD
from selfsup_depth.training.checkpoint_io import write_sealed
from selfsup_depth.training.configuration import build
from selfsup_depth.training.sections import MODEL

SIZE = (32, 64)
CAMERA = {"K": [[58.0, 0.0, 49.5], [0.0, 58.0, 24.5], [0.0, 0.0, 1.0]], "size": [50, 100]}
BATCH_NORM = {"class_path": "DepthNet", "width": 0.125, "min_depth": 1.0, "max_depth": 80.0}


def checkpoint(
    file: Path, depth_net: dict[str, Any], pose_net: dict[str, Any] | None = None, trust: bool = False
) -> Path:
    """A checkpoint as `train` writes it, with running statistics that are not those of a first step."""
    losses = {"smoothness": {"class_path": "Smoothness", "weight": 0.1}}
    parts = {"depth_net": depth_net, "pose_net": pose_net, "losses": losses}
    model = {"class_path": "ViewSynthesis", "init_args": parts}
    torch.manual_seed(5)
    module = build({"model": model}, {"model": MODEL}, trust)["model"]
    live_through(module)
    record = {
        "config": {"model": model, "data": {"stereo": True, "root": "/home/someone/kitti"}},
        "versions": {},
        "scale": {"kind": "metric", "unit": "metre"},
        "size": list(SIZE),
        "depth_range": [module.depth_net.min_depth, module.depth_net.max_depth],
        "cameras": [CAMERA],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    write_sealed({RECORD: record, "state_dict": module.state_dict()}, file)
    return file


def live_through(network: nn.Module) -> None:
    """Give batch normalisations the means, spreads and factors of some past; folding must mind each."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean, module.bias.data):
                nn.init.normal_(tensor, std=0.2)
            for tensor in (module.running_var, module.weight.data):
                nn.init.uniform_(tensor, 0.5, 2.0)


def monodepth2_tables(num_layers: int = 18) -> dict[str, dict[str, Any]]:
    """The four files of Monodepth2's format; their names by rule, with zeros that take no room."""
    depth_net, pose_net = DepthNet(num_layers), PoseNet(num_layers)
    decoder, pose = {}, {}
    for index, (level, part) in enumerate((level, part) for level in (4, 3, 2, 1, 0) for part in (0, 1)):
        ours = (depth_net.decoder.reduce, depth_net.decoder.merge)[part][level].conv
        decoder |= {f"decoder.{index}.conv.conv.{name}": value for name, value in ours.state_dict().items()}
    for level, head in enumerate(depth_net.decoder.heads):
        decoder |= {f"decoder.{10 + level}.conv.{name}": value for name, value in head.state_dict().items()}
    for index, layer in enumerate([pose_net.decoder[0], pose_net.decoder[2], pose_net.decoder[4]]):
        pose |= {f"net.{index}.{name}": value for name, value in layer.state_dict().items()}
    pose |= {"net.3.weight": torch.zeros(12, 256, 1, 1), "net.3.bias": torch.zeros(12)}
    fc = {"encoder.fc.weight": torch.zeros(1000, 512), "encoder.fc.bias": torch.zeros(1000)}
    encoders = [
        {f"encoder.{name}": value for name, value in network.encoder.state_dict().items()} | fc
        for network in (depth_net, pose_net)
    ]
    about = {"height": 192, "width": 640, "use_stereo": False}
    tables = {
        "encoder": {**encoders[0], **about},
        "depth": decoder,
        "pose_encoder": encoders[1],
        "pose": pose,
    }
    return {
        file: {name: weightless(value) for name, value in table.items()} for file, table in tables.items()
    }


def weightless(value: Any) -> Any:
    """The same number everywhere, which a file stores once."""
    return (
        value.flatten()[:1].clone().expand(value.shape) if isinstance(value, Tensor) and value.ndim else value
    )


def write_tables(folder: Path, tables: dict[str, dict[str, Any]]) -> Path:
    folder.mkdir(parents=True)
    for name, table in tables.items():
        torch.save(table, folder / f"{name}.pth")
    return folder
