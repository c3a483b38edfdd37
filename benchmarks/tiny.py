"""Small runs that have everything: two networks, readers, validation, checkpoints, pictures."""

from __future__ import annotations

from pathlib import Path

from selfsup_depth.data.synthetic_drive import synthesize
from selfsup_depth.data.synthetic_options import SyntheticOptions


def run_of(folder: Path, steps: int, method: str, *options: str) -> list[str]:
    """Arguments of selfsup-depth for a run on a small drive, which is rendered first.

    Args:
        folder: gets the data and the run.
        steps: of training.
        method: a recipe's name.
        options: further ones of the train command.
    """
    drive = SyntheticOptions(drives=2, frames=10, height=96, width=192, held_out_drives=1)
    synthesize(folder / "drive", drive, progress=False)
    files = [f"--config=method/{method}.yaml", "--config=data/kitti_raw.yaml"]
    place = [f"--data.root={folder / 'drive'}", f"--data.split={folder / 'drive' / 'splits'}"]
    length = [f"--trainer.max_steps={steps}", "--trainer.accelerator=cpu", "--trainer.devices=1"]
    return ["train", *files, *place, f"--run={folder / 'run'}", *length, *options]


def tiny_run(folder: Path, steps: int, *options: str) -> list[str]:
    """Arguments for the smallest networks and images."""
    sizes = ["--data.height=32", "--data.width=64", "--data.batch_size=2"]
    widths = ["--model.depth_net.width=0.125", "--model.pose_net.width=0.125"]
    return run_of(folder, steps, "monodepth2_mono_stereo", *sizes, *widths, *options)
