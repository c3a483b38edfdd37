"""What a loss term is for, measured where it should show: `make effects`.

Each experiment trains a configuration with and without one term or option on a rendered drive,
several seeds each, by `selfsup-depth ablate`, and looks at the drives that were held out. Repeated,
it trains only what is not finished.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml

from benchmarks.known_pixels import KnownFrame, Question, car_ahead, held_out_frames, hidden_in_one
from selfsup_depth import load
from selfsup_depth.cli import main as selfsup_depth
from selfsup_depth.data.synthetic_options import SyntheticOptions
from selfsup_depth.evaluation.depth_metrics import DepthMetrics
from selfsup_depth.evaluation.protocols import protocol_named

COMMON = """
model:
  depth_net: {width: 0.25, decoder_width: 0.5, norm: group, coordinates: true, min_depth: 1, first_depth: 12}
  pose_net?: {width: 0.25, norm: group}
  protocol: kitti_eigen
data: {split: splits, height: 64, width: 192, batch_size: 4, num_workers: 0, flip: false}
optimizer: {learning_rate: 1.0e-3, warmup_steps: 20, milestones: [0.7], gamma: 0.3}
trainer: {max_steps: 300, accelerator: cpu, devices: 1}
"""
PROTOCOL = protocol_named(yaml.safe_load(COMMON)["model"]["protocol"])

# Two-view geometry and the known speed say how the camera moved: the question is the term's, not
# whether a pose network learns.
GIVEN_MOTION = ["--model.pose_net=null", "--data.two_view_motion=true"]

CARS: dict[str, Any] = {"drives": 8, "frames": 16, "height": 128, "width": 384}
# One drive's scale is off by a few percent whatever trains: four are asked, and eight learned from.
STILL = CARS | {"moving_cars": False, "speed": 13.0, "drives": 12, "held_out_drives": 4}
# Two metres a frame: what hides something hides a wide strip of it.
FAST = CARS | {"moving_cars": False, "speed": 20.0, "drives": 5, "held_out_drives": 1}


class Experiment(NamedTuple):
    """One question.

    drop: what is left out, as `ablate --drop` takes it.
    method: recipe.
    flags: laid over it.
    drives: what is rendered, options of SyntheticDrive.
    asked: the pixels that are asked about.
    """

    drop: str
    method: str
    flags: list[str]
    drives: dict[str, Any]
    asked: Question


EXPERIMENTS = {
    # What keeps the camera's speed looks as if it were infinitely far.
    "car": Experiment("auto_mask", "monodepth2_mono", GIVEN_MOTION, CARS, car_ahead),
    # Only the camera moves: there is nothing to mask.
    "occlusion": Experiment(
        "per_pixel_minimum",
        "monodepth2_mono",
        [*GIVEN_MOTION, "--model.losses.photometric.auto_mask=false"],
        FAST,
        hidden_in_one,
    ),
    # The recipe's stated first motion, 1 m a frame, is wrong for 13 m/s at ten frames a second. What
    # is asked is the factor that depth lacks.
    "scale": Experiment("velocity", "velocity", ["--trainer.max_steps=1200"], STILL, hidden_in_one),
}


class Measured(NamedTuple):
    """Of one run on held-out drives.

    asked, rest: mean abs_rel over the pixels that are asked about, and over all others; each image is
        scaled by its median first, as for video without a scale.
    scale: median over the images of that factor, on the pixels of the protocol.
    spread: its standard deviation, as a share of it.
    """

    asked: float
    rest: float
    scale: float
    spread: float


def train(name: str, output: Path, seeds: str) -> dict[str, list[Path]]:
    """Train what is missing; the last checkpoints by variant, in the order of the seeds."""
    experiment = EXPERIMENTS[name]
    layout = {"class_path": "SyntheticDrive", "options": experiment.drives}
    overlay = output / f"{name}.yaml"
    overlay.write_text(yaml.safe_dump({"data": {"layout": layout}}))
    (output / "common.yaml").write_text(COMMON)
    drives = output / f"{name}_drives"
    files = [f"method/{experiment.method}.yaml", output / "common.yaml", overlay]
    flags = [*(f"--config={file}" for file in files), *experiment.flags, f"--data.root={drives}"]
    question = [f"--drop={experiment.drop}", f"--seeds={seeds}", f"--output={output / name}"]
    if code := selfsup_depth(["ablate", *flags, *question]):
        sys.exit(code)
    checkpoints = defaultdict(list)
    with (output / name / "runs.csv").open() as file:
        for row in csv.DictReader(file):
            checkpoints[row["variant"]].append(output / name / row["folder"] / "checkpoints" / "last.ckpt")
    return checkpoints


def measure(checkpoint: Path, frames: Sequence[KnownFrame]) -> Measured:
    """Errors of a run on known frames."""
    predictor = load(checkpoint, device="cpu")
    metrics = DepthMetrics(PROTOCOL)
    asked, rest = [], []
    for frame in frames:
        depth = torch.from_numpy(predictor.predict(frame.image).depth)
        metrics.update(1 / depth[None, None], frame.depth[None, None])
        known = frame.depth > 0
        scale = frame.depth[known].quantile(0.5) / depth[known].quantile(0.5)
        error = (scale * depth - frame.depth).abs() / frame.depth
        asked.append(error[frame.asked])
        rest.append(error[known & ~frame.asked])
    errors = metrics.compute()
    there, elsewhere = (float(torch.cat(some).mean()) for some in (asked, rest))
    return Measured(there, elsewhere, errors["scale_median"], errors["scale_std"])


def main() -> None:
    """Train, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("runs/term_effects"))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--only", nargs="+", choices=EXPERIMENTS, default=list(EXPERIMENTS))
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    columns = f"{'abs_rel there':>15}{'elsewhere':>11}{'scale':>8}{'+-':>7}"
    lines = [f"{'experiment':<11}{'variant':<23}{'seed':>5}{columns}"]
    for name in given.only:
        runs = train(name, given.output, given.seeds)
        experiment = EXPERIMENTS[name]
        frames = list(held_out_frames(SyntheticOptions(**experiment.drives), experiment.asked))
        for variant, checkpoints in runs.items():
            for seed, checkpoint in zip(given.seeds.split(","), checkpoints, strict=True):
                asked, rest, scale, spread = measure(checkpoint, frames)
                errors = f"{asked:>15.3f}{rest:>11.3f}{scale:>8.3f}{spread:>7.3f}"
                lines.append(f"{name:<11}{variant:<23}{seed:>5}{errors}")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
