"""What a checkpoint carries besides weights, and how it is read without running its code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from selfsup_depth.errors import CheckpointError
from selfsup_depth.modules.base import SelfSupervisedDepth
from selfsup_depth.training.checkpoint_io import read_sealed
from selfsup_depth.training.configuration import build
from selfsup_depth.training.sections import MODEL

RECORD = "selfsup_depth"
RECORD_KEYS = {"config", "versions", "scale", "size", "depth_range"}


class LoadedCheckpoint(NamedTuple):
    """A trained module, ready to predict, and what is known about it.

    record: config, versions, scale {"kind": "metric" or "relative", "unit"}, size [height,
        width] of training, depth_range [nearest, farthest] in the scale's unit.
    path: the file it was read from.
    """

    module: SelfSupervisedDepth
    record: dict[str, Any]
    path: Path


class RecordInCheckpoint(Callback):
    """Puts the record into every checkpoint of a run.

    Args:
        record: plain data only, so that a safe load can read it.
    """

    def __init__(self, record: dict[str, Any]) -> None:
        self.record = record

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint[RECORD] = self.record


def find_checkpoint(path: Path) -> Path:
    """The file meant by a checkpoint or by a run: its best, or else its last.

    Raises:
        CheckpointError: there is none.
    """
    if path.is_file():
        return path
    for name in ("best.ckpt", "last.ckpt"):
        if (path / "checkpoints" / name).is_file():
            return path / "checkpoints" / name
    missing = "no checkpoint" if path.is_dir() else "no such file or run"
    raise CheckpointError(f"{missing}, in {path}; give a .ckpt file or the folder of a run")


def load_checkpoint(path: Path, trust: bool = False) -> LoadedCheckpoint:
    """Read a checkpoint and build the module its record describes.

    Args:
        path: a .ckpt file or the folder of a run.
        trust: also build classes from outside this package.

    Raises:
        CheckpointError: it cannot be read, is not of this project, or does not fit.
    """
    file = find_checkpoint(path)
    content = read_checkpoint(file)
    record = content[RECORD]
    config = without_weight_files(record["config"]["model"])
    module: SelfSupervisedDepth = build({"model": config}, {"model": MODEL}, trust)["model"]
    load_weights(module, content["state_dict"], file)
    return LoadedCheckpoint(module.eval(), record, file)


def read_checkpoint(file: Path) -> dict[str, Any]:
    """The content of a checkpoint; nothing in it is ever run.

    Raises:
        CheckpointError: it cannot be read or is not of this project.
    """
    content = read_sealed(file)
    if not (isinstance(content, dict) and is_record(content.get(RECORD)) and is_weights(content)):
        raise CheckpointError(f"not a checkpoint of selfsup-depth, in {file}; give one that `train` wrote")
    return dict(content)


def is_record(record: Any) -> bool:
    """Whether this is what `record_of` makes, as far as its readers rely on it."""
    if not (isinstance(record, dict) and record.keys() >= RECORD_KEYS):
        return False
    config, scale, size = record["config"], record["scale"], record["size"]
    sections = isinstance(config, dict) and all(
        isinstance(config.get(key), dict) for key in ("model", "data")
    )
    sides = isinstance(size, list) and len(size) == 2 and all(type(side) is int and side > 0 for side in size)
    return sections and sides and isinstance(scale, dict) and scale.get("kind") in ("metric", "relative")


def is_weights(content: dict[str, Any]) -> bool:
    """Whether a checkpoint's state is a table of named tensors."""
    weights = content.get("state_dict")
    return isinstance(weights, dict) and all(isinstance(value, Tensor) for value in weights.values())


def without_weight_files(config: Any) -> Any:
    """The same configuration without the files that networks were started from.

    The checkpoint holds what became of them; they need not exist where it is read.
    """
    if isinstance(config, dict):
        return {k: None if k == "weights" else without_weight_files(v) for k, v in config.items()}
    return config


def load_weights(module: SelfSupervisedDepth, weights: Mapping[str, Any], file: Path) -> None:
    """Put weights into a module; all must fit.

    Raises:
        CheckpointError: a tensor is missing, unexpected or of another shape.
    """
    refuse_misfit(module, weights, file)
    module.load_state_dict(weights)


def refuse_misfit(module: SelfSupervisedDepth, weights: Mapping[str, Any], file: Path) -> None:
    """Compare names and shapes of weights with those of a module.

    Raises:
        CheckpointError: a tensor is missing, unexpected or of another shape.
    """
    wanted = module.state_dict()
    fitting = [k for k, v in wanted.items() if k in weights and weights[k].shape == v.shape]
    wrong = sorted((wanted.keys() ^ weights.keys()) | (wanted.keys() - set(fitting)))
    if wrong:
        raise CheckpointError(
            f"{len(fitting)} of {len(wanted)} tensors fit, {wrong[0]} does not, in {file}; "
            "use the configuration it was trained with"
        )
