"""Scenes whose answer is known in closed form."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from selfsup_depth.geometry.camera import inverse_intrinsics
from selfsup_depth.geometry.projection import pixel_grid
from selfsup_depth.structures import PosedView, View

SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared(name: str) -> Path:
    """A file or folder of the material beside the project; the test is skipped where it is absent."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"needs {name} of the material kept beside the project")
    return path


def golden(name: str) -> dict[str, Tensor]:
    """Numbers of a reference implementation, as float64 where they are floats."""
    arrays = np.load(shared(f"golden/{name}.npz"), allow_pickle=False)
    tensors = {key: torch.from_numpy(arrays[key]) for key in arrays.files if arrays[key].dtype.kind in "fiub"}
    return {key: value.double() if value.is_floating_point() else value for key, value in tensors.items()}


def camera_matrix(fx: float, fy: float, cx: float, cy: float) -> Tensor:
    """Intrinsics (1, 3, 3) in float64."""
    return torch.tensor([[[fx, 0, cx], [0, fy, cy], [0, 0, 1]]], dtype=torch.float64)


def texture(x: Tensor, y: Tensor) -> Tensor:
    """A smooth, nowhere repeating pattern on a plane in metres; colours (..., 3, H, W)."""
    waves = [
        torch.sin(2.1 * x + 0.7 * y) + torch.sin(5.3 * y - 1.1 * x),
        torch.sin(3.3 * x - 1.9 * y + 1) + torch.sin(0.9 * x + 4.1 * y),
        torch.sin(1.3 * x + 2.9 * y + 2) + torch.sin(6.1 * x),
    ]
    return torch.stack(waves, dim=-3) / 4 + 0.5


class Wall(NamedTuple):
    """A textured wall facing the target, seen by two cameras; `inverse_depth` is the truth."""

    target: View
    source: PosedView
    inverse_depth: Tensor


def photograph_wall(K: Tensor, size: tuple[int, int], T_world_to_camera: Tensor, distance: float) -> Tensor:
    """Exact picture (1, 3, H, W) of the textured wall z = distance, by ray casting."""
    rays = inverse_intrinsics(K)[0] @ pixel_grid(torch.zeros(size, dtype=K.dtype)).flatten(1)
    rotation, translation = T_world_to_camera[0, :3, :3], T_world_to_camera[0, :3, 3]
    directions, centre = rotation.T @ rays, -rotation.T @ translation
    hits = centre[:, None] + directions * ((distance - centre[2]) / directions[2])
    return texture(hits[0].reshape(size), hits[1].reshape(size))[None]


def wall(
    T_target_to_source: Tensor,
    distance: float = 5.0,
    size: tuple[int, int] = (48, 80),
    target_K: Tensor | None = None,
    source_K: Tensor | None = None,
) -> Wall:
    """The wall seen from the origin and from the place that T_target_to_source says."""
    target_K = camera_matrix(60.0, 58.0, 37.0, 25.5) if target_K is None else target_K
    source_K = target_K if source_K is None else source_K
    unmoved = torch.eye(4, dtype=torch.float64)[None]
    target = View(photograph_wall(target_K, size, unmoved, distance), target_K)
    source = View(photograph_wall(source_K, size, T_target_to_source, distance), source_K)
    truth = torch.full((1, 1, *size), 1 / distance, dtype=torch.float64)
    return Wall(target, PosedView(source, T_target_to_source), truth)


class Slope(NamedTuple):
    """A textured, slanted plane seen by two cameras, with the true inverse depth of both."""

    target: View
    source: PosedView
    inverse_depth: Tensor
    source_inverse_depth: Tensor


def slope(
    T_target_to_source: Tensor,
    normal: tuple[float, float, float] = (-0.2, -0.35, 1.0),
    distance: float = 5.0,
    size: tuple[int, int] = (48, 80),
) -> Slope:
    """The plane normal . X = distance of the target's coordinates, by ray casting in float64."""
    K = camera_matrix(60.0, 58.0, 37.0, 25.5)
    unmoved = torch.eye(4, dtype=torch.float64)[None]
    images, maps = zip(
        *(_photograph_slope(K, T, normal, distance, size) for T in (unmoved, T_target_to_source)), strict=True
    )
    source = PosedView(View(images[1], K), T_target_to_source)
    return Slope(View(images[0], K), source, *maps)


def _photograph_slope(
    K: Tensor, T_world_to_camera: Tensor, normal: tuple[float, float, float], distance: float, size
) -> tuple[Tensor, Tensor]:
    """Picture (1, 3, H, W) and inverse depth (1, 1, H, W)."""
    rays = inverse_intrinsics(K)[0] @ pixel_grid(torch.zeros(size, dtype=K.dtype)).flatten(1)
    rotation, translation = T_world_to_camera[0, :3, :3], T_world_to_camera[0, :3, 3]
    facing = rotation @ torch.tensor(normal, dtype=K.dtype)
    inverse_depth = facing @ rays / (distance + facing @ translation)
    points = rotation.T @ (rays / inverse_depth - translation[:, None])
    return texture(points[0].reshape(size), points[1].reshape(size))[None], inverse_depth.reshape(1, 1, *size)
