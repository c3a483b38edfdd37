"""Folders of weights: read completely or refused in one line, and nothing in them is ever run."""

from __future__ import annotations

import json
import logging
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from stored_networks import BATCH_NORM, checkpoint, monodepth2_tables, write_tables

import selfsup_depth
from selfsup_depth.cli import main
from selfsup_depth.errors import CheckpointError
from selfsup_depth.training.checkpoint import load_checkpoint

NUM_TENSORS = 120 + 28 + 120 + 9


@pytest.fixture(scope="module")
def tables():
    return monodepth2_tables()


@pytest.fixture(scope="module")
def safe_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("safetensors")
    run = checkpoint(folder / "run.ckpt", {**BATCH_NORM, "norm": "group"})
    assert main(["export", f"--checkpoint={run}", "--format=safetensors", f"--output={folder / 'net'}"]) == 0
    return folder / "net"


class Payload:
    """Runs a command when it is unpickled carelessly."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self):
        return os.system, (f"touch {self.canary}",)


def test_a_folder_of_monodepth2_is_read(tables, tmp_path, caplog):
    folder = write_tables(tmp_path / "mono_640x192", tables)
    with caplog.at_level(logging.INFO):
        loaded = load_checkpoint(folder)
    assert f"{NUM_TENSORS} of {NUM_TENSORS} tensors" in caplog.text
    assert loaded.record["scale"]["kind"] == "relative"
    network, pose = loaded.module.depth_net, loaded.module.pose_net
    assert (network.min_depth, network.max_depth) == (0.1, 100)
    # Two that are easily mixed up: 1/2 of the size first, and the finest level's head.
    read = {"decoder.6.conv.conv.weight": network.decoder.reduce[1].conv.weight}
    read["decoder.7.conv.conv.weight"] = network.decoder.merge[1].conv.weight
    read["decoder.10.conv.weight"] = network.decoder.heads[0].weight
    assert all(torch.equal(tables["depth"][name], tensor) for name, tensor in read.items())
    assert torch.equal(tables["pose"]["net.1.weight"], pose.decoder[2].weight)
    assert torch.equal(tables["pose_encoder"]["encoder.conv1.weight"], pose.encoder.conv1.weight)


def test_a_stereo_network_of_monodepth2_is_metric(tables, tmp_path):
    stereo = {"encoder": {**tables["encoder"], "use_stereo": True}, "depth": tables["depth"]}
    predictor = selfsup_depth.load(write_tables(tmp_path / "stereo_640x192", stereo), device="cpu")
    assert (predictor.scale, predictor.size) == ("metric", (192, 640))
    network = predictor.module.depth_net
    # Its unit is the tenth of a baseline of 0.54 m.
    assert (network.min_depth, network.max_depth) == pytest.approx((0.54, 540))
    depth = predictor.predict(np.zeros((100, 200, 3), np.uint8)).depth
    assert depth.shape == (100, 200)
    assert (depth >= 0.53).all()


# What a safe load takes for a tensor, and a network cannot use.
STRANGE = {
    "sparse": lambda tensor: tensor.clone().to_sparse(),
    "without numbers": lambda tensor: tensor.to("meta"),
    "not finite": lambda tensor: tensor * float("nan"),
    "complex": lambda tensor: tensor * 1j,
}


def misfit(tables, how):
    changed = {file: dict(table) for file, table in tables.items()}
    encoder, depth, pose = changed["encoder"], changed["depth"], changed["pose"]
    if how == "missing":
        del encoder["encoder.layer2.0.bn1.running_var"]
    elif how == "extra":
        depth["decoder.14.conv.weight"] = torch.zeros(1)
    elif how == "renamed":
        depth["decoder.3.conv.weight"] = depth.pop("decoder.3.conv.conv.weight")
    elif how == "shape":
        pose["net.1.weight"] = torch.zeros(256, 256, 1, 1)
    elif how == "a number":
        pose["net.1.weight"] = 3
    elif how == "no size":
        del encoder["height"]
    elif how == "odd size":
        encoder["width"] = 641
    elif how == "another network":
        encoder["encoder.layer3.5.conv1.weight"] = torch.zeros(1)
    elif how == "no decoder":
        del changed["depth"]
    elif how == "no pose":
        del changed["pose"]
    elif how in STRANGE:
        name = "encoder.layer1.0.conv1.weight"
        encoder[name] = STRANGE[how](encoder[name])
    elif how == "a list":
        changed["depth"] = list(depth.values())
    return changed


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("missing", "276 of 277"),
        ("extra", "decoder.14.conv.weight of depth.pth"),
        ("renamed", "276 of 277"),
        ("shape", "276 of 277"),
        ("a number", "276 of 277"),
        ("no size", "height and width"),
        ("odd size", "height and width"),
        ("another network", "tensors fit"),
        ("no decoder", "depth.pth"),
        ("no pose", "pose.pth"),
        ("a list", "no table"),
        *((how, "276 of 277") for how in STRANGE),
    ],
)
def test_a_folder_that_does_not_fit_is_refused(tables, tmp_path, how, message):
    folder = write_tables(tmp_path / "odd", misfit(tables, how))
    with pytest.raises(CheckpointError) as refusal:
        load_checkpoint(folder)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("file", ["encoder.pth", "depth.pth", "pose_encoder.pth", "pose.pth"])
@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_pth_file_is_not_run(tables, tmp_path, file, legacy, monkeypatch, capsys):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    folder = write_tables(tmp_path / "evil", tables)
    payload = {"encoder.conv1.weight": Payload(tmp_path / "canary")}
    if legacy:
        (folder / file).write_bytes(pickle.dumps(payload))
    else:
        torch.save(payload, folder / file)
    Image.new("RGB", (64, 32)).save(tmp_path / "a.png")
    arguments = ["--checkpoint", folder, "--input", tmp_path / "a.png", "--output", tmp_path / "out"]
    assert main(["predict", *map(str, arguments)]) == 4
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert file in lines[0]
    assert not (tmp_path / "canary").exists()


def spoiled(folder, tmp_path, how):
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    weights, config = copy / "model.safetensors", copy / "config.json"
    said = json.loads(config.read_text())
    if how == "cut":
        weights.write_bytes(weights.read_bytes()[:-7])
    elif how == "header":
        weights.write_bytes(b"\xff" * 8 + weights.read_bytes()[8:])
    elif how == "pickle":
        torch.save({"x": Payload(tmp_path / "canary")}, weights)
    elif how in ("one less", "one more"):
        tensors = safetensors.torch.load_file(weights)
        tensors = dict(list(tensors.items())[1:]) if how == "one less" else tensors | {"x": torch.zeros(1)}
        safetensors.torch.save_file(tensors, weights)
    elif how == "no config":
        config.unlink()
    elif how == "not JSON":
        config.write_text("{" * 10_000)
    elif how == "deep JSON":
        config.write_text("[" * 100_000 + "]" * 100_000)
    elif how == "a list":
        config.write_text("[1]")
    elif how == "no record":
        config.write_text("{}")
    else:
        said["selfsup_depth"][how] = UNUSABLE[how]
        config.write_text(json.dumps(said))
    return copy


DAMAGED = ["cut", "header", "pickle", "one less", "one more"]
SAYS_NOTHING = ["no config", "not JSON", "deep JSON", "a list", "no record"]
UNIT = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
UNUSABLE = {
    "size": [32, "64"],
    "scale": {"kind": "feet"},
    "config": {},
    "depth_range": [3, 2],
    "cameras": [{"K": [[1, 2], [3, 4]], "size": [2, 2]}],
    "intrinsics": {"K": UNIT, "size": [2, 2], "K_stored": UNIT, "size_stored": [0, 2]},
}


@pytest.mark.parametrize("how", [*DAMAGED, *SAYS_NOTHING, *UNUSABLE])
def test_a_spoiled_folder_of_safetensors_is_refused(safe_folder, tmp_path, how):
    folder = spoiled(safe_folder, tmp_path, how)
    with pytest.raises(CheckpointError) as refusal:
        load_checkpoint(folder)
    assert str(folder) in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "canary").exists()


def test_without_the_package_its_name_is_said(safe_folder, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "safetensors.torch", None)
    Image.new("RGB", (64, 32)).save(safe_folder.parent / "a.png")
    where = [f"--input={safe_folder.parent / 'a.png'}", f"--output={safe_folder.parent / 'out'}"]
    assert main(["predict", f"--checkpoint={safe_folder}", *where]) == 2
    assert "pip install safetensors" in capsys.readouterr().err


def test_a_folder_without_data_is_not_evaluated_on_nothing(safe_folder, capsys):
    assert main(["evaluate", "depth", f"--checkpoint={safe_folder}", "--protocol=metric"]) == 2
    assert "--config" in capsys.readouterr().err.splitlines()[-1]
