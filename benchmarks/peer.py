"""The objective of a checkout of monodepth2, by its own methods, where somebody has one.

Nothing of it is copied or kept: its module `trainer` is imported from where it lies. What trains
there is not made; the two methods that compute its objective get an object that has what they read.
It breaks ties by random numbers and puts pixel centres elsewhere, so its value is near ours, and not equal.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.objective import SMOOTHNESS_WEIGHT, Work
from selfsup_depth.errors import ConfigError

# Its networks say where between these an inverse depth lies, 1/m.
NEAREST, FARTHEST = 10.0, 1e-6
# Packages that it imports, and its objective does not use.
UNUSED = ("IPython", "tensorboardX", "torchvision", "torchvision.models", "skimage", "skimage.transform")
UNUSED += ("six", "six.moves")
Peer = Callable[[Work], Tensor]


def modules_of(checkout: Path) -> tuple[ModuleType, ModuleType]:
    """Its modules `trainer` and `layers`; for packages that are not here something stands in.

    Raises:
        ConfigError: the folder is no such checkout.
    """
    if not (checkout / "trainer.py").is_file() or not (checkout / "layers.py").is_file():
        raise ConfigError(f"no trainer.py and layers.py, in {checkout}; give --peer a checkout of monodepth2")
    absent = [name for name in UNUSED if importlib.util.find_spec(name.partition(".")[0]) is None]
    stands_in = {name: mock.MagicMock() for name in absent}
    # Its modules have names like `utils`: nobody else shall find them.
    with mock.patch.dict(sys.modules, stands_in), mock.patch.object(sys, "path", [str(checkout), *sys.path]):
        return importlib.import_module("trainer"), importlib.import_module("layers")


def trainer_for(work: Work, trainer: ModuleType, layers: ModuleType) -> Any:
    """What its methods read of a trainer."""
    batch, _, height, width = work.target.shape
    made = trainer.Trainer.__new__(trainer.Trainer)
    made.opt = SimpleNamespace(
        scales=range(len(work.inverse_depths)),
        frame_ids=[0, *range(1, len(work.sources) + 1)],
        height=height,
        width=width,
        min_depth=1 / NEAREST,
        max_depth=1 / FARTHEST,
        disparity_smoothness=SMOOTHNESS_WEIGHT,
        pose_model_type="separate_resnet",
        v1_multiscale=False,
        disable_automasking=False,
        avg_reprojection=False,
        predictive_mask=False,
        no_ssim=False,
    )
    made.num_scales = len(work.inverse_depths)
    made.device = work.target.device
    made.ssim = layers.SSIM()
    made.backproject_depth = {0: layers.BackprojectDepth(batch, height, width)}
    made.project_3d = {0: layers.Project3D(batch, height, width)}
    return made


def objective_of(checkout: Path, work: Work) -> Peer:
    """Its objective, for work of the same size as this."""
    made = trainer_for(work, *modules_of(checkout))
    K = torch.eye(4).repeat(len(work.target), 1, 1)
    K[:, :3, :3] = work.K
    inputs: dict[tuple[Any, ...], Tensor] = {("K", 0): K, ("inv_K", 0): torch.linalg.inv(K)}
    for number, image in enumerate([work.target, *work.sources]):
        inputs["color", number, 0] = image
    for level in range(1, len(work.inverse_depths)):
        size = work.inverse_depths[level].shape[-2:]
        inputs["color", 0, level] = F.interpolate(work.target, size, mode="area")

    def objective(work: Work) -> Tensor:
        outputs: dict[Any, Tensor] = {}
        for level, inverse_depth in enumerate(work.inverse_depths):
            outputs["disp", level] = (inverse_depth - FARTHEST) / (NEAREST - FARTHEST)
        for number, T in enumerate(work.motions, start=1):
            outputs["cam_T_cam", 0, number] = T
        made.generate_images_pred(inputs, outputs)
        value: Tensor = made.compute_losses(inputs, outputs)["loss"]
        return value

    return objective
