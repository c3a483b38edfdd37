"""Going on with a run: what may differ from before, and how it takes effect."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pytorch_lightning import Callback, LightningModule, Trainer
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from selfsup_depth.errors import CheckpointError, ConfigError
from selfsup_depth.suggestions import did_you_mean
from selfsup_depth.training.checkpoint import RECORD, read_checkpoint
from selfsup_depth.training.layers import CLASS, arguments_beside_class

log = logging.getLogger(__name__)

# How far a run goes and what it keeps on the way: nothing that is computed depends on it.
FREE = ("trainer.max_steps", "trainer.max_epochs", "keep", "save_every", "process_timeout")
# What decides which examples a batch of a given number holds; how many read them does not.
ORDER = ("data", "seed", "trainer.devices", "trainer.num_nodes", "trainer.limit_train_batches")
READING = ("data.num_workers",)


class Difference(NamedTuple):
    """A key whose value is another one than before."""

    key: str
    before: Any
    now: Any

    def __str__(self) -> str:
        if isinstance(self.before, dict) or isinstance(self.now, dict):
            return self.key
        return f"{self.key} ({self.before} before, {self.now} now)"


class Continuation(NamedTuple):
    """What a run goes on from.

    weights: tensors by name.
    changes: what is meant to differ from here on.
    file: the checkpoint.
    step: at which it was saved.
    """

    weights: Mapping[str, Any]
    changes: Sequence[Difference]
    file: Path
    step: int


def continue_from(file: Path, config: Mapping[str, Any], allowed: Sequence[str]) -> Continuation:
    """Read what a run goes on from, and compare its configuration with what is wanted now.

    Args:
        file: the run's last checkpoint.
        config: resolved.
        allowed: keys, or beginnings of keys, that may differ.

    Raises:
        CheckpointError: another key differs, or the checkpoint cannot be read.
        ConfigError: a key that is allowed to differ does not exist.
    """
    content = read_checkpoint(file)
    before = content[RECORD]["config"]
    known = {*all_keys(arguments_beside_class(before)), *all_keys(arguments_beside_class(config))}
    for key in allowed:
        if key not in known:
            raise ConfigError(f"no option is named {key}, on the command line; {did_you_mean(key, known)}")
    found = [change for change in differences(before, config) if not covers(FREE, change.key)]
    refused = [change for change in found if not covers(allowed, change.key)]
    if refused:
        flags = " ".join(f"--allow-change {change.key}" for change in refused)
        raise CheckpointError(
            f"the configuration differs from the run's: {', '.join(map(str, refused))}, in {file}; "
            f"leave it as it was, or add {flags}"
        )
    return Continuation(content["state_dict"], found, file, content["global_step"])


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """Keys with other values; a component of another class counts as one."""
    return list(_differences(arguments_beside_class(dict(before)), arguments_beside_class(dict(now)), ""))


def _differences(before: Any, now: Any, key: str) -> Iterator[Difference]:
    both = isinstance(before, dict) and isinstance(now, dict)
    if not both or before.get(CLASS) != now.get(CLASS):
        if before != now:
            yield Difference(key, before, now)
        return
    for name in dict.fromkeys([*before, *now]):
        yield from _differences(before.get(name), now.get(name), f"{key}.{name}" if key else name)


def all_keys(node: Any, key: str = "") -> Iterator[str]:
    """Dotted names of every value, and of what holds values."""
    if key:
        yield key
    if isinstance(node, dict):
        for name, value in node.items():
            yield from all_keys(value, f"{key}.{name}" if key else name)


def covers(keys: Collection[str], key: str) -> bool:
    """Whether one of the keys is this one or holds it."""
    return any(key == given or key.startswith(f"{given}.") for given in keys)


class TakeEffect(Callback):
    """Lets changes hold from the first step on, where a checkpoint would bring back what was before.

    The optimizer takes its learning rate, betas and weight decay from the configuration. Where
    the examples of a batch are others than before, the epoch is begun anew.

    Args:
        changes: what differs from the checkpoint's configuration.
    """

    def __init__(self, changes: Sequence[Difference]) -> None:
        self.changes = changes
        self._wanted: list[list[dict[str, Any]]] = []

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        log.info("changed from step %d on: %s", checkpoint["global_step"], ", ".join(map(str, self.changes)))
        keys = [change.key for change in self.changes if not covers(READING, change.key)]
        if any(covers(ORDER, key) for key in keys):
            begin_epoch_anew(checkpoint)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Configured, and not yet overwritten by the checkpoint.
        self._wanted = [options_of_groups(optimizer) for optimizer in trainer.optimizers]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if any(covers(["optimizer"], change.key) for change in self.changes):
            for wanted, schedule in zip(self._wanted, trainer.lr_scheduler_configs, strict=True):
                assert isinstance(schedule.scheduler, LambdaLR)
                put_back(wanted, schedule.scheduler)


def options_of_groups(optimizer: Optimizer) -> list[dict[str, Any]]:
    """Learning rate and all else that an optimizer is told, for each group of parameters."""
    return [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]


def put_back(wanted: list[dict[str, Any]], schedule: LambdaLR) -> None:
    """Give an optimizer its options again, and its schedule the rate of the step it has come to."""
    schedule.base_lrs = [options["initial_lr"] for options in wanted]
    for group, options, factor in zip(
        schedule.optimizer.param_groups, wanted, schedule.lr_lambdas, strict=True
    ):
        group |= options | {"lr": options["initial_lr"] * factor(schedule.last_epoch)}


def begin_epoch_anew(checkpoint: dict[str, Any]) -> None:
    """Change a checkpoint so that a run goes on at the beginning of its epoch, or of the next."""
    loops = checkpoint["loops"]["fit_loop"]
    progress = loops["epoch_loop.batch_progress"]
    # Lightning adds one to `completed`, which lags while a batch ends.
    progress["current"] |= {"ready": 0, "started": 0, "processed": 0, "completed": -1}
    for loader in loops["state_dict"]["combined_loader"]:
        loader |= {"epoch": loader["epoch"] + progress["is_last_batch"], "num_given": 0}
