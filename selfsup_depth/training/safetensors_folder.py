"""A network as a folder in the layout of the Hugging Face hub: model.safetensors and config.json.

safetensors (github.com/huggingface/safetensors) holds named tensors and nothing that could be run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from selfsup_depth.errors import CheckpointError, first_line
from selfsup_depth.requirements import missing_package
from selfsup_depth.training.stored_network import StoredNetwork

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
# The key of config.json that holds the checkpoint's record.
RECORD = "selfsup_depth"

# A configuration is a few kilobytes.
MAX_CONFIG_BYTES = 1 << 20


def is_safetensors(folder: Path) -> bool:
    """Whether this folder is meant to hold weights in this format."""
    return (folder / WEIGHTS_FILE).is_file()


def read_safetensors(folder: Path) -> StoredNetwork:
    """Weights and record.

    Raises:
        CheckpointError: a file is missing, damaged, or not one that `export` wrote.
        ConfigError: the safetensors package is not installed.
    """
    record = read_config(folder / CONFIG_FILE).get(RECORD)
    if not isinstance(record, dict):
        raise CheckpointError(
            f"no record of selfsup-depth, in {folder / CONFIG_FILE}; give a folder that `export` wrote"
        )
    return StoredNetwork(record, read_weights(folder / WEIGHTS_FILE), folder)


def read_config(file: Path) -> dict[str, Any]:
    """What a JSON file says."""
    try:
        if file.stat().st_size > MAX_CONFIG_BYTES:
            raise ValueError("too large")
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = first_line(error)[:80]
        raise CheckpointError(f"unreadable configuration ({reason}), in {file}; export it anew") from None
    if not isinstance(config, dict):
        raise CheckpointError(f"not a configuration, in {file}; export it anew")
    return config


def read_weights(file: Path) -> dict[str, Tensor]:
    """Named tensors; nothing is run, and nothing outside the file is read."""
    try:
        from safetensors.torch import load
    except ImportError:
        raise missing_package("safetensors") from None
    try:
        # Read, not mapped: a file that changes later must not change the network.
        return dict(load(file.read_bytes()))
    except Exception as error:
        reason = first_line(error)[:80]
        raise CheckpointError(f"unreadable weights ({reason}), in {file}; export them anew") from None
