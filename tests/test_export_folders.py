"""Folders of weights: written, read back bit for bit, and named as others name them."""

from __future__ import annotations

import json
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import torch
from PIL import Image
from stored_networks import BATCH_NORM, CAMERA, checkpoint, monodepth2_tables, write_tables

import selfsup_depth
from selfsup_depth.cli import main
from selfsup_depth.training.checkpoint import RECORD, load_checkpoint
from selfsup_depth.training.checkpoint_io import read_sealed, write_sealed
from selfsup_depth.training.rescaling import Rescaling, with_rescaling

USUAL = {"class_path": "DepthNet", "min_depth": 0.5, "max_depth": 90.0}
POSE = {"class_path": "PoseNet"}
ABOUT = ("height", "width", "use_stereo")


def export(run, form, output, *options):
    assert main(["export", f"--checkpoint={run}", f"--format={form}", f"--output={output}", *options]) == 0
    return output


def assert_same_weights(found, expected):
    """Same names, same bits."""
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name
        assert found[name].dtype == tensor.dtype, name


def test_safetensors_load_back_bit_equal(tmp_path, capsys):
    run = checkpoint(tmp_path / "run.ckpt", BATCH_NORM, {**POSE, "width": 0.125})
    folder = export(run, "safetensors", tmp_path / "net", "--licence=CC-BY-4.0")
    again = export(folder, "safetensors", tmp_path / "again", "--licence=CC-BY-4.0")
    original, found = load_checkpoint(run), load_checkpoint(folder)
    assert_same_weights(found.module.state_dict(), original.module.state_dict())
    for key in ("scale", "size", "depth_range", "cameras"):
        assert found.record[key] == original.record[key]
    picture = Image.effect_noise((150, 70), 90).convert("RGB")
    ours, theirs = (selfsup_depth.load(path, device="cpu") for path in (run, folder))
    np.testing.assert_array_equal(ours.predict(picture).depth, theirs.predict(picture).depth)
    assert (
        ours.config_sha256
        == theirs.config_sha256
        == json.loads((folder / "config.json").read_text())["config_sha256"]
    )
    for file in folder.iterdir():
        # The facts in the header of safetensors are in no order.
        assert file.suffix == ".safetensors" or (again / file.name).read_bytes() == file.read_bytes()
        assert b"/home/someone" not in file.read_bytes()


def test_the_model_card_is_one_that_the_hub_reads(tmp_path):
    run = checkpoint(tmp_path / "run.ckpt", BATCH_NORM)
    folder = export(run, "safetensors", tmp_path / "net", "--licence=CC-BY-4.0")
    card = huggingface_hub.ModelCard.load(folder / "README.md")
    assert card.data.license == "cc-by-4.0"
    assert card.data.pipeline_tag == "depth-estimation"
    assert "metric, in metres" in card.text
    assert "1 to 80 m" in card.text
    assert f"{CAMERA['K'][0][0] / CAMERA['size'][1]:.4f}" in card.text
    assert "Loss terms: smoothness." in card.text
    unstated = export(run, "safetensors", tmp_path / "other", "--licence=ours: ask first")
    assert huggingface_hub.ModelCard.load(unstated / "README.md").data.license == "other"


def test_monodepth2_names_round_trip_bit_equal(tmp_path, capsys):
    run = checkpoint(tmp_path / "run.ckpt", USUAL, POSE)
    folder = export(run, "monodepth2", tmp_path / "net")
    assert "depth from 0.5 to 90" in capsys.readouterr().out
    original, found = load_checkpoint(run), load_checkpoint(folder)
    assert_same_weights(found.module.state_dict(), original.module.state_dict())
    for key in ("scale", "size", "depth_range"):
        assert found.record[key] == original.record[key]
    tables = monodepth2_tables()
    assert {file.stem for file in folder.glob("*.pth")} == tables.keys()
    for name, table in tables.items():
        content = torch.load(folder / f"{name}.pth", weights_only=True)
        assert {key: np.shape(value) for key, value in content.items()} == {
            key: np.shape(value) for key, value in table.items() if name == "encoder" or key not in ABOUT
        }
    assert torch.equal(content["net.3.weight"][:6], original.module.pose_net.head.weight)


@pytest.mark.parametrize("num_layers", [18, 50])
def test_a_published_folder_is_written_again_as_it_was(num_layers, tmp_path):
    tables = {name: table for name, table in monodepth2_tables(num_layers).items() if "pose" not in name}
    first = write_tables(tmp_path / "first", tables)
    second = export(first, "monodepth2", tmp_path / "second")
    for name, table in tables.items():
        content = torch.load(second / f"{name}.pth", weights_only=True)
        assert content.keys() == table.keys()
        for key, value in table.items():
            assert "fc." in key or torch.equal(torch.as_tensor(content[key]), torch.as_tensor(value)), key


def test_a_motion_that_is_part_of_a_pose_network_stays_its_own(tmp_path):
    pose = {**POSE, "first_motion": [0.0, 0.0, 1.0]}
    folder = export(checkpoint(tmp_path / "run.ckpt", USUAL, pose), "monodepth2", tmp_path / "net")
    ours, theirs = (load_checkpoint(path).module.pose_net for path in (tmp_path / "run.ckpt", folder))
    frames = torch.rand(2, 2, 3, 64, 128)
    with torch.no_grad():
        expected, found = (network(*frames) for network in (ours, theirs))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_a_scale_that_was_found_after_training_is_in_the_exports(tmp_path):
    run = checkpoint(tmp_path / "run.ckpt", BATCH_NORM)
    content = read_sealed(run)
    record = with_rescaling(content[RECORD], Rescaling(7.5, 0.001), "a tape measure", run)
    write_sealed({**content, RECORD: record}, tmp_path / "scaled.ckpt")
    folder = export(tmp_path / "scaled.ckpt", "safetensors", tmp_path / "net")
    program = torch.export.load(export(tmp_path / "scaled.ckpt", "pt2", tmp_path / "net.pt2")).module()
    images = torch.rand(1, 3, 32, 64)
    with torch.no_grad():
        plain = load_checkpoint(run).module.predict_inverse_depth(images)
        found = load_checkpoint(folder).module.predict_inverse_depth(images)
        torch.testing.assert_close(found, plain / 7.5 + 0.001)
        torch.testing.assert_close(program(images)[1], found, rtol=1e-5, atol=0)


def test_torch_hub_finds_the_networks(tmp_path):
    run = checkpoint(tmp_path / "run.ckpt", BATCH_NORM)
    root = str(Path(__file__).resolve().parents[1])
    predictor = torch.hub.load(root, "depth", run, device="cpu", source="local")
    assert (predictor.scale, predictor.size) == ("metric", (32, 64))
