"""What a run knows about itself and writes into its checkpoints."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.losses.needs import Need
from selfsup_depth.modules.base import SelfSupervisedDepth
from selfsup_depth.modules.left_right import LeftRight
from selfsup_depth.training.environment import versions
from selfsup_depth.training.training_camera import training_cameras


def record_of(config: dict[str, Any], module: SelfSupervisedDepth, data: DepthDataModule) -> dict[str, Any]:
    """What a checkpoint says about itself."""
    return {
        "config": config,
        "versions": versions(),
        "scale": {"kind": kind_of_scale(module, data), "unit": "metre"},
        "size": [data.height, data.width],
        "depth_range": [module.depth_net.min_depth, module.depth_net.max_depth],
        "cameras": training_cameras(data),
    }


def hash_of_config(config: dict[str, Any]) -> str:
    """SHA-256 of a configuration, whatever the order of its keys."""
    canonical = json.dumps(config, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


def hash_of_record(record: dict[str, Any]) -> str:
    """Of the configuration it was trained with, also where an export left a part of that out; "" = none."""
    if "config_sha256" in record:
        return str(record["config_sha256"])
    return hash_of_config(record["config"]) if "config" in record else ""


def kind_of_scale(module: SelfSupervisedDepth, data: DepthDataModule) -> str:
    """Which scale the depth has: "metric" where a length in metres takes part, else "relative"."""
    known_baseline = data.stereo or isinstance(module, LeftRight)
    needs = [term.needs() for term in module.active_terms.values()]
    known_length = any({Need.TRAVELLED, Need.MEASURED} & need for need in needs)
    # Behind a pose network nothing holds the scale once it has taken over.
    posed_by_travelled = (
        not getattr(module, "pose_net", None) and data.two_view_motion and data.knows_travelled
    )
    return "metric" if known_baseline or known_length or posed_by_travelled else "relative"
