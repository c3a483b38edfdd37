"""Two processes with batches of b learn what one learns from batches of 2 b."""

from __future__ import annotations

import csv
import os
import subprocess
import sys

import pytest

from selfsup_depth.training.checkpoint_io import read_sealed

# Frames from which the distance travelled is not known: the same for one process and for two.
PROGRAM = """
import math, os, sys
import torch
from selfsup_depth.cli import main
from selfsup_depth.data.examples import TrainingExamples
from selfsup_depth.modules.optimization import Optimization

if os.environ["STEPS_BY"] == "SGD":
    Optimization.adam = lambda self, parameters: torch.optim.SGD(parameters, lr=self.learning_rate)

read = TrainingExamples.__getitem__

def partly_unknown(self, key):
    batch = read(self, key)
    if key[1] % 3 != 1:
        return batch
    return batch._replace(video=[v._replace(travelled=v.travelled * math.nan) for v in batch.video])

TrainingExamples.__getitem__ = partly_unknown
raise SystemExit(main(sys.argv[1:]))
"""
FIRST = "--model.pose_net.first_motion=[0.0,0.0,0.3]"
MASKED = ["--model.losses.photometric.padding=masked"]
OPTIONS = {
    "velocity": [*MASKED, "--data.stereo=true", "--model.losses.velocity.weight=1", FIRST],
    "monodepth": ["--model.losses.left_right.padding=masked", "--model.depth_net.num_layers=18"],
}


def learn(folder, drive, tiny, method, devices, steps, *options, steps_by="Adam"):
    (folder.parent / "program.py").write_text(PROGRAM)
    command = [sys.executable, str(folder.parent / "program.py"), "train", f"--config=method/{method}.yaml"]
    command += ["--config=data/kitti_raw.yaml", f"--config={tiny}", f"--data.root={drive}", f"--run={folder}"]
    command += [f"--trainer.max_steps={steps}", f"--trainer.devices={devices}"]
    command += [f"--data.batch_size={2 // devices}", *OPTIONS[method], *options]
    command += ["--trainer.strategy=ddp"] * (devices > 1)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "STEPS_BY": steps_by}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=550)
    assert ended.returncode == 0, ended.stderr[-3000:]


def logged(folder):
    """Rows of losses, and rows of validation errors."""
    with (folder / "metrics.csv").open() as file:
        rows = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
    return [[(k, v) for k, v in row.items() if k.startswith(("loss/", "val/"))] for row in rows]


def weights_of(file):
    return read_sealed(file)["state_dict"]


def largest_difference(one, two):
    return max(float((one[k].double() - two[k].double()).abs().max()) for k in one)


def differences(tmp_path):
    """Largest difference of a weight or a running statistic; and of a loss term, over that step's total."""
    last = (weights_of(tmp_path / name / "checkpoints" / "last.ckpt") for name in ("one", "two"))
    rows = [
        (dict(row), dict(other))
        for row, other in zip(logged(tmp_path / "one"), logged(tmp_path / "two"), strict=True)
        if "loss/total" in dict(row)
    ]
    assert {"loss/photometric", "loss/smoothness"} <= rows[0][0].keys()
    terms = [(abs(row[k] - other[k]) / abs(row["loss/total"]), k) for row, other in rows for k in row]
    return largest_difference(*last), max(terms)[0]


def test_two_processes_learn_what_one_does(tmp_path, drive, tiny):
    options = ["--trainer.precision=64-true", "--model.pose_net.norm=batch"]
    for name, devices in (("one", 1), ("two", 2)):
        learn(tmp_path / name, drive, tiny, "velocity", devices, 6, *options)
    weights, losses = differences(tmp_path)
    assert weights <= 1e-10
    assert losses <= 1e-10


# Rounding differs, as sums are added up in another order. In float32 a step of Adam makes that large: where
# a gradient is nearly zero, its step is of the learning rate's size, in a direction that rounding decides.
# Such weights end elsewhere even in one process that starts 1e-7 beside another (docs/distributed.md). What
# the processes exchange is right in float32, too: plain gradient descent, which is as fast here, shows it.
#
# Sooner or later one pixel lies between two branches of the loss, and rounding decides which is taken: from
# then on the difference is that pixel's. In one of these cases it happens within 50 steps, and is named.
# Batch normalisation over four numbers, as in these networks' deepest layers, makes rounding larger, too.
SGD = ["--trainer.precision=32-true", "--optimizer.learning_rate=1e-2"]
DOUBLE = ["--trainer.precision=64-true"]
EQUAL = {
    ("64-true Adam", "batch"): (DOUBLE, "Adam", (1e-5, 1e-5), 1e-8),
    ("64-true Adam", "group"): (DOUBLE, "Adam", (1e-10, 1e-10), 1e-10),
    ("32-true SGD", "batch"): (SGD, "SGD", (1e-5, 1e-5), 1e-6),
    ("32-true SGD", "group"): (SGD, "SGD", (1e-5, 1e-5), 1e-6),
}
ONE_PIXEL = ("32-true SGD", "group", "monodepth")


@pytest.mark.slow
@pytest.mark.parametrize("method", ["velocity", "monodepth"])
@pytest.mark.parametrize(("kind", "norm"), EQUAL)
def test_fifty_steps_of_two_processes_are_those_of_one(tmp_path, drive, tiny, method, norm, kind):
    precision, steps_by, (early_bound, bound), loss_bound = EQUAL[kind, norm]
    options = [*precision, f"--model.depth_net.norm={norm}", "--keep=10"]
    for name, devices in (("one", 1), ("two", 2)):
        learn(tmp_path / name, drive, tiny, method, devices, 50, *options, steps_by=steps_by)
    saved = tmp_path / "one" / "checkpoints"
    moved = largest_difference(weights_of(saved / "step_000005.ckpt"), weights_of(saved / "last.ckpt"))
    thirty = (weights_of(tmp_path / name / "checkpoints" / "step_000030.ckpt") for name in ("one", "two"))
    early = largest_difference(*thirty)
    weights, losses = differences(tmp_path)
    said = f"weights {early:.1e}, then {weights:.1e} of {moved:.1e} moved, losses {losses:.1e}"
    print(f"{method} {norm} {kind}: {said}")
    assert moved > 1e-3  # or equal weights would show nothing
    assert early <= early_bound
    if (kind, norm, method) == ONE_PIXEL and weights > bound:
        pytest.xfail(f"rounding decides a pixel after 31 steps: {weights:.2e} instead of {bound:.0e}")
    assert weights <= bound
    assert losses <= loss_bound
