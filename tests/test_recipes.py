"""Recipes train two steps on a rendered drive, and on KITTI where it is there."""

from __future__ import annotations

import pytest
from scenes import shared

from selfsup_depth.cli import main

SMALL = [
    "--config=small.yaml",
    "--data.height=64",
    "--data.width=192",
    "--data.batch_size=2",
    "--data.num_workers=0",
    "--model.depth_net.width=0.125",
    "--trainer.accelerator=cpu",
    "--trainer.devices=1",
    "--trainer.max_steps=2",
]

METHODS = ["garg", "sc_sfmlearner"]


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    """A rendered street of a few small frames."""
    root = tmp_path_factory.mktemp("street")
    options = ["--drives=2", "--frames=6", "--height=64", "--width=192", "--held_out_drives=1"]
    assert main(["data", "synthesize", f"--output={root / 'drives'}", *options]) == 0
    return root / "drives"


@pytest.mark.parametrize("method", METHODS)
def test_a_recipe_trains_on_a_rendered_drive(method, street, tmp_path):
    files = [f"--config=method/{method}.yaml", "--config=data/kitti_raw.yaml", *SMALL]
    assert main(["train", *files, f"--data.root={street}", f"--run={tmp_path / 'run'}"]) == 0
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").is_file()


@pytest.mark.parametrize(
    ("method", "layout", "folder"),
    [("garg", "kitti_stereo_2015", "kitti_stereo_2015"), ("sc_sfmlearner", "kitti_raw", "kitti_raw_0013")],
)
def test_a_recipe_trains_on_kitti(method, layout, folder, tmp_path):
    root = shared(f"data/{folder}")
    options = ["--data.two_view_motion=false", "--model.geometric_start.steps=0"]
    files = [f"--config=method/{method}.yaml", f"--config=data/{layout}.yaml", *SMALL, *options]
    assert main(["train", *files, f"--data.root={root}", f"--run={tmp_path / 'run'}"]) == 0
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").is_file()
