"""The camera that a run has learned: measured for its checkpoints and for its report."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor
from torch.utils.data import default_collate

from selfsup_depth.data.augmentation import Augmentation
from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.data.examples import TrainingExamples
from selfsup_depth.data.loading import on_device
from selfsup_depth.geometry.camera import resize_intrinsics
from selfsup_depth.modules.base import SelfSupervisedDepth
from selfsup_depth.modules.motion import common_intrinsics, predict_motions
from selfsup_depth.networks.motion import PoseNetwork
from selfsup_depth.training.checkpoint import RECORD

# Examples over which the median is taken, evenly spread over the training set.
NUM_EXAMPLES = 8


class LearnedCamera(NamedTuple):
    """Intrinsics that were predicted, and what the data say of the same camera.

    K: (3, 3) pixels of the training size.
    size: height and width of the images that the networks see.
    K_stored: (3, 3) the same in pixels of the stored images.
    K_data: (3, 3) of the first example's stored images, according to the data; None where unknown.
    size_stored: their height and width.
    """

    K: Tensor
    size: tuple[int, int]
    K_stored: Tensor
    K_data: Tensor | None
    size_stored: tuple[int, int]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for files."""
        return {
            "K": self.K.tolist(),
            "size": list(self.size),
            "K_stored": self.K_stored.tolist(),
            "size_stored": list(self.size_stored),
        }

    def report(self) -> str:
        """One line: focal lengths and principal point at both sizes, beside those of the data."""
        said = "" if self.K_data is None else f" (the data say {in_words(self.K_data, self.size_stored)})"
        return (
            f"learned intrinsics: {in_words(self.K, self.size)}; {in_words(self.K_stored, self.size_stored)}"
            + said
        )


def learns_intrinsics(module: SelfSupervisedDepth) -> bool:
    """Whether the module predicts the camera."""
    pose_net = getattr(module, "pose_net", None)
    return isinstance(pose_net, PoseNetwork) and pose_net.learned_intrinsics


@torch.no_grad()
def learned_camera(module: SelfSupervisedDepth, data: DepthDataModule) -> LearnedCamera:
    """The median of what the pose network says of training examples, none of them mirrored."""
    examples = data.train_dataloader().dataset
    assert isinstance(examples, TrainingExamples)
    chosen = np.linspace(0, len(examples) - 1, min(NUM_EXAMPLES, len(examples))).round().astype(int)
    plain = TrainingExamples(
        examples.examples, examples.needs, examples.size, Augmentation(), examples.seed, {}
    )
    batch = default_collate([plain[0, index] for index in chosen.tolist()])
    batch = on_device(batch, module.device)
    pose_net = module.pose_net
    assert isinstance(pose_net, PoseNetwork)
    training = module.training
    module.eval()  # a measurement must not move the statistics of batch normalisation
    (K_each,) = common_intrinsics(predict_motions(pose_net, batch))
    module.train(training)
    K = K_each.double().cpu().quantile(0.5, dim=0)
    camera = examples.examples[0].camera
    return LearnedCamera(
        K,
        examples.size,
        resize_intrinsics(K, examples.size, camera.size),
        None if data.fov == "unknown" else torch.from_numpy(camera.K),
        camera.size,
    )


class RecordIntrinsics(Callback):
    """Puts the learned camera into every checkpoint's record; stands after RecordInCheckpoint.

    Args:
        data: whose training examples show the camera.
    """

    def __init__(self, data: DepthDataModule) -> None:
        self.data = data

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        assert isinstance(pl_module, SelfSupervisedDepth)
        camera = learned_camera(pl_module, self.data)
        checkpoint[RECORD] = {**checkpoint[RECORD], "intrinsics": camera.as_dict()}


def in_words(K: Tensor, size: tuple[int, int]) -> str:
    """Focal lengths and principal point in pixels of images of that height and width."""
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    return f"focal {fx:.1f} x {fy:.1f}, centre {cx:.1f}, {cy:.1f} px of {size[1]}x{size[0]}"
