"""The camera that took the training images: into the record, and out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from selfsup_depth.data.camera_files import StatedCamera
from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.data.examples import TrainingExamples
from selfsup_depth.data.recording import Camera

# Focal lengths, in widths of the image, that differ by less are of one kind of camera: KITTI's
# days differ by one percent.
_SAME_FOCAL = 0.03


def training_cameras(data: DepthDataModule) -> list[dict[str, Any]]:
    """The camera of the training targets in plain values; none where they are of different kinds."""
    examples = data.train_dataloader().dataset
    assert isinstance(examples, TrainingExamples)
    cameras = list({id(example.camera): example.camera for example in examples.examples}.values())
    focals = np.array([_focals(camera) for camera in cameras])
    if not (np.abs(focals / focals[0] - 1) < _SAME_FOCAL).all():
        return []
    return [{"K": cameras[0].K.tolist(), "size": list(cameras[0].size)}]


def _focals(camera: Camera) -> list[float]:
    """Focal lengths in widths and heights of the image."""
    return [float(camera.K[0, 0]) / camera.size[1], float(camera.K[1, 1]) / camera.size[0]]


def recorded_cameras(record: dict[str, Any], file: Path) -> list[StatedCamera]:
    """The camera in a checkpoint's record, as learned or else as the data said; none if there is none.

    Args:
        record: of the checkpoint.
        file: which one, for messages.
    """
    learned = record.get("intrinsics")
    if learned:
        height, width = learned["size_stored"]
        return [StatedCamera(np.array(learned["K_stored"]), (height, width), str(file))]
    return [
        StatedCamera(np.array(camera["K"]), (camera["size"][0], camera["size"][1]), str(file))
        for camera in record.get("cameras", ())
    ]
