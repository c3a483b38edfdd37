"""How far an estimated path is from a reference, by the rules that are in use, each with its name.

Segments: Geiger et al., "Are we ready for autonomous driving? The KITTI vision benchmark suite", 2012.
Absolute trajectory error: Sturm et al., "A benchmark for the evaluation of RGB-D SLAM systems", 2012.
Snippets of five frames: Zhou et al., "Unsupervised learning of depth and ego-motion from video", 2017.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np

from selfsup_depth.evaluation.trajectory import Alignment, Array, align, common_frames, from_first_frame
from selfsup_depth.structures import Trajectory

# Lengths of the KITTI segments, metres, and how many frames lie between two that start.
SEGMENT_LENGTHS = (100, 200, 300, 400, 500, 600, 700, 800)
SEGMENT_STEP = 10

SNIPPET_FRAMES = 5

RULES = {
    "t_err_percent, r_err_deg_per_100m": "KITTI segments of 100 to 800 m, one starting every 10th frame",
    "ate_rmse_m": "root mean squared distance of the positions after alignment",
    "rpe_trans_m, rpe_rot_deg": "mean error from each frame to the next after alignment",
    "rpe_trans_rmse_m, rpe_rot_rmse_deg": "the same, root mean square",
    "rpe_rot_acos_deg": "rpe_rot_deg by the arc cosine, as in published tables; rounded poses bias it",
    "snippet_ate_mean, snippet_ate_std": "five frames from the first on, own scale each, "
    "root of the summed squares over five (SfM-Learner); the root mean square is sqrt(5) times as much",
}


Origin = Literal["first", "stored"]


class Segments(NamedTuple):
    """Relative errors of the segments of one path; (n,) each.

    lengths: metres along the reference.
    translation: metres per metre.
    rotation: radians per metre.
    """

    lengths: Array
    translation: Array
    rotation: Array


class OdometryEvaluation(NamedTuple):
    """What is known after two paths were compared.

    metrics: by name; NaN where the path is too short for a rule.
    per_length: of each length of segment that occurs: how many, t_err_percent, r_err_deg_per_100m.
    estimated: aligned, at the common frames.
    reference: at the common frames.
    """

    metrics: dict[str, float]
    per_length: dict[int, dict[str, float]]
    estimated: Trajectory
    reference: Trajectory


def evaluate_odometry(
    estimated: Trajectory, reference: Trajectory, alignment: Alignment, origin: Origin = "first"
) -> OdometryEvaluation:
    """Compare at the common frames.

    Args:
        estimated: the path in question.
        reference: the path it is held against.
        alignment: see align.
        origin: "first" tells both in the coordinates of the first common frame, as the KITTI
            tools do; "stored" takes them as they are, as evo does.

    Raises:
        DataError: too few common frames, or no motion to scale.
    """
    mine, truth = common_frames(estimated, reference)
    if origin == "first":
        mine, truth = from_first_frame(mine), from_first_frame(truth)
    aligned = align(mine, truth, alignment)
    segments = kitti_segments(aligned, truth)
    # Its own scale each: the alignment of the whole path has no part in it.
    snippets = snippet_errors(mine.T_world_from_camera, truth.T_world_from_camera)
    left = relative_pose_errors(aligned, truth)
    translation, rotation = np.linalg.norm(left[:, :3, 3], axis=1), rotation_angle(left[:, :3, :3])
    distance = np.linalg.norm(aligned.positions - truth.positions, axis=1)
    metrics = segment_means(segments) | {
        "ate_rmse_m": root_mean_square(distance),
        "rpe_trans_m": float(translation.mean()),
        "rpe_rot_deg": math.degrees(rotation.mean()),
        "rpe_trans_rmse_m": root_mean_square(translation),
        "rpe_rot_rmse_deg": math.degrees(root_mean_square(rotation)),
        "rpe_rot_acos_deg": math.degrees(angle_by_trace(left[:, :3, :3]).mean()),
        "snippet_ate_mean": float(snippets.mean()) if len(snippets) else math.nan,
        "snippet_ate_std": float(snippets.std()) if len(snippets) else math.nan,
    }
    per_length = {}
    for length in np.unique(segments.lengths).astype(int).tolist():
        among = segments.lengths == length
        means = segment_means(Segments(*(values[among] for values in segments)))
        per_length[length] = {"segments": int(among.sum()), **means}
    return OdometryEvaluation(metrics, per_length, aligned, truth)


def kitti_segments(estimated: Trajectory, reference: Trajectory) -> Segments:
    """Errors over stretches of the reference, as the development kit cuts them.

    A segment starts at every tenth frame and ends at the first frame that lies further along the
    path than its length.
    """
    steps = np.linalg.norm(np.diff(reference.positions, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    numbers = reference.keys if reference.keyed_by == "frame" else np.arange(len(along))
    starts = np.flatnonzero(numbers % SEGMENT_STEP == 0)
    found = []
    for length in SEGMENT_LENGTHS:
        ends = np.searchsorted(along, along[starts] + length, side="right")
        for start, end in zip(starts[ends < len(along)], ends[ends < len(along)], strict=True):
            error = difference(
                estimated.T_world_from_camera[[start, end]], reference.T_world_from_camera[[start, end]]
            )
            angle = angle_by_trace(error[None, :3, :3])[0]
            found.append((length, np.linalg.norm(error[:3, 3]) / length, angle / length))
    return Segments(*np.array(found, dtype=float).reshape(-1, 3).T)


def difference(estimated: Array, reference: Array) -> Array:
    """What is left of the reference's motion between two poses (2, 4, 4) after the estimated one."""
    moved = np.linalg.inv(estimated[0]) @ estimated[1]
    return np.linalg.inv(moved) @ np.linalg.inv(reference[0]) @ reference[1]  # type: ignore[no-any-return]


def segment_means(segments: Segments) -> dict[str, float]:
    """Mean over all segments; NaN where the path is shorter than the shortest."""
    some = len(segments.lengths) > 0
    return {
        "t_err_percent": 100 * float(segments.translation.mean()) if some else math.nan,
        "r_err_deg_per_100m": 100 * math.degrees(segments.rotation.mean()) if some else math.nan,
    }


def relative_pose_errors(estimated: Trajectory, reference: Trajectory) -> Array:
    """What is left (n - 1, 4, 4) of the reference's motion from each frame to the next."""
    moved = [
        np.linalg.inv(path.T_world_from_camera[:-1]) @ path.T_world_from_camera[1:]
        for path in (estimated, reference)
    ]
    return np.linalg.inv(moved[1]) @ moved[0]


def rotation_angle(R: Array) -> Array:
    """Angle (n,) of rotations (n, 3, 3), radians.

    By the skew part as well as the trace: the arc cosine alone is blind near zero, where a
    rotation that was rounded to seven digits would turn by nothing or by far too much.
    """
    skew = np.stack([R[:, 2, 1] - R[:, 1, 2], R[:, 0, 2] - R[:, 2, 0], R[:, 1, 0] - R[:, 0, 1]], axis=1)
    angle: Array = np.arctan2(np.linalg.norm(skew, axis=1), np.trace(R, axis1=1, axis2=2) - 1)
    return angle


def angle_by_trace(R: Array) -> Array:
    """The same by the arc cosine alone, as KITTI's development kit has it."""
    angle: Array = np.arccos(((np.trace(R, axis1=1, axis2=2) - 1) / 2).clip(-1, 1))
    return angle


def snippet_errors(estimated: Array, reference: Array) -> Array:
    """Error of every window of five successive poses (n, 4, 4), each with its own scale."""
    errors = []
    for start in range(len(reference) - SNIPPET_FRAMES + 1):
        window = slice(start, start + SNIPPET_FRAMES)
        p, g = ((np.linalg.inv(path[start]) @ path[window])[:, :3, 3] for path in (estimated, reference))
        squares = np.square(p).sum()
        # A camera that is estimated to stand still has no scale: its error is the whole motion.
        scale = (p * g).sum() / squares if squares > 0 else 0.0
        errors.append(math.sqrt(np.square(scale * p - g).sum()) / SNIPPET_FRAMES)
    return np.array(errors)


def root_mean_square(values: Array) -> float:
    return math.sqrt(np.square(values).mean())
