"""What a checkpoint carries besides weights, and how it is read without running its code."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from selfsup_depth.errors import CheckpointError
from selfsup_depth.modules.base import SelfSupervisedDepth
from selfsup_depth.training.checkpoint_io import read_sealed
from selfsup_depth.training.configuration import build
from selfsup_depth.training.monodepth2_folder import is_monodepth2, read_monodepth2
from selfsup_depth.training.rescaling import recorded_rescaling, rescale
from selfsup_depth.training.safetensors_folder import is_safetensors, read_safetensors
from selfsup_depth.training.sections import MODEL
from selfsup_depth.training.stored_network import StoredNetwork, check_record

logger = logging.getLogger(__name__)

RECORD = "selfsup_depth"
# What `export` writes and nobody trains on with.
EXPORTED = {".onnx": "an ONNX graph", ".pt2": "an exported program of torch"}


class LoadedCheckpoint(NamedTuple):
    """A trained module, ready to predict, and what is known about it.

    record: config, versions, scale {"kind": "metric" or "relative", "unit"}, size [height,
        width] of training, depth_range [nearest, farthest] in the scale's unit; where known,
        cameras (of the training images) and intrinsics (those learned).
    path: the file or folder it was read from.
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
    if path.suffix in EXPORTED and path.is_file():
        raise CheckpointError(
            f"{EXPORTED[path.suffix]} for other programs, not a checkpoint, in {path}; give the run or the "
            ".ckpt that it was exported from"
        )
    if path.is_file():
        return path
    for name in ("best.ckpt", "last.ckpt"):
        if (path / "checkpoints" / name).is_file():
            return path / "checkpoints" / name
    missing = "no checkpoint" if path.is_dir() else "no such file or run"
    raise CheckpointError(
        f"{missing}, in {path}; give a .ckpt file, the folder of a run, or one that `export` wrote"
    )


def load_checkpoint(path: Path, trust: bool = False) -> LoadedCheckpoint:
    """Read a trained network and build the module its record describes.

    Args:
        path: a .ckpt file, the folder of a run, or a folder of weights: with safetensors as `export`
            writes it, or in Monodepth2's format.
        trust: also build classes from outside this package.

    Raises:
        CheckpointError: it cannot be read, is not of this project, or does not fit.
    """
    stored = read_stored(path)
    check_record(stored.record, stored.path)
    config = without_weight_files(stored.record["config"]["model"])
    module: SelfSupervisedDepth = build({"model": config}, {"model": MODEL}, trust)["model"]
    load_weights(module, stored.weights, stored.path)
    found = recorded_rescaling(stored.record, stored.path)
    rescale(module.depth_net, getattr(module, "pose_net", None), found)
    return LoadedCheckpoint(module.eval(), stored.record, stored.path)


def read_stored(path: Path) -> StoredNetwork:
    """What a path holds of a network, in any of the formats.

    Raises:
        CheckpointError: none of them, or it cannot be read.
    """
    if is_safetensors(path):
        return read_safetensors(path)
    if is_monodepth2(path):
        return read_monodepth2(path)
    file = find_checkpoint(path)
    content = read_checkpoint(file)
    return StoredNetwork(content[RECORD], content["state_dict"], file)


def read_checkpoint(file: Path) -> dict[str, Any]:
    """The content of a checkpoint; nothing in it is ever run.

    Raises:
        CheckpointError: it cannot be read or is not of this project.
    """
    content = read_sealed(file)
    if not isinstance(content, dict) or not is_weights(content):
        raise CheckpointError(f"not a checkpoint of selfsup-depth, in {file}; give one that `train` wrote")
    check_record(content.get(RECORD), file, ("model", "data"))
    return dict(content)


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
    logger.info("%d of %d tensors, from %s", len(weights), len(module.state_dict()), file)


def refuse_misfit(module: SelfSupervisedDepth, weights: Mapping[str, Any], file: Path) -> None:
    """Compare names and shapes of weights with those of a module.

    Raises:
        CheckpointError: a tensor is missing, unexpected, of another shape, or not made of finite numbers.
    """
    wanted = module.state_dict()
    fitting = [name for name, tensor in wanted.items() if fits(weights.get(name), tensor)]
    wrong = sorted((wanted.keys() ^ weights.keys()) | (wanted.keys() - set(fitting)))
    if wrong:
        raise CheckpointError(
            f"{len(fitting)} of {len(wanted)} tensors fit, {wrong[0]} does not, in {file}; "
            "use the configuration it was trained with"
        )


def fits(found: Any, wanted: Tensor) -> bool:
    """Whether this is an ordinary tensor in main memory, of the wanted shape and kind, and finite."""
    return (
        isinstance(found, Tensor)
        and found.layout is torch.strided
        and found.device.type == "cpu"
        and found.shape == wanted.shape
        and found.is_floating_point() == wanted.is_floating_point()
        and not (found.is_complex() or found.is_quantized)
        and bool(found.isfinite().all())
    )
