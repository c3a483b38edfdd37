"""One training run, from a resolved configuration to checkpoints, pictures and a table of errors."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Trainer, seed_everything

from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.data.option_checks import check_sources
from selfsup_depth.data.readers import killed_readers_named
from selfsup_depth.errors import ConfigError, DataError, NumericError, first_line
from selfsup_depth.modules.base import SelfSupervisedDepth
from selfsup_depth.training.bad_data import keep_left_out
from selfsup_depth.training.checkpoint import refuse_misfit
from selfsup_depth.training.checkpoint_io import size_of
from selfsup_depth.training.compilation import compile_for_training
from selfsup_depth.training.configuration import build
from selfsup_depth.training.final_evaluation import EVALUATION, evaluate_and_report
from selfsup_depth.training.finite_guard import FiniteGuard
from selfsup_depth.training.preflight import check_fit, check_options
from selfsup_depth.training.process_settings import process_settings_kept
from selfsup_depth.training.processes import end_others, ending_with_the_first, stand_together
from selfsup_depth.training.resuming import Continuation, continue_from
from selfsup_depth.training.run_directory import Resume, RunDirectory
from selfsup_depth.training.sections import SECTIONS
from selfsup_depth.training.trainer import callback_of, make_trainer, step_limits

log = logging.getLogger(__name__)
# Checkpoints for which there must be room at the start: last, best, and one being written.
SPARE_CHECKPOINTS = 3
# Adam moves every weight by about so much in each step: above it, networks hardly stay finite.
HIGH_LEARNING_RATE = 0.1
# Where launchers number their processes, from 0; the last one is srun's.
RANKS = ("LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")


@process_settings_kept()
@ending_with_the_first()
def fit(
    config: dict[str, Any],
    run: Path,
    resume: Resume = "no",
    overwrite: bool = False,
    allow_change: Sequence[str] = (),
) -> None:
    """Train, then evaluate and report.

    Args:
        config: resolved, by the schema of training/sections.py.
        run: folder of the run.
        resume: go on from the run's last checkpoint; "auto": where there is one.
        overwrite: replace an earlier run in that folder.
        allow_change: keys, or beginnings of keys, in which a resumed run may differ from before.

    Raises:
        SelfsupDepthError: whatever is refused, before the first step.
    """
    directory = RunDirectory(run)
    last = directory.last_checkpoint(resume)
    earlier = continue_from(last, config, allow_change) if last else None
    trainer, module, data = assemble(config, directory, earlier)
    if earlier and (run / EVALUATION).is_file() and is_complete(earlier.step, config, data):
        print(f"nothing to do: all {earlier.step} steps are done, in {run}; more --trainer.max_steps go on")
        return
    try:
        # The first process does it for all: in another one its folders may not be there yet.
        if not any(int(os.environ.get(name, 0)) for name in RANKS):
            claim(directory, config, last, resume, overwrite)
            directory.check_space((SPARE_CHECKPOINTS + config["keep"]) * checkpoint_bytes(module))
        stand_together(trainer)
        with killed_readers_named():
            train(trainer, module, data, directory, last)
    except Exception as error:
        end_others(error, trainer)
        raise
    finally:
        directory.release()


def assemble(
    config: dict[str, Any], directory: RunDirectory, earlier: Continuation | None = None
) -> tuple[Trainer, SelfSupervisedDepth, DepthDataModule]:
    """Everything that a run needs; whatever is refused here is refused before anything is written.

    Args:
        config: resolved.
        directory: of the run; nothing is written there yet.
        earlier: what the run goes on from.
    """
    module, data = module_and_data(config)
    data.prepare_data()
    data.setup("fit")
    check_fit(module, data)
    if earlier:
        refuse_misfit(module, earlier.weights, earlier.file)
        earlier = earlier._replace(weights={})  # read again by Lightning; not held twice
    try:
        trainer = make_trainer(config, module, data, directory, earlier.changes if earlier else ())
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"{first_line(error).rstrip('.')}; change the trainer option it speaks of"
        ) from error
    return trainer, module, data


def module_and_data(config: dict[str, Any]) -> tuple[SelfSupervisedDepth, DepthDataModule]:
    """What a configuration describes, refused where no data could be learned from; none is read.

    Args:
        config: resolved.
    """
    if not 0 <= config["seed"] < 2**32:
        raise ConfigError(f"seed is {config['seed']}; give --seed from 0 to {2**32 - 1}")
    seed_everything(config["seed"], verbose=False)
    parts = build(config, SECTIONS)
    module, data = parts["model"], parts["data"]
    module.optimization = parts["optimizer"]
    data.seed = config["seed"]
    check_sources(data.video, data.stereo)
    check_options(module, data)
    return module, data


def train(
    trainer: Trainer,
    module: SelfSupervisedDepth,
    data: DepthDataModule,
    directory: RunDirectory,
    last: Path | None,
) -> None:
    """Train and report; of a run that is refused before its first step nothing stays."""
    try:
        if trainer.is_global_zero:
            keep_left_out(directory.path, data.bad_data, data.still_frames, resumed=last is not None)
        said = compile_for_training(module, trainer.strategy.root_device)
        if trainer.is_global_zero:
            log.info(said)
        trainer.fit(module, datamodule=data, ckpt_path=last, weights_only=True)
        callback_of(trainer, FiniteGuard).refuse_untrained(trainer)
        evaluate_and_report(trainer, module, data, directory)
    except NumericError as error:
        rate = module.optimization.learning_rate
        if rate <= HIGH_LEARNING_RATE:
            raise
        suspect = f"the first suspect is --optimizer.learning_rate={rate:g}, 1e-4 is usual"
        raise NumericError(f"{error}; {suspect}") from error
    except (ConfigError, DataError):
        if last is None and not trainer.global_step and trainer.is_global_zero:
            directory.discard()
        raise


def claim(
    directory: RunDirectory, config: dict[str, Any], last: Path | None, resume: Resume, overwrite: bool
) -> None:
    """Make the run's folder ours."""
    if last is None:
        directory.create(overwrite, unsaved=resume == "auto")
    else:
        directory.hold()
        directory.prepare()
        directory.set_aside(config)
    directory.record(config)


def is_complete(step: int, config: dict[str, Any], data: DepthDataModule) -> bool:
    """Whether a run that was saved at this step has none left."""
    limits = step_limits(config["trainer"], data)
    return bool(limits) and step >= min(limits)


def checkpoint_bytes(module: SelfSupervisedDepth) -> int:
    """Size of a checkpoint: the weights, and Adam's two running means of their gradients."""
    return size_of([module.state_dict(), *[list(module.parameters())] * 2])
