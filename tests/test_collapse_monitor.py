"""A run that has collapsed says so once, with the likely cause; a healthy one says nothing."""

from __future__ import annotations

import json

import pytest
import torch

from selfsup_depth.data.examples import TrainingExamples
from selfsup_depth.networks.depth import DepthNet
from selfsup_depth.training import collapse_monitor

VIDEO = ["--data.two_view_motion=false", "--model.geometric_start.steps=0"]


@pytest.fixture
def impatient(monkeypatch):
    """Five looks are over after eight steps, not after two hundred."""
    monkeypatch.setattr(collapse_monitor, "WARM_UP_STEPS", 2)
    monkeypatch.setattr(collapse_monitor, "LOOK_EVERY_N_STEPS", 1)
    return 8


@pytest.fixture
def constant_depth(monkeypatch):
    """Every level says 10 m everywhere and learns nothing."""
    forward = DepthNet.forward
    monkeypatch.setattr(
        DepthNet, "forward", lambda self, image: [0.1 + 0 * rho for rho in forward(self, image)]
    )


@pytest.fixture
def static_video(monkeypatch):
    """The neighbours in time show what the target shows."""
    read = TrainingExamples.__getitem__

    def still(self, key):
        batch = read(self, key)
        return batch._replace(video=[source._replace(view=batch.target) for source in batch.video])

    monkeypatch.setattr(TrainingExamples, "__getitem__", still)


def causes(run) -> list[str]:
    file = run / "collapse.jsonl"
    return [json.loads(line)["cause"] for line in file.read_text().splitlines()] if file.exists() else []


# Planted collapse, its recipe, its flags, what is recorded, and the knob that the warning names.
CONSTANT = ("constant_depth", "monodepth2_stereo", [], "constant inverse depth", "--optimizer.learning_rate")
STILL = ("", "monodepth2_mono", [*VIDEO, "--model.pose_net.output_scale=0"], "no motion", "first_motion")
STATIC = ("static_video", "monodepth2_mono", VIDEO, "almost all pixels masked", "--data.video")
NEAR = (
    "",
    "monodepth2_stereo",
    ["--model.depth_net.first_depth=1.0001", "--optimizer.learning_rate=1e-9"],
    "depth at the near end",
    "raise --model.depth_net.first_depth",
)
FAR = (
    "",
    "monodepth2_stereo",
    ["--model.depth_net.first_depth=99.5", "--optimizer.learning_rate=1e-9"],
    "depth at the far end",
    "lower --model.depth_net.first_depth",
)
COLLAPSES = [CONSTANT, STILL, STATIC, NEAR, FAR]
NAMES = ["constant", "still", "static", "near", "far"]


def collapse(request, train, folder, capsys, planted, steps, consequences=()):
    fixture, method, options, cause, knob = planted
    if fixture:
        request.getfixturevalue(fixture)
    assert train(folder, f"--trainer.max_steps={steps}", *options, method=method) == 0
    found = causes(folder)
    assert found.count(cause) == 1
    assert set(found) <= {cause, *consequences}
    lines = [line for line in capsys.readouterr().err.splitlines() if knob in line]
    assert len(lines) == 1


@pytest.mark.parametrize("planted", COLLAPSES, ids=NAMES)
def test_a_collapse_is_said_once_with_its_cause(request, train, tmp_path, capsys, impatient, planted):
    collapse(request, train, tmp_path / "run", capsys, planted, impatient)


@pytest.mark.slow
@pytest.mark.parametrize("planted", COLLAPSES, ids=NAMES)
def test_a_collapse_is_said_within_two_hundred_steps(request, train, tmp_path, capsys, planted):
    # Where nothing moves or all is masked, smoothness alone teaches, and in time flattens the depth.
    collapse(request, train, tmp_path / "run", capsys, planted, 200, ["constant inverse depth"])


def test_four_looks_are_not_enough_and_a_good_one_begins_anew(tmp_path):
    monitor = collapse_monitor.CollapseMonitor(tmp_path / "collapse.jsonl")
    good = collapse_monitor.Look(0.1, 0, 0, 1.0, 0.5)
    still = good._replace(motion=0.0, kept=0.0)
    for number, look in enumerate([*[still] * 4, good, *[still] * 4]):
        monitor._judge(look, number)
    assert causes(tmp_path) == []
    for number in range(20):
        monitor._judge(still, number)
    assert causes(tmp_path) == ["no motion"]
    assert all(not cause.holds(good) for cause in collapse_monitor.CAUSES.values())
    monitor._judge(good._replace(spread=torch.nan), 0)
