"""Rigid motions as (..., 4, 4) matrices that act on homogeneous columns.

T_a_to_b maps coordinates in camera a to coordinates in camera b: X_b = T_a_to_b @ X_a.
Axes: x right, y down, z forward; lengths in metres, angles in radians.
"""

from __future__ import annotations

import torch
from kornia.geometry.conversions import axis_angle_to_rotation_matrix, rotation_matrix_to_axis_angle
from torch import Tensor


def T_from_axis_angle(axis_angle: Tensor, translation: Tensor) -> Tensor:
    """Rigid motion that first rotates, then translates.

    The rotation is the exponential map, with its true gradient (the generators) at zero, where
    a formula that divides by the angle has none and a pose network never starts to turn.

    Args:
        axis_angle: (..., 3) axis times angle, radians.
        translation: (..., 3) metres.
    """
    rotation = axis_angle_to_rotation_matrix(axis_angle.reshape(-1, 3)).reshape(*axis_angle.shape, 3)
    return T_from_rotation(rotation, translation)


def T_from_rotation(rotation: Tensor, translation: Tensor) -> Tensor:
    """Rigid motion from a rotation (..., 3, 3) and a translation (..., 3)."""
    upper = torch.cat([rotation, translation.unsqueeze(-1)], dim=-1)
    lower = upper.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*upper.shape[:-2], 1, 4)
    return torch.cat([upper, lower], dim=-2)


def axis_angle_from_T(T: Tensor) -> Tensor:
    """Rotation of T as axis times angle, (..., 3) radians."""
    rotation = T[..., :3, :3]
    return rotation_matrix_to_axis_angle(rotation.reshape(-1, 3, 3)).reshape(*rotation.shape[:-2], 3)


def inverse_pose(T: Tensor) -> Tensor:
    """T_b_to_a from T_a_to_b."""
    transposed = T[..., :3, :3].transpose(-1, -2)
    return T_from_rotation(transposed, -(transposed @ T[..., :3, 3:]).squeeze(-1))


def flip_pose(T: Tensor) -> Tensor:
    """The motion as seen when both images are mirrored left to right (x becomes -x)."""
    mirror = T.new_tensor([-1.0, 1.0, 1.0, 1.0])
    return mirror[:, None] * T * mirror
