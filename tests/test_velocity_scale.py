"""Known speeds fix the scale that video leaves open; what is not known is counted."""

from __future__ import annotations

import csv

import pytest
import torch
from scenes import slope
from torch import Tensor

from selfsup_depth.geometry.pose import T_from_axis_angle
from selfsup_depth.geometry.projection import pixel_grid
from selfsup_depth.geometry.view_synthesis import synthesize
from selfsup_depth.losses.photometric import Photometric
from selfsup_depth.losses.velocity import Velocity
from selfsup_depth.structures import Batch, DepthEstimate, VideoView

TRANSLATION = torch.tensor([[-0.3, 0.0, -0.3]]).double()


def test_the_number_of_unknown_speeds_is_logged(train, tmp_path):
    options = ["--data.video=[-1]", "--data.stereo=false", "--trainer.max_steps=2"]
    assert train(tmp_path / "run", *options, method="velocity") == 0
    with (tmp_path / "run" / "metrics.csv").open() as file:
        counts = [row["velocity/num_unknown"] for row in csv.DictReader(file)]
    assert {float(count) for count in counts if count} == {0.0}


def learned(travelled: float, steps: int = 400) -> tuple[Tensor, Tensor]:
    """Depth of a slanted plane and the motion, from two photographs and how far they are apart.

    What networks would predict is learned directly: the plane's three numbers and the motion's six.
    """
    seen = slope(T_from_axis_angle(torch.zeros(1, 3).double(), TRANSLATION), size=(32, 56))
    length = torch.tensor([travelled]).double()
    view = VideoView(seen.source.view, torch.ones(1), length, seen.source.T_target_to_source)
    batch = Batch(seen.target, [view], [], [])
    u, v, _ = (pixel_grid(seen.inverse_depth) - 20) / 30
    shape = torch.tensor([0.0, 0.0, -1.8]).double().requires_grad_()  # about 6 m
    motion = torch.cat([torch.zeros(3), torch.tensor([-0.2, 0.05, -0.4])]).double().requires_grad_()
    optimizer = torch.optim.Adam([shape, motion], lr=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rho = (shape[2].exp() * (1 + shape[0] * u + shape[1] * v))[None, None]
        T = T_from_axis_angle(0.05 * motion[None, :3], motion[None, 3:])
        source = seen.source._replace(T_target_to_source=T)
        level = DepthEstimate(0, rho, [synthesize(seen.target, source, rho)], [source], [T], [])
        loss = Photometric(auto_mask=False)(batch, [level]) + 0.3 * Velocity()(batch, [level])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return 1 / rho.detach().median(), T.detach()[0, :3, 3].norm()


def test_doubling_the_speed_doubles_the_depth():
    """Of the same two photographs."""
    length = TRANSLATION.norm().item()
    (once, way), (twice, long_way) = learned(length), learned(2 * length)
    assert long_way / way == pytest.approx(2, abs=0.02)
    assert twice / once == pytest.approx(2, abs=0.1)
