"""A network in the layout of the Hugging Face hub, as `load` reads it back, bit for bit."""

from __future__ import annotations

import json

from selfsup_depth.export.metadata import Metadata
from selfsup_depth.export.model_card import model_card
from selfsup_depth.requirements import missing_package
from selfsup_depth.training.checkpoint import LoadedCheckpoint, without_weight_files
from selfsup_depth.training.safetensors_folder import CONFIG_FILE, RECORD, WEIGHTS_FILE


def safetensors_files(loaded: LoadedCheckpoint, metadata: Metadata) -> dict[str, bytes]:
    """Contents of the folder's files by name: weights, configuration, model card.

    The whole training module travels, its pose network too. Of the training configuration only the
    model does: the rest names folders of the machine that it was trained on.

    Raises:
        ConfigError: the safetensors package is not installed.
    """
    try:
        from safetensors.torch import save
    except ImportError:
        raise missing_package("safetensors") from None
    weights = {name: tensor.contiguous().clone() for name, tensor in loaded.module.state_dict().items()}
    model = without_weight_files(loaded.record["config"]["model"])
    record = {**loaded.record, "config": {"model": model}, "config_sha256": metadata.config_sha256}
    config = {"model_type": "selfsup-depth", **metadata._asdict(), RECORD: record}
    return {
        WEIGHTS_FILE: save(weights, metadata={"format": "pt", **metadata.as_text()}),
        CONFIG_FILE: (json.dumps(config, indent=2) + "\n").encode(),
        "README.md": model_card(metadata, model).encode(),
    }
