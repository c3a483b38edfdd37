"""Whole runs, tiny: what they leave behind, what they refuse, and that they repeat."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import data_trees
import numpy as np
import pytest
import torch
import yaml

import selfsup_depth
from selfsup_depth.cli import main
from selfsup_depth.errors import ConfigError, NumericError
from selfsup_depth.training.checkpoint_io import write_sealed
from selfsup_depth.training.pictures import Pictures

# The tiny drive's frames are noise: two-view geometry finds no motion in them.
EXTRA = {
    "monodepth2_mono": ["--data.two_view_motion=false", "--model.geometric_start.steps=0"],
    "packnet": ["--data.two_view_motion=false", "--model.geometric_start.steps=0"],
    "sfmlearner": ["--data.two_view_motion=false", "--model.geometric_start.steps=0"],
    "monodepth": ["--model.depth_net.num_layers=18"],
    "sc_sfmlearner": ["--data.two_view_motion=false", "--model.geometric_start.steps=0"],
}
METHODS = sorted(path.stem for path in (Path(__file__).parents[1] / "conf" / "method").glob("*.yaml"))


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def curve(run: Path, column: str) -> list[float]:
    with (run / "metrics.csv").open() as file:
        return [float(row[column]) for row in csv.DictReader(file) if row.get(column)]


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize("method", METHODS)
def test_every_recipe_trains_and_leaves_a_whole_run(train, tmp_path, capsys, method):
    options = ["--trainer.max_steps=2", *EXTRA.get(method, [])]
    assert train(tmp_path / "run", *options, method=method) == 0
    run = tmp_path / "run"
    assert {path.name for path in run.iterdir()} >= {
        "config.yaml",
        "environment.json",
        "metrics.csv",
        "evaluation.json",
    }
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert any(path.name.startswith("events.") for path in run.iterdir())
    assert (run / "pictures" / "step_000002.png").stat().st_size > 1000
    result = json.loads((run / "evaluation.json").read_text())
    assert result["metrics"]["abs_rel"] > 0
    assert result["num_images"] == 8
    assert result["protocol"]["name"]
    assert result["baseline"]["abs_rel"] >= 0
    assert 0 < result["photometric_error"]["synthesized"] < 1
    printed = capsys.readouterr().out
    assert "abs_rel" in printed
    assert str(run) in printed


def test_a_run_records_whether_its_depth_is_metric(train, tmp_path):
    for method, kind in [
        ("velocity", "metric"),
        ("monodepth2_stereo", "metric"),
        ("monodepth2_mono", "relative"),
    ]:
        options = ["--trainer.max_steps=1", *EXTRA.get(method, [])]
        assert train(tmp_path / method, *options, method=method) == 0
        checkpoint = torch.load(tmp_path / method / "checkpoints" / "last.ckpt", weights_only=True)
        assert checkpoint["selfsup_depth"]["scale"] == {"kind": kind, "unit": "metre"}
        assert checkpoint["selfsup_depth"]["size"] == [32, 64]


def test_the_recorded_configuration_repeats_the_run(train, tmp_path):
    assert train(tmp_path / "first") == 0
    assert (
        main(["train", f"--config={tmp_path / 'first' / 'config.yaml'}", f"--run={tmp_path / 'second'}"]) == 0
    )
    assert same(weights(tmp_path / "first"), weights(tmp_path / "second"))
    assert train(tmp_path / "other", "--seed=7") == 0
    assert not same(weights(tmp_path / "first"), weights(tmp_path / "other"))


def test_a_flag_changes_the_recorded_configuration_and_the_curve(train, tmp_path):
    assert train(tmp_path / "plain", method="monodepth2_mono_stereo") == 0
    changed = ["--model.losses.smoothness.weight=0", "--model.losses.photometric.auto_mask=false"]
    assert train(tmp_path / "changed", *changed, method="monodepth2_mono_stereo") == 0
    config = yaml.safe_load((tmp_path / "changed" / "config.yaml").read_text())
    terms = config["model"]["init_args"]["losses"]
    assert terms["smoothness"]["init_args"]["weight"] == 0
    assert terms["photometric"]["init_args"]["auto_mask"] is False
    assert curve(tmp_path / "plain", "loss/smoothness")
    assert "loss/smoothness" not in (tmp_path / "changed" / "metrics.csv").read_text()
    assert curve(tmp_path / "changed", "loss/photometric") != curve(tmp_path / "plain", "loss/photometric")


def test_a_misspelt_option_is_refused_with_the_nearest_name(train, tmp_path, capsys):
    assert train(tmp_path / "run", "--model.losses.photometric.automask=false") == 2
    error = capsys.readouterr().err.strip()
    assert error.count("\n") == 0
    assert "auto_mask" in error
    assert not (tmp_path / "run").exists()


def test_pictures_do_not_change_what_is_learned(train, tmp_path, monkeypatch):
    options = ["--model.depth_net.norm=batch"]
    assert train(tmp_path / "with", *options) == 0
    monkeypatch.setattr(Pictures, "_draw", lambda *_: None)
    assert train(tmp_path / "without", *options) == 0
    assert same(weights(tmp_path / "with"), weights(tmp_path / "without"))


@pytest.mark.parametrize("steps", [3, 4, 5])
def test_a_resumed_run_ends_as_one_that_was_never_interrupted(train, tmp_path, steps):
    """Broken off within an epoch of four steps, at its end, and within the next."""
    assert train(tmp_path / "whole", "--trainer.max_steps=7", "--optimizer.milestones=[]") == 0
    assert train(tmp_path / "broken", f"--trainer.max_steps={steps}", "--optimizer.milestones=[]") == 0
    assert main(["train", f"--resume={tmp_path / 'broken'}", "--trainer.max_steps=7"]) == 0
    checkpoint = torch.load(tmp_path / "broken" / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 7
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "broken"))


def test_resume_needs_something_to_resume(tmp_path, capsys):
    assert main(["train", f"--resume={tmp_path / 'nowhere'}"]) == 2
    assert str(tmp_path / "nowhere") in capsys.readouterr().err


def test_an_existing_run_is_refused_and_kept_or_overwritten_if_asked(train, tmp_path, capsys):
    assert train(tmp_path / "run", "--trainer.max_steps=1") == 0
    before = weights(tmp_path / "run")
    capsys.readouterr()
    assert train(tmp_path / "run", "--seed=3", "--trainer.max_steps=1") == 2
    assert "--overwrite" in capsys.readouterr().err
    assert same(weights(tmp_path / "run"), before)
    assert train(tmp_path / "run", "--seed=3", "--trainer.max_steps=1", "--overwrite") == 0
    assert not same(weights(tmp_path / "run"), before)


def test_a_folder_that_is_no_run_is_never_overwritten(train, tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("ten years of work")
    assert train(tmp_path, "--overwrite") == 2
    assert "other than a run" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_run_in_use_is_refused(train, tmp_path, capsys):
    assert train(tmp_path / "run", "--trainer.max_steps=1") == 0
    with (tmp_path / "run" / "run.lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert train(tmp_path / "run", "--overwrite") == 7
    assert "is training" in capsys.readouterr().err
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()


def test_a_place_that_cannot_be_written_is_refused(train, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert train(tmp_path / "file" / "run") == 6
    assert "cannot be written" in capsys.readouterr().err


class Canary:
    """Unpickled, it would write a file."""

    def __reduce__(self):
        return os.system, (f"touch {os.environ['CANARY']}",)


@pytest.mark.parametrize("kind", ["text", "pickle", "torch", "foreign"])
def test_what_is_no_checkpoint_is_refused_and_nothing_in_it_runs(tmp_path, capsys, monkeypatch, kind, drive):
    monkeypatch.setenv("CANARY", str(tmp_path / "canary"))
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    file = tmp_path / "x.ckpt"
    if kind == "text":
        file.write_text("hello")
    elif kind == "pickle":
        file.write_bytes(pickle.dumps(Canary()))
    elif kind == "torch":
        write_sealed({"state_dict": {}, "selfsup_depth": Canary()}, file)
    else:
        write_sealed({"state_dict": {}}, file)
    arguments = ["--config=data/kitti_raw.yaml", f"--data.root={drive}", "--protocol=metric"]
    assert main(["evaluate", "depth", f"--checkpoint={file}", *arguments]) == 4
    assert str(file) in capsys.readouterr().err
    assert not (tmp_path / "canary").exists()


def test_weights_of_another_network_are_refused_by_name(train, tmp_path, capsys, drive):
    assert train(tmp_path / "run", "--trainer.max_steps=1") == 0
    file = tmp_path / "run" / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(file, weights_only=True)
    name = next(iter(checkpoint["state_dict"]))
    checkpoint["state_dict"][name] = torch.zeros(3)
    write_sealed(checkpoint, tmp_path / "changed.ckpt")
    arguments = ["--config=data/kitti_raw.yaml", f"--data.root={drive}", "--protocol=metric"]
    assert main(["evaluate", "depth", f"--checkpoint={tmp_path / 'changed.ckpt'}", *arguments]) == 4
    assert name in capsys.readouterr().err


def test_mixed_precision_trains_with_finite_losses(train, tmp_path):
    assert train(tmp_path / "run", "--trainer.precision=bf16-mixed", method="velocity") == 0
    values = curve(tmp_path / "run", "loss/total")
    assert values
    assert all(0 < value < 10 for value in values)


OWN_TERM = """
from selfsup_depth.losses.base import LossTerm


class Nearness(LossTerm):
    \"\"\"Mean inverse depth.\"\"\"

    def forward(self, batch, estimates):
        return estimates[0].inverse_depth.mean()
"""


def test_a_term_of_the_users_own_trains_by_flags_alone(train, tmp_path, monkeypatch):
    (tmp_path / "my_terms.py").write_text(OWN_TERM)
    monkeypatch.chdir(tmp_path)
    flags = ["--model.losses.nearness.class_path=my_terms.Nearness", "--model.losses.nearness.weight=0.5"]
    assert train(tmp_path / "run", *flags) == 0
    assert curve(tmp_path / "run", "loss/nearness")[0] == pytest.approx(0.5 / 8, rel=0.05)


OWN_NETWORK = """
import torch
from torch import nn

from selfsup_depth.networks.base import DepthNetwork


class Plain(DepthNetwork):
    def __init__(self, first_depth: float = 20.0) -> None:
        super().__init__(min_depth=2.0, first_depth=first_depth)
        self.head = nn.Conv2d(3, 1, 3, padding=1)
        self.say_first_depth([self.head])

    def forward(self, image):
        return self.inverse_depths([self.head(image)])
"""


def test_a_depth_network_of_the_users_own_trains_and_predicts(train, tmp_path, monkeypatch):
    (tmp_path / "my_networks.py").write_text(OWN_NETWORK)
    monkeypatch.chdir(tmp_path)
    assert train(tmp_path / "run", "--model.depth_net=my_networks.Plain") == 0
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    network = config["model"]["init_args"]["depth_net"]
    assert network["class_path"] == "my_networks.Plain"
    assert set(network["init_args"]) == {"first_depth"}
    with pytest.raises(ConfigError, match="--trust"):
        selfsup_depth.load(tmp_path / "run")
    predictor = selfsup_depth.load(tmp_path / "run", trust=True)
    depth = predictor.predict(torch.rand(3, 32, 64)).depth
    assert depth.shape == (32, 64)
    assert np.median(depth) == pytest.approx(20, rel=0.2)


def test_an_unreadable_image_is_refused_and_leaves_no_run(train, tmp_path, capsys):
    root = data_trees.kitti_raw(tmp_path / "data", num_frames=4)
    for image in root.glob("**/image_03/data/*.png"):
        image.write_bytes(image.read_bytes()[:200])
    assert train(tmp_path / "run", f"--data.root={root}") == 3
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert "image_03" in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("method", "options", "fix"),
    [
        ("velocity", ["--data.video=[]", "--data.stereo=true"], "velocity.weight=0"),
        ("monodepth", ["--data.stereo=false", "--data.video=[-1]"], "--data.stereo=true"),
        ("monodepth2_mono", ["--data.two_view_motion=false"], "geometric_start.steps=0"),
        ("monodepth2_mono", ["--data.fov=unknown"], "pose_net.learned_intrinsics=true"),
        (
            "monodepth2_mono",
            ["--data.two_view_motion=false", "--model.pose_net=null"],
            "--model.pose_net=PoseNet",
        ),
        ("monodepth2_stereo", ["--model.losses.lr=LeftRightConsistency"], "LeftRight"),
        ("monodepth2_stereo", ["--data.stereo=false"], "no source"),
        ("monodepth2_stereo", ["--data.height=40"], "--data.height 32"),
        ("sfmlearner", ["--model.losses.photometric.auto_mask=true"], "photometric.auto_mask=false"),
        ("sfmlearner", ["--model.pose_net.explainability=false"], "pose_net.explainability=true"),
        ("sfmlearner", ["--model.pose_net.learned_intrinsics=true"], "--data.two_view_motion=false"),
        (
            "monodepth2_mono_stereo",
            ["--model.pose_net.learned_intrinsics=true"],
            "learned_intrinsics=false",
        ),
        ("packnet", ["--model.pose_net={class_path: SharedPoseNet}"], "no encoder in PackNet"),
        ("monodepth2_stereo", ["--trainer.accelerator=cuda"], "CUDAAccelerator"),
        ("monodepth2_stereo", ["--model.depth_net.min_depth=200"], "use 0 < min < max"),
    ],
)
def test_what_cannot_learn_from_the_data_is_refused(train, tmp_path, capsys, method, options, fix):
    assert train(tmp_path / "run", *options, method=method) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert fix in error
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_two_processes_train_together(tiny, drive, tmp_path):
    """Gloo, launched by Lightning: half of the examples each, one run directory."""
    command = [sys.executable, "-m", "selfsup_depth", "train", "--config=method/monodepth2_stereo.yaml"]
    command += [
        "--config=data/kitti_raw.yaml",
        f"--config={tiny}",
        f"--data.root={drive}",
        f"--run={tmp_path / 'run'}",
    ]
    command += ["--trainer.devices=2", "--trainer.strategy=ddp", "--trainer.max_steps=3"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    finished = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=240, cwd=tmp_path
    )
    assert finished.returncode == 0, finished.stderr[-2000:]
    checkpoint = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 3
    # Eight examples in batches of two over two processes: two steps an epoch.
    assert checkpoint["epoch"] == 1
    assert finished.stdout.count("rebuilt training views") == 1, finished.stdout


def test_a_run_that_has_no_steps_left_is_left_alone(train, tmp_path, capsys):
    run = tmp_path / "run"
    assert train(run, "--trainer.max_steps=2") == 0
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    capsys.readouterr()
    assert main(["train", f"--resume={run}"]) == 0
    assert capsys.readouterr().out == (
        f"nothing to do: all 2 steps are done, in {run}; more --trainer.max_steps go on\n"
    )
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == before
    assert main(["train", f"--resume={run}", "--trainer.max_steps=3"]) == 0
    assert (run / "metrics_part_1.csv").read_bytes() == before["metrics.csv"]


def test_a_run_that_ended_before_its_table_gets_it(train, tmp_path):
    run = tmp_path / "run"
    assert train(run, "--trainer.max_steps=1") == 0
    (run / "evaluation.json").unlink()
    assert main(["train", f"--resume={run}"]) == 0
    assert (run / "evaluation.json").is_file()


@pytest.mark.parametrize(("rate", "suspected"), [("0.5", True), ("0.1", False)])
def test_a_high_learning_rate_is_the_first_suspect(train, tmp_path, capfd, monkeypatch, rate, suspected):
    def not_finite(*_):
        raise NumericError("depth is NaN")

    monkeypatch.setattr("selfsup_depth.training.run.evaluate_and_report", not_finite)
    assert train(tmp_path / "run", "--trainer.max_steps=1", f"--optimizer.learning_rate={rate}") == 5
    *_, line = capfd.readouterr().err.strip().splitlines()
    told = "; the first suspect is --optimizer.learning_rate=0.5, 1e-4 is usual"
    assert line == f"error: depth is NaN{told * suspected}"
