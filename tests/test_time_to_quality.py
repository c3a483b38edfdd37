"""What a good start is worth: errors after the same few steps, with and without it.

Minutes of training each, on held-out synthetic drives; run by `make slow`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfsup_depth.cli import main

pytestmark = pytest.mark.slow

VIDEO = """
model:
  depth_net: {width: 0.25, norm: group, coordinates: true, min_depth: 1.0, first_depth: 12.0}
  pose_net: {width: 0.25, norm: group}
  geometric_start: {steps: 0}
  protocol: kitti_eigen
data:
  layout: {class_path: SyntheticDrive, options: {drives: 8, frames: 16, moving_cars: false}}
  split: splits
  height: 96
  width: 320
  batch_size: 4
  two_view_motion: false
optimizer: {learning_rate: 1.0e-3, warmup_steps: 20, milestones: []}
trainer: {max_steps: 150, accelerator: cpu, devices: 1}
"""

STARTS = {
    "none": [],
    "published": ["--model.depth_net.min_depth=0.1", "--model.depth_net.first_depth=null"],
    "geometry": ["--data.two_view_motion=true", "--model.geometric_start.steps=100"],
    "geometry alone": ["--data.two_view_motion=true", "--model.pose_net=null"],
    "motion prior": ["--model.pose_net.first_motion=[0,0,1]"],
}


@pytest.fixture(scope="module")
def errors(tmp_path_factory) -> dict[str, float]:
    """Median-scaled abs_rel of each start, and of a constant depth, on held-out drives."""
    folder: Path = tmp_path_factory.mktemp("starts")
    (folder / "video.yaml").write_text(VIDEO)
    files = ["--config=method/monodepth2_mono.yaml", f"--config={folder / 'video.yaml'}"]
    found = {}
    for name, flags in STARTS.items():
        run = folder / name.replace(" ", "_")
        assert main(["train", *files, f"--data.root={folder / 'drives'}", f"--run={run}", *flags]) == 0
        result = json.loads((run / "evaluation.json").read_text())
        found[name] = result["metrics"]["abs_rel"]
        found["constant depth"] = result["baseline"]["abs_rel"]
    print(found)
    return found


def test_without_a_start_video_learns_next_to_nothing(errors):
    """The claim that the others are measured against."""
    assert min(errors["none"], errors["published"]) > 0.7 * errors["constant depth"]


@pytest.mark.parametrize("start", ["geometry alone", "motion prior"])
def test_a_start_is_what_makes_video_learn(errors, start):
    assert errors[start] < 0.7 * errors["constant depth"]
    assert errors[start] < 0.8 * min(errors["none"], errors["published"])


def test_the_pose_network_takes_over_from_geometry(errors):
    """Fifty steps after the hand-over some is lost again, and still far better than no start."""
    assert errors["geometry"] < 0.85 * min(errors["none"], errors["published"])
    assert errors["geometry alone"] < errors["geometry"]
