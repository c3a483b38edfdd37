"""One training run, from a resolved configuration to checkpoints, pictures and a table of errors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Callback, Trainer, seed_everything
from pytorch_lightning.callbacks import LearningRateMonitor, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger

from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.errors import CheckpointError, ConfigError, DataError, first_line
from selfsup_depth.losses.needs import Need
from selfsup_depth.modules.base import SelfSupervisedDepth
from selfsup_depth.modules.left_right import LeftRight
from selfsup_depth.training.checkpoint import LastCheckpoint, RecordInCheckpoint
from selfsup_depth.training.checkpoint_io import SealedCheckpoints, size_of
from selfsup_depth.training.configuration import build
from selfsup_depth.training.final_evaluation import evaluate_and_report
from selfsup_depth.training.finite_guard import FiniteGuard
from selfsup_depth.training.pictures import Pictures
from selfsup_depth.training.preflight import check_fit
from selfsup_depth.training.progress import Progress
from selfsup_depth.training.run_directory import RunDirectory, versions
from selfsup_depth.training.sections import SECTIONS
from selfsup_depth.training.signals import Signals

# Pictures and validations of a run, where its configuration does not say how often.
NUM_PICTURES = 10
NUM_VALIDATIONS = 5
LOG_EVERY_N_STEPS = 10
# Checkpoints for which there must be room at the start: last, best, and one being written.
SPARE_CHECKPOINTS = 3


def fit(config: dict[str, Any], run: Path, resume: bool = False, overwrite: bool = False) -> None:
    """Train, then evaluate and report.

    Args:
        config: resolved, by the schema of training/sections.py.
        run: folder of the run.
        resume: go on from the run's last checkpoint.
        overwrite: replace an earlier run in that folder.

    Raises:
        SelfsupDepthError: whatever is refused, before the first step.
    """
    directory = RunDirectory(run)
    last = last_checkpoint(directory) if resume else None
    seed_everything(config["seed"], verbose=False)
    parts = build(config, SECTIONS)
    module, data = parts["model"], parts["data"]
    module.optimization = parts["optimizer"]
    data.seed = config["seed"]
    # Whatever the data refuses is refused before anything is written.
    data.prepare_data()
    data.setup("fit")
    check_fit(module, data)
    try:
        trainer = make_trainer(config, module, data, directory)
    except (MisconfigurationException, ValueError) as error:
        raise ConfigError(
            f"{first_line(error).rstrip('.')}; change the trainer option it speaks of"
        ) from error
    try:
        claim(directory, config, resume, overwrite)
        train(trainer, module, data, directory, last)
    finally:
        directory.release()


def train(
    trainer: Trainer,
    module: SelfSupervisedDepth,
    data: DepthDataModule,
    directory: RunDirectory,
    last: Path | None,
) -> None:
    """Train and report; of a run that is refused before its first step nothing stays."""
    try:
        directory.check_space(SPARE_CHECKPOINTS * checkpoint_bytes(module))
        trainer.fit(module, datamodule=data, ckpt_path=last, weights_only=True)
        evaluate_and_report(trainer, module, data, directory)
    except (ConfigError, DataError):
        if last is None and not trainer.global_step and trainer.is_global_zero:
            directory.discard()
        raise


def claim(directory: RunDirectory, config: dict[str, Any], resume: bool, overwrite: bool) -> None:
    """Make the run's folder ours; in a distributed run the first process does it for all."""
    if int(os.environ.get("LOCAL_RANK", 0)) or int(os.environ.get("NODE_RANK", 0)):
        return
    if resume:
        directory.hold()
        directory.prepare()
        directory.keep_metrics()
    else:
        directory.create(overwrite)
    directory.record(config)


def checkpoint_bytes(module: SelfSupervisedDepth) -> int:
    """Size of a checkpoint: the weights, and Adam's two running means of their gradients."""
    return size_of([module.state_dict(), *[list(module.parameters())] * 2])


def last_checkpoint(directory: RunDirectory) -> Path:
    """The checkpoint to go on from.

    Raises:
        CheckpointError: the run has none.
    """
    last = directory.checkpoints / "last.ckpt"
    if not last.is_file():
        raise CheckpointError(f"no checkpoint to go on from, in {last}; start the run without --resume")
    return last


def make_trainer(
    config: dict[str, Any], module: SelfSupervisedDepth, data: DepthDataModule, directory: RunDirectory
) -> Trainer:
    """Lightning's trainer with our callbacks, and intervals that fit the length of the run."""
    options = dict(config["trainer"])
    num_steps = planned_steps(options, data)
    every_n_steps = max(1, num_steps // NUM_PICTURES)
    if options.get("val_check_interval") is None and options.get("check_val_every_n_epoch") in (1, None):
        options["check_val_every_n_epoch"] = None
        # A multiple, so that the run is saved when a validation begins, and can be ended in it.
        interval = num_steps // NUM_VALIDATIONS // every_n_steps * every_n_steps
        options["val_check_interval"] = max(1, interval)
    if options.get("log_every_n_steps") is None:
        options["log_every_n_steps"] = LOG_EVERY_N_STEPS
    return Trainer(
        **options,
        logger=[
            TensorBoardLogger(directory.path, name="", version=""),
            CSVLogger(directory.path, name="", version=""),
        ],
        callbacks=make_callbacks(config, module, data, directory, every_n_steps),
        default_root_dir=directory.path,
        plugins=[SealedCheckpoints()],
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )


def make_callbacks(
    config: dict[str, Any],
    module: SelfSupervisedDepth,
    data: DepthDataModule,
    directory: RunDirectory,
    every_n_steps: int,
) -> list[Callback]:
    """What accompanies a run: checkpoints with their record, pictures, progress, learning rate."""
    last = LastCheckpoint(directory.checkpoints / "last.ckpt", every_n_steps)
    callbacks: list[Callback] = [
        FiniteGuard(directory.path / "nonfinite_steps.jsonl"),
        RecordInCheckpoint(record_of(config, module, data)),
        last,
        Pictures(directory.pictures, every_n_steps),
        Progress(),
        Signals(last),
        LearningRateMonitor("step"),
    ]
    if data.has_measured:
        callbacks.append(
            ModelCheckpoint(
                directory.checkpoints, filename="best", monitor="val/abs_rel", enable_version_counter=False
            )
        )
    return callbacks


def planned_steps(options: dict[str, Any], data: DepthDataModule) -> int:
    """Optimizer steps of the run by its options alone."""
    max_steps = options.get("max_steps") or -1
    max_epochs = options.get("max_epochs") or -1
    limits = [max_steps] if max_steps > 0 else []
    if max_epochs > 0:
        limits.append(max_epochs * len(data.train_dataloader()))
    return int(min(limits, default=1000))


def record_of(config: dict[str, Any], module: SelfSupervisedDepth, data: DepthDataModule) -> dict[str, Any]:
    """What a checkpoint says about itself."""
    return {
        "config": config,
        "versions": versions(),
        "scale": {"kind": kind_of_scale(module, data), "unit": "metre"},
        "size": [data.height, data.width],
        "depth_range": [module.depth_net.min_depth, module.depth_net.max_depth],
    }


def kind_of_scale(module: SelfSupervisedDepth, data: DepthDataModule) -> str:
    """Which scale the depth has: "metric" where a length in metres takes part, else "relative"."""
    known_baseline = data.stereo or isinstance(module, LeftRight)
    known_speed = any(Need.TRAVELLED in term.needs() for term in module.active_terms.values())
    # Behind a pose network nothing holds the scale once it has taken over.
    posed_by_travelled = (
        not getattr(module, "pose_net", None) and data.two_view_motion and data.knows_travelled
    )
    return "metric" if known_baseline or known_speed or posed_by_travelled else "relative"
