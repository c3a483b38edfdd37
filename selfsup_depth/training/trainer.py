"""Lightning's trainer as a run uses it: our callbacks, and intervals that fit the run's length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import LearningRateMonitor, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger

from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.errors import ConfigError
from selfsup_depth.modules.base import SelfSupervisedDepth
from selfsup_depth.training.checkpoint import RecordInCheckpoint
from selfsup_depth.training.checkpoint_io import SealedCheckpoints
from selfsup_depth.training.collapse_monitor import CollapseMonitor
from selfsup_depth.training.finite_guard import FiniteGuard
from selfsup_depth.training.learned_intrinsics import RecordIntrinsics, learns_intrinsics
from selfsup_depth.training.pictures import Pictures
from selfsup_depth.training.progress import Progress
from selfsup_depth.training.record import record_of
from selfsup_depth.training.resuming import Difference, TakeEffect
from selfsup_depth.training.run_directory import RunDirectory
from selfsup_depth.training.saving import LastCheckpoint
from selfsup_depth.training.signals import Signals
from selfsup_depth.training.speed import SpeedMeter
from selfsup_depth.training.synchronised_norm import SynchronisedNorms
from selfsup_depth.training.togetherness import Togetherness

# Pictures and validations of a run, where its configuration does not say how often.
NUM_PICTURES = 10
NUM_VALIDATIONS = 5
LOG_EVERY_N_STEPS = 10

Kind = TypeVar("Kind", bound=Callback)


def make_trainer(
    config: dict[str, Any],
    module: SelfSupervisedDepth,
    data: DepthDataModule,
    directory: RunDirectory,
    changes: Sequence[Difference],
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
        callbacks=[
            *make_callbacks(config, module, data, directory, every_n_steps),
            *([TakeEffect(changes)] if changes else []),
        ],
        default_root_dir=directory.path,
        plugins=[SealedCheckpoints(), *[SynchronisedNorms()] * bool(options["sync_batchnorm"])],
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )


def callback_of(trainer: Trainer, kind: type[Kind]) -> Kind:
    """The trainer's one callback of this kind."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return next(callback for callback in callbacks if isinstance(callback, kind))


def make_callbacks(
    config: dict[str, Any],
    module: SelfSupervisedDepth,
    data: DepthDataModule,
    directory: RunDirectory,
    every_n_steps: int,
) -> list[Callback]:
    """What accompanies a run: checkpoints with their record, pictures, progress, learning rate."""
    last = LastCheckpoint(directory.last, (every_n_steps, config["save_every"]), config["keep"])
    callbacks: list[Callback] = [
        SpeedMeter(),
        Togetherness(config["process_timeout"]),
        FiniteGuard(directory.path / "nonfinite_steps.jsonl"),
        CollapseMonitor(directory.path / "collapse.jsonl"),
        RecordInCheckpoint(record_of(config, module, data)),
        *([RecordIntrinsics(data)] if learns_intrinsics(module) else []),
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
    return min(step_limits(options, data), default=1000)


def step_limits(options: dict[str, Any], data: DepthDataModule) -> list[int]:
    """Steps after which a run ends, by its options alone; it ends by the least.

    Raises:
        ConfigError: the number of steps or epochs says that there is no limit, and nothing else does.
    """
    given = {name: options.get(name) for name in ("max_steps", "max_epochs")}
    lengths = {"max_steps": 1, "max_epochs": len(data.train_dataloader())}
    limits = [value * lengths[name] for name, value in given.items() if value and value > 0]
    endless = [f"trainer.{name} is {value}" for name, value in given.items() if value and value < 0]
    if endless and not limits:
        # The learning rate falls at shares of the run, so its length must be known.
        raise ConfigError(f"{' and '.join(endless)}, no limit; give --trainer.max_steps the run's length")
    return limits
