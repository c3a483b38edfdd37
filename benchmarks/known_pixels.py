"""What only a rendered drive knows of its pixels: exact depth, whose they are, and what hides them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from selfsup_depth.data.synthetic_options import SyntheticOptions
from selfsup_depth.data.synthetic_recorder import rig_of
from selfsup_depth.data.synthetic_render import Photograph, photograph
from selfsup_depth.data.synthetic_sensor import Pinhole
from selfsup_depth.data.synthetic_trajectory import FRAME_SECONDS, Array
from selfsup_depth.data.synthetic_world import DriveWorld
from selfsup_depth.geometry.projection import project_to_source
from selfsup_depth.geometry.view_synthesis import sample
from selfsup_depth.structures import PosedView, View

CAR_AHEAD = 1  # number of the moving object that keeps the cameras' speed
FARTHEST = 80.0


class KnownFrame(NamedTuple):
    """A picture, its depth, and the pixels that are asked about.

    image: (3, H, W) in [0, 1].
    depth: (H, W) metres, 0 for what is farther than FARTHEST.
    asked: (H, W) bool, with a depth all of them.
    """

    image: Tensor
    depth: Tensor
    asked: Tensor


Taken = tuple[Photograph, Array]  # and T_world_from_camera
Question = Callable[[Tensor, Taken, list[Taken]], Tensor]


def held_out_frames(options: SyntheticOptions, question: Question) -> Iterator[KnownFrame]:
    """Every frame of the drives in no training list that has a neighbour on both sides.

    Args:
        options: of the set of drives.
        question: from K (1, 3, 3), a frame and its neighbours the pixels that are asked about.
    """
    for drive in range(options.drives - options.held_out_drives, options.drives):
        rig = rig_of(options, drive % len(options.focal_lengths))
        world, camera = DriveWorld(options, drive, rig.size[1]), Pinhole(rig.K, *rig.size)
        taken: list[Taken] = []
        for index in range(options.frames):
            seconds = index * FRAME_SECONDS
            pose = world.trajectory.pose(seconds)
            taken.append((photograph(camera, pose, world.at(seconds)), pose))
        K = torch.from_numpy(rig.K)[None].float()
        for index in range(1, options.frames - 1):
            seen = taken[index][0]
            depth = torch.where(seen.inverse_depth > 1 / FARTHEST, 1 / seen.inverse_depth, 0.0)
            asked = question(K, taken[index], [taken[index - 1], taken[index + 1]])
            yield KnownFrame(seen.colours.clamp(0, 1), depth, asked & (depth > 0))


def car_ahead(K: Tensor, frame: Taken, neighbours: list[Taken]) -> Tensor:
    """The car that keeps the cameras' speed."""
    return frame[0].mover == CAR_AHEAD


def hidden_in_one(K: Tensor, frame: Taken, neighbours: list[Taken]) -> Tensor:
    """What something nearer hides in just one of the two neighbours, and the other one shows."""
    hidden, shown = zip(*(_hidden_and_shown(K, frame, neighbour) for neighbour in neighbours), strict=True)
    return (hidden[0] & shown[1]) | (hidden[1] & shown[0])


def _hidden_and_shown(K: Tensor, frame: Taken, neighbour: Taken) -> tuple[Tensor, Tensor]:
    (seen, pose), (there, other_pose) = frame, neighbour
    T = torch.from_numpy(np.linalg.inv(other_pose) @ pose)[None].float()
    source = PosedView(View(there.inverse_depth[None, None], K), T)
    projection = project_to_source(K, source, seen.inverse_depth[None, None])
    # Inverse depth is linear on a plane: interpolation errs along outlines alone.
    met = sample(source.view.image, projection.pixels)
    own = seen.inverse_depth / projection.relative_depth
    hidden = projection.valid & (met > 1.1 * own + 1e-3)
    shown = projection.valid & (met < 1.03 * own + 1e-3)
    return hidden[0, 0], shown[0, 0]
