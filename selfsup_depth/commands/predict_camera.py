"""Whose intrinsics a prediction is unprojected with."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from selfsup_depth.commands.predict_inputs import is_video
from selfsup_depth.data.camera_files import read_camera_file
from selfsup_depth.data.images import read_rgb
from selfsup_depth.data.intrinsics import intrinsics_from_fov
from selfsup_depth.errors import ConfigError, DataError
from selfsup_depth.training.predicting import CameraOf
from selfsup_depth.training.prediction import Predictor


def cameras_for(given: Any, predictor: Predictor, option: str) -> Sequence[CameraOf]:
    """The intrinsics of images of a size: those given; where some are needed, those of the training.

    Args:
        given: the command's options.
        predictor: knows the camera of its training.
        option: what needs intrinsics; "" if nothing does.

    Raises:
        ConfigError: they are needed, and no camera is known.
        DataError: the file of --K cannot be used.
    """
    if given.fov is not None:
        return [partial(intrinsics_from_fov, given.fov)]
    if given.K:
        return [read_camera_file(given.K).for_images]
    if not option:
        return []
    if not predictor.cameras:
        raise ConfigError(
            f"no camera is recorded for {option}, in {given.checkpoint}; give --K FILE or --fov DEGREES"
        )
    camera = predictor.cameras[0]
    if predictor.K is None:
        share = camera.K[0, 0] / (camera.size or predictor.size)[1]
        print(f"camera: that of the training images, focal {share:.3f} of their width")
    return [camera.for_images]


def refuse_other_camera(inputs: Sequence[Path], cameras: Sequence[CameraOf]) -> None:
    """Refuse images that the camera of the training did not take, before anything is written.

    Looks at the first image; a single one of another shape among many is passed over later.

    Raises:
        ConfigError: it has another shape.
    """
    for path in [path for path in inputs if not is_video(path)][:1]:
        try:
            image = read_rgb(path)
        except DataError:
            return
        try:
            cameras[0]((image.height, image.width))
        except DataError as error:
            what = f"no camera is known for {path}: {str(error).rpartition('; ')[0]}"
            raise ConfigError(f"{what}; give --K FILE or --fov DEGREES, or leave out --ply") from error
