"""Readers of weights from elsewhere, of what tells a network's scale, and of a rig of one's own."""

from __future__ import annotations

import io
import json
from pathlib import Path

import data_trees as trees
import safetensors.torch
import torch
from faults.parser import Parser, finite

from selfsup_depth.data.rig_file import read_rig
from selfsup_depth.training.monodepth2_folder import read_table
from selfsup_depth.training.safetensors_folder import read_config, read_weights
from selfsup_depth.training.scale_clues import read_named_numbers


def rig(path: Path) -> None:
    found = read_rig(path, {})
    for side in ("l", "r"):
        K = found.K(side, trees.SIZE)
        finite(K)
        assert K[0, 0] > 0
        assert K[1, 1] > 0
    if {"T", "baseline"} & found.numbers.keys():
        finite(found.T_left_to_right)


def measurements(path: Path) -> None:
    for line in read_named_numbers(path, [Path("a.png"), Path("b.png")], 3):
        finite(line.numbers, 1 / line.numbers[-1])


def tensors(path: Path) -> None:
    assert all(isinstance(tensor, torch.Tensor) for tensor in read_weights(path).values())


def table(path: Path) -> None:
    assert all(isinstance(value, torch.Tensor | int) for value in read_table(path).values())


def exported(path: Path) -> None:
    assert isinstance(read_config(path), dict)


def table_bytes() -> bytes:
    file = io.BytesIO()
    torch.save({"encoder.conv1.weight": torch.ones(8), "height": 192, "width": 640}, file)
    return file.getvalue()


RIG = (
    f"fx: 50.0\ncx: 28\ncy: 19\nright_fx: 51\nR: {trees.numbers([[1, 0, 0], [0, 1, 0], [0, 0, 1]])}\n"
    f"T: -0.5 0 0\nwidth: {trees.SIZE[1]}\nheight: {trees.SIZE[0]}\ndistortion: 0.1 0 0 0\n"
)

CONFIG = json.dumps({"selfsup_depth": {"size": [32, 64], "scale": {"kind": "metric"}}})

PARSERS = {
    "camera.yaml of a rig": Parser(RIG.encode, rig, "/camera.yaml"),
    "measured points": Parser("# NAME column row metres\na.png 3 4 5.5\nb.png 1 2 9\n".encode, measurements),
    "config.json of a network": Parser(CONFIG.encode, exported, ".json"),
    "weights .safetensors": Parser(
        lambda: safetensors.torch.save({"a": torch.ones(8), "b.c": torch.zeros(2, 3)}), tensors, ".bin", 0.1
    ),
    "weights of Monodepth2": Parser(table_bytes, table, ".pth", 0.1),
}  # fmt: skip
