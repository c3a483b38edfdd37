"""Whose intrinsics a prediction is unprojected with."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from selfsup_depth.data.camera_files import read_camera_file
from selfsup_depth.data.intrinsics import intrinsics_from_fov
from selfsup_depth.errors import ConfigError
from selfsup_depth.training.predicting import CameraOf
from selfsup_depth.training.prediction import Predictor


def cameras_for(given: Any, predictor: Predictor) -> Sequence[CameraOf]:
    """The intrinsics of images of a size: those given; where a cloud needs some, those of the training.

    Raises:
        ConfigError: a cloud is wanted, and no camera is known.
        DataError: the file of --K cannot be used.
    """
    if given.fov is not None:
        return [partial(intrinsics_from_fov, given.fov)]
    if given.K:
        return [read_camera_file(given.K).for_images]
    if not given.ply:
        return []
    if not predictor.cameras:
        raise ConfigError(
            f"no camera is recorded for --ply, in {given.checkpoint}; give --K FILE or --fov DEGREES"
        )
    camera = predictor.cameras[0]
    if predictor.K is None:
        share = camera.K[0, 0] / (camera.size or predictor.size)[1]
        print(f"camera: that of the training images, focal {share:.3f} of their width")
    return [camera.for_images]
