"""The smallest run that has everything: two networks, readers, validation, checkpoints, pictures."""

from __future__ import annotations

from pathlib import Path

from selfsup_depth.data.synthetic_drive import synthesize
from selfsup_depth.data.synthetic_options import SyntheticOptions

DRIVE = SyntheticOptions(drives=2, frames=10, height=32, width=64, held_out_drives=1)


def tiny_run(folder: Path, steps: int, *options: str) -> list[str]:
    """Arguments of selfsup-depth for such a run; renders its data first.

    Args:
        folder: gets the data and the run.
        steps: of training.
        options: further ones of the train command.
    """
    synthesize(folder / "drive", DRIVE, progress=False)
    sizes = ["--data.height=32", "--data.width=64", "--data.batch_size=2"]
    widths = ["--model.depth_net.width=0.125", "--model.pose_net.width=0.125"]
    names = ["--config=method/monodepth2_mono_stereo.yaml", "--config=data/kitti_raw.yaml"]
    place = [f"--data.root={folder / 'drive'}", f"--data.split={folder / 'drive' / 'splits'}"]
    length = [f"--trainer.max_steps={steps}", "--trainer.accelerator=cpu", "--trainer.devices=1"]
    return [
        "train",
        *names,
        *place,
        f"--run={folder / 'run'}",
        "--overwrite",
        *sizes,
        *widths,
        *length,
        *options,
    ]
