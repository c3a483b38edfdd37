"""How one camera path is laid over another before they are compared."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from selfsup_depth.errors import DataError
from selfsup_depth.structures import Trajectory

Array = NDArray[np.float64]

Alignment = Literal["none", "scale", "se3", "sim3", "sim3_scale"]
ALIGNMENTS: tuple[str, ...] = get_args(Alignment)

# Poses whose exposures lie closer than this are of the same frame, seconds.
SAME_FRAME = 0.02

# Fewer positions than this leave a rotation undetermined.
FEWEST_POSES = 3


class Overlay(NamedTuple):
    """The similarity that lays one set of points over another: y = scale * R @ x + t."""

    scale: float
    R: Array
    t: Array


def common_frames(estimated: Trajectory, reference: Trajectory) -> tuple[Trajectory, Trajectory]:
    """Both trajectories at the frames that both have; each frame is used once.

    Frame numbers must be equal, seconds within SAME_FRAME of the nearest.

    Raises:
        DataError: one is keyed by frames and the other by seconds, or too few frames are common.
    """
    if estimated.keyed_by != reference.keyed_by:
        raise DataError(
            f"one trajectory is by {estimated.keyed_by} and the other by {reference.keyed_by}; "
            "give both in one format"
        )
    after = np.searchsorted(reference.keys, estimated.keys).clip(1, max(1, len(reference.keys) - 1))
    before = (after - 1).clip(0)
    after = after.clip(max=len(reference.keys) - 1)
    nearer_before = np.abs(estimated.keys - reference.keys[before]) <= np.abs(
        estimated.keys - reference.keys[after]
    )
    nearest = np.where(nearer_before, before, after)
    tolerance = SAME_FRAME if reference.keyed_by == "second" else 0.0
    distance = np.abs(reference.keys[nearest] - estimated.keys)
    partners: dict[int, int] = {}
    for mine, theirs in enumerate(nearest.tolist()):
        closer = theirs not in partners or distance[mine] < distance[partners[theirs]]
        if distance[mine] <= tolerance and closer:
            partners[theirs] = mine
    if len(partners) < FEWEST_POSES:
        raise DataError(
            f"{len(partners)} common {reference.keyed_by}s of {len(estimated.keys)} estimated and "
            f"{len(reference.keys)} reference poses; give trajectories of the same frames"
        )
    in_reference = np.array(sorted(partners))
    in_estimated = np.array([partners[index] for index in sorted(partners)])
    truth = _at(reference, in_reference)
    return _at(estimated, in_estimated)._replace(keys=truth.keys), truth


def from_first_frame(trajectory: Trajectory) -> Trajectory:
    """The same path in the coordinates of its first camera."""
    T = np.linalg.inv(trajectory.T_world_from_camera[0]) @ trajectory.T_world_from_camera
    return trajectory._replace(T_world_from_camera=T)


def align(estimated: Trajectory, reference: Trajectory, alignment: Alignment) -> Trajectory:
    """Lay an estimated path over a reference of the same frames.

    Args:
        alignment: "none"; "scale", one factor on the positions by least squares, about the origin;
            "se3", rotation and translation; "sim3", these and a factor; "sim3_scale", the factor
            of "sim3" alone.

    Raises:
        DataError: the estimated camera never moves where a factor is asked for.
    """
    if alignment == "none":
        return estimated
    x, y = estimated.positions, reference.positions
    if alignment == "scale":
        overlay = Overlay(_least_squares_factor(x, y), np.eye(3), np.zeros(3))
    else:
        overlay = umeyama(x, y, with_scale=alignment != "se3")
    if alignment == "sim3_scale":
        overlay = Overlay(overlay.scale, np.eye(3), np.zeros(3))
    T = estimated.T_world_from_camera.copy()
    T[:, :3, :3] = overlay.R @ T[:, :3, :3]
    T[:, :3, 3] = overlay.scale * x @ overlay.R.T + overlay.t
    return estimated._replace(T_world_from_camera=T)


def umeyama(x: Array, y: Array, with_scale: bool) -> Overlay:
    """The similarity of least squared distance from x to y.

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns", 1991.

    Args:
        x: (n, 3) is moved.
        y: (n, 3) stays.
        with_scale: fit a factor, too; otherwise it is 1.

    Raises:
        DataError: all points of x coincide and a factor is asked for.
    """
    from_mean_x, from_mean_y = x - x.mean(0), y - y.mean(0)
    U, D, Vt = np.linalg.svd(from_mean_y.T @ from_mean_x / len(x))
    # Without this a mirrored path would be laid over by a reflection.
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(U) * np.linalg.det(Vt))])
    R = U @ np.diag(signs) @ Vt
    variance = np.square(from_mean_x).sum(1).mean()
    if with_scale and not variance > 0:
        raise DataError("the estimated camera never moves; its path has no scale to fit, use --align se3")
    scale = float((D * signs).sum() / variance) if with_scale else 1.0
    return Overlay(scale, R, y.mean(0) - scale * R @ x.mean(0))


def _least_squares_factor(x: Array, y: Array) -> float:
    if not np.square(x).sum() > 0:
        raise DataError("the estimated camera never moves; its path has no scale to fit, use --align none")
    return float((x * y).sum() / np.square(x).sum())


def _at(trajectory: Trajectory, indices: NDArray[np.intp]) -> Trajectory:
    return trajectory._replace(
        keys=trajectory.keys[indices], T_world_from_camera=trajectory.T_world_from_camera[indices]
    )
