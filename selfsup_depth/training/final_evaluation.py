"""What a run is worth: a table of errors at its end, against a constant depth."""

from __future__ import annotations

import json
from typing import Any

import torch
from pytorch_lightning import Trainer
from torch.utils.data import DataLoader

from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.data.loading import on_device
from selfsup_depth.errors import DataError
from selfsup_depth.evaluation.depth_evaluation import DepthEvaluation
from selfsup_depth.modules.base import SelfSupervisedDepth
from selfsup_depth.training.learned_intrinsics import learned_camera, learns_intrinsics
from selfsup_depth.training.progress import passing_bar
from selfsup_depth.training.rebuilding import rebuilding_errors
from selfsup_depth.training.run_directory import RunDirectory
from selfsup_depth.training.speed import SpeedMeter
from selfsup_depth.training.speed_advice import advice, circumstances
from selfsup_depth.training.storage import write_text
from selfsup_depth.training.trainer import callback_of

EVALUATION = "evaluation.json"


def evaluate_and_report(
    trainer: Trainer, module: SelfSupervisedDepth, data: DepthDataModule, directory: RunDirectory
) -> None:
    """Evaluate the last weights, write evaluation.json, print the table and where the run lies.

    The last weights, not the best: the best were chosen by these very images.
    """
    if not trainer.is_global_zero:
        return
    module.float()  # trained in another precision, it would refuse the images that the loaders give
    result: dict[str, Any] = {}
    if data.has_measured:
        evaluation = evaluate(module, data)
        result = evaluation.as_dict()
        print(f"\n{evaluation.report()}\n{data.validation_note}")
    else:
        print("\nno measured depth in this data: look at the pictures")
    try:
        rebuilding = result["photometric_error"] = rebuilding_errors(module, data)
        print(
            f"photometric error of the rebuilt training views {rebuilding['synthesized']:.3f}, "
            f"of the sources as they are {rebuilding['unmoved']:.3f}"
        )
    except DataError as error:
        # The run is done and saved; an image that it never came to must not make it fail.
        print(f"photometric error not measured: {error}")
    if learns_intrinsics(module):
        camera = learned_camera(module, data)
        result["intrinsics"] = camera.as_dict()
        print(camera.report())
    write_text(directory.path / EVALUATION, json.dumps(result, indent=2) + "\n")
    report_speed(trainer, module, data, directory)
    # A short run may have logged nothing.
    table = "metrics.csv, " if (directory.path / "metrics.csv").is_file() else ""
    print(f"run: {directory.path} (checkpoints/last.ckpt, pictures/, {table}TensorBoard events)")


def report_speed(
    trainer: Trainer, module: SelfSupervisedDepth, data: DepthDataModule, directory: RunDirectory
) -> None:
    """Print how fast the run was and what would help, and write speed.json."""
    if speed := callback_of(trainer, SpeedMeter).speed(trainer):
        limit = advice(speed, circumstances(trainer, module, data))
        print(f"{speed.report()}\n{limit}")
        text = json.dumps(speed._asdict() | {"advice": limit}, indent=2)
        write_text(directory.path / "speed.json", text + "\n")


@torch.inference_mode()
def evaluate(module: SelfSupervisedDepth, data: DepthDataModule) -> DepthEvaluation:
    """Errors of the module on the validation frames."""
    module.eval()
    # The run's other processes have ended and cannot be asked.
    evaluation = DepthEvaluation(module.validation_metrics.protocol, across_processes=False)
    loader = data.val_dataloader()
    assert isinstance(loader, DataLoader)
    for batch in passing_bar(loader, "evaluating", len(loader), "image"):
        seen = on_device(batch, module.device)
        evaluation.update(module.predict_inverse_depth(seen.view.image), batch.depth)
    return evaluation
