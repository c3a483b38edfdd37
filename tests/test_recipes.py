"""Every recipe trains two steps on the synthetic drive, and on KITTI where it is there and fits."""

from __future__ import annotations

from pathlib import Path

import pytest
from scenes import shared

from selfsup_depth.cli import main

METHODS = sorted(file.stem for file in Path(__file__).parents[1].glob("conf/method/*.yaml"))

# Laid over all: as narrow and small as can be, so that each takes a second.
NARROW = """
model:
  depth_net:
    width?: 0.125
    num_layers?: 18
    norm?: group
    num_3d_features?: 1
  pose_net?:
    width?: 0.125
    num_layers?: 18
    norm?: group
  losses:
    feature_metric?:
      channels: 4
data: {height: 32, width: 96, batch_size: 1, num_workers: 0}
trainer: {max_steps: 2, accelerator: cpu, devices: 1, limit_val_batches: 1}
"""
STREET = {"drives": 2, "frames": 4, "height": 64, "width": 192, "held_out_drives": 1}

# Grey pairs without speeds; what is learned from video alone is tried on the colour drive.
ON_ODOMETRY = ["deep3d", "featdepth", "garg", "monodepth", "monodepth2_mono_stereo", "monodepth2_stereo"]
LISTED = {
    "kitti_odometry": ("kitti_odometry_06", "06 {} l\n"),
    "kitti_raw": ("kitti_raw_0013", "2011_09_26/2011_09_26_drive_0013_sync {} l\n"),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Options of `train` by layout; the drive is rendered by the first run that asks for it."""
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "narrow.yaml").write_text(NARROW)
    options = [f"--data.layout.options.{name}={value}" for name, value in STREET.items()]

    def options_of(layout: str) -> list[str]:
        given = [f"--config=data/{layout}.yaml", f"--config={folder / 'narrow.yaml'}"]
        given.append(f"--data.motion_cache={folder / layout}.npz")
        if layout == "synthetic":
            return [*given, *options, f"--data.root={folder / 'drives'}"]
        name, line = LISTED[layout]
        split = folder / f"{layout}_split"
        split.mkdir(exist_ok=True)
        for part in ("train", "val"):
            (split / f"{part}.txt").write_text(line.format(10))
        return [*given, f"--data.root={shared('data') / name}", f"--data.split={split}"]

    return options_of


def train(method, options, run):
    assert main(["train", f"--config=method/{method}.yaml", *options, f"--run={run}"]) == 0
    assert (run / "checkpoints" / "last.ckpt").is_file()


@pytest.mark.parametrize("method", METHODS)
def test_a_recipe_trains_on_the_synthetic_drive(method, data, tmp_path):
    train(method, data("synthetic"), tmp_path / "run")


@pytest.mark.parametrize("method", METHODS)
def test_a_recipe_trains_on_kitti(method, data, tmp_path):
    train(method, data("kitti_odometry" if method in ON_ODOMETRY else "kitti_raw"), tmp_path / "run")
