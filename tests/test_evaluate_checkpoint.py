"""A checkpoint on test frames of real data: which frames, which depth, which size."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import selfsup_depth
from selfsup_depth.cli import main
from selfsup_depth.data.kitti_raw import KittiRaw
from selfsup_depth.evaluation.protocols import PROTOCOLS
from selfsup_depth.training.checkpoint import RECORD
from selfsup_depth.training.checkpoint_io import write_sealed
from selfsup_depth.training.configuration import build, resolve
from selfsup_depth.training.layers import stack_layers
from selfsup_depth.training.sections import SECTIONS

ROOT = Path(__file__).resolve().parents[2] / "shared" / "data" / "kitti_raw_0013"
pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason="needs ../shared/data/kitti_raw_0013")

SIZE = (64, 192)
TINY = [
    ("data.layout", "KittiRaw"),
    ("data.root", str(ROOT)),
    ("data.height", str(SIZE[0])),
    ("data.width", str(SIZE[1])),
    ("data.num_workers", "0"),
    ("model.depth_net.width", "0.125"),
    ("model.depth_net.norm", "group"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run whose untrained network says about 15 m."""
    folder = tmp_path_factory.mktemp("run")
    config = resolve(stack_layers(["method/velocity.yaml"], TINY), SECTIONS)
    torch.manual_seed(0)
    module = build(config, SECTIONS)["model"]
    record = {"config": config, "versions": {}, "scale": {"kind": "relative", "unit": "metre"}}
    record |= {"size": list(SIZE), "depth_range": [0.1, 100.0]}
    (folder / "checkpoints").mkdir()
    write_sealed({RECORD: record, "state_dict": module.state_dict()}, folder / "checkpoints" / "last.ckpt")
    return folder


def evaluate(run, tmp_path, *arguments):
    file = tmp_path / "result.json"
    given = ["evaluate", "depth", "--checkpoint", run, "--json", file, *arguments]
    assert main([str(argument) for argument in given]) == 0
    return json.loads(file.read_text())


def measured_depths(protocol, depth_of_point):
    """Of every frame that was measured, those that count."""
    (recording,) = KittiRaw(velodyne_depth=depth_of_point).recordings(ROOT)
    for frame in recording.cameras["l"].frames.values():
        if frame.measured is not None:
            depth = frame.measured.read()
            top, bottom, left, right = protocol.crop_box(*depth.shape)
            inside = depth[top:bottom, left:right]
            yield inside[(inside > 0) & (inside < 80)].astype(np.float64)


@pytest.mark.parametrize(
    ("name", "depth_of_point"), [("kitti_metric", "camera_z"), ("kitti_eigen", "velodyne_forward_x")]
)
def test_the_lasers_depth_is_the_protocols(name, depth_of_point, run, tmp_path):
    result = evaluate(run, tmp_path, "--protocol", name)
    depths = list(measured_depths(PROTOCOLS[name], depth_of_point))
    expected = np.mean([np.mean(np.abs(depth - np.median(depth)) / depth) for depth in depths])
    assert result["baseline"]["abs_rel"] == pytest.approx(expected, rel=1e-9)
    assert result["num_images"] == len(depths) == 9
    assert result["measured_by"] == {"VelodyneDepth": 9}
    assert 0 < result["metrics"]["abs_rel"] < 1


def test_the_prediction_is_the_one_of_load(run, tmp_path):
    """Evaluating what `predict` would say, by hand, gives the same number."""
    result = evaluate(run, tmp_path, "--protocol", "kitti_metric")
    predictor = selfsup_depth.load(run, device="cpu")
    (recording,) = KittiRaw().recordings(ROOT)
    errors = []
    for frame in recording.cameras["l"].frames.values():
        if frame.measured is not None:
            depth = frame.measured.read()
            predicted = predictor.predict(frame.image.read()).depth.clip(1e-3, 80)
            top, bottom, left, right = PROTOCOLS["kitti_metric"].crop_box(*depth.shape)
            counts = np.zeros(depth.shape, bool)
            counts[top:bottom, left:right] = True
            counts &= (depth > 1e-3) & (depth < 80)
            errors.append(np.mean(np.abs(predicted[counts] - depth[counts]) / depth[counts]))
    assert result["metrics"]["abs_rel"] == pytest.approx(np.mean(errors), rel=1e-5)


def test_a_relative_network_under_a_metric_protocol_is_remarked(run, tmp_path, capsys):
    evaluate(run, tmp_path, "--protocol", "metric")
    assert "takes it as metres" in capsys.readouterr().out
    evaluate(run, tmp_path, "--protocol", "kitti_eigen")
    assert "takes it as metres" not in capsys.readouterr().out


def test_a_split_decides_which_frames(run, tmp_path):
    (recording,) = KittiRaw().recordings(ROOT)
    frames = recording.cameras["l"].frames
    numbers = [index for index, frame in frames.items() if frame.measured is not None]
    lines = [f"{recording.name} {index:010d} l\n" for index in numbers]
    split = tmp_path / "split"
    split.mkdir()
    (split / "val.txt").write_text("".join(lines[:3]))
    result = evaluate(run, tmp_path, "--protocol", "metric", "--split", split)
    assert result["num_images"] == 3
    (split / "test.txt").write_text(lines[4])
    result = evaluate(run, tmp_path, "--protocol", "metric", "--data.split", split)
    assert result["num_images"] == 1


def test_files_of_a_training_command_can_be_given_as_they_are(run, tmp_path):
    overlay = tmp_path / "other.yaml"
    overlay.write_text(f"data: {{layout: KittiRaw, root: {ROOT}, num_workers: 0, hold_out: 0.3}}\n")
    files = ["--config", "method/velocity.yaml", "--config", overlay]
    result = evaluate(run, tmp_path, *files, "--protocol", "metric")
    assert 0 < result["num_images"] < 9
    assert result["size"] == list(SIZE)  # of training, not that of the files


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--data.root", "nowhere"], 3, "data root is missing"),
        (["--data.rot", "x"], 2, "did you mean"),
        (["--config", "data/kiti_raw.yaml"], 2, "data/kiti_raw.yaml"),
        (["--split", "eigen_zou"], 2, "eigen_zou"),
    ],
)
def test_bad_data_is_refused_in_one_line(arguments, code, message, run, capsys):
    assert main(["evaluate", "depth", "--checkpoint", str(run), "--protocol", "metric", *arguments]) == code
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last
