"""The path of a camera, from what a pose network says of each two frames in succession."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from selfsup_depth.data.trajectory_files import kitti_text, tum_text
from selfsup_depth.errors import ConfigError
from selfsup_depth.structures import Trajectory
from selfsup_depth.training.predicted_depth import Prediction
from selfsup_depth.training.predicting import Taken
from selfsup_depth.training.prediction import Predictor
from selfsup_depth.training.prediction_files import TEXT_KEY, about_network
from selfsup_depth.training.storage import write_text


class CameraPath:
    """Follows a camera through the frames of one sequence.

    A frame that could not be read is passed over: the motion is then that from the frame before
    to the one after it.

    Args:
        predictor: whose network also tells motion.

    Raises:
        ConfigError: it does not.
    """

    def __init__(self, predictor: Predictor) -> None:
        if not predictor.pose_nets:
            raise ConfigError(
                "--poses needs a network of motion, and this checkpoint has none; give one that was "
                "trained on video, or leave out --poses"
            )
        self._predictor = predictor
        self._pose_net = predictor.pose_nets[0]
        self._last: list[Image.Image] = []
        self._T_world_from_camera = np.eye(4)
        self._frames: list[tuple[int, float]] = []
        self._poses: list[NDArray[np.float64]] = []

    def take(self, batch: Sequence[Taken], predictions: Sequence[Prediction]) -> None:
        """Go on with a batch of frames in the order of time; see `Taker`."""
        images = self._last + [taken.image for taken in batch]
        motions = list(self._motions(images))
        if not self._last:
            motions.insert(0, np.eye(4))
        for taken, T_before_to_this in zip(batch, motions, strict=True):
            T = self._T_world_from_camera @ np.linalg.inv(T_before_to_this)
            T[:3, :3] = nearest_rotation(T[:3, :3])
            self._T_world_from_camera = T
            self._poses.append(T)
            self._frames.append((taken.picture.number, taken.picture.seconds))
        self._last = images[-1:]

    @torch.inference_mode()
    def _motions(self, images: Sequence[Image.Image]) -> NDArray[np.float64]:
        """From each image to the next: (n - 1, 4, 4)."""
        if len(images) < 2:
            return np.empty((0, 4, 4))
        looked = self._pose_net.look(self._predictor.seen(images))
        T = self._pose_net(looked[:-1], looked[1:]).T_first_to_second.double().cpu().numpy()
        T[:, :3, 3] *= self._predictor.factor
        return T  # type: ignore[no-any-return]

    def trajectories(self) -> tuple[Trajectory, Trajectory]:
        """The path by the frames' numbers, and by their times; in the first camera's coordinates."""
        numbers, seconds = np.array(self._frames, dtype=float).T
        poses = np.stack(self._poses)
        return Trajectory(numbers, poses, "frame"), Trajectory(seconds, poses, "second")

    def write(self, stem: Path) -> list[Path]:
        """Write both, as STEM_kitti.txt and STEM_tum.txt; of fewer than two frames nothing.

        Without a scale the names say `relative`.

        Args:
            stem: path of the files without the ends of their names.

        Raises:
            StorageError: a file cannot be written.
        """
        if len(self._poses) < 2:
            return []
        by_number, by_time = self.trajectories()
        relative = "" if self._predictor.scale == "metric" else "_relative"
        files = [stem.with_name(f"{stem.name}{relative}_{kind}.txt") for kind in ("kitti", "tum")]
        about = json.dumps(about_network(self._predictor.facts))
        # KITTI's format has no place for a comment.
        write_text(files[0], kitti_text(by_number))
        write_text(files[1], f"# {TEXT_KEY} {about}\n{tum_text(by_time)}")
        return files


def nearest_rotation(R: NDArray[np.float64]) -> NDArray[np.float64]:
    """A rotation from a product of many, whose rounding has added up."""
    U, _, Vt = np.linalg.svd(R)
    nearest: NDArray[np.float64] = U @ Vt
    return nearest
