"""Reading weights from a folder in Monodepth2's format, theirs or one that `export` wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from selfsup_depth.errors import CheckpointError, first_line
from selfsup_depth.networks.base import SIZE_MULTIPLE
from selfsup_depth.training.monodepth2_names import (
    CLASSIFIER,
    DEPTH_FILES,
    DEPTH_RANGE,
    ENCODER,
    LAST_POSE_LAYER,
    METADATA_FILE,
    METRES_PER_STEREO_UNIT,
    NUM_MOTION_NUMBERS,
    POSE_FILES,
    SIZE_AND_RIG,
    decoder_names,
    pose_names,
)
from selfsup_depth.training.stored_network import StoredNetwork, is_pair

# Far beyond any image that these networks are trained on.
MAX_SIDE = 1 << 14


def is_monodepth2(folder: Path) -> bool:
    """Whether this folder is meant to hold weights in this format."""
    return any((folder / name).is_file() for name in DEPTH_FILES)


def read_monodepth2(folder: Path) -> StoredNetwork:
    """Weights and what is known of them; no code in the files is run.

    Where the folder has no metadata.json of ours, depth goes from 0.1 to 100: in metres times 5.4 if
    the files say that stereo pairs took part, of unknown scale otherwise.

    Raises:
        CheckpointError: a file is missing, unreadable, or holds something else.
    """
    encoder, decoder = (read_table(folder / name) for name in DEPTH_FILES)
    size, use_stereo = size_and_rig(encoder, folder / DEPTH_FILES[0])
    weights = of_encoder(encoder, "depth_net.", DEPTH_FILES[0])
    weights |= renamed(decoder, decoder_names(), "depth_net.decoder.", DEPTH_FILES[1])
    scale, depths = scale_and_range(folder / METADATA_FILE, use_stereo)
    depth_net = {"class_path": "DepthNet", "num_layers": num_layers(encoder)}
    model: dict[str, Any] = {"class_path": "ViewSynthesis", "losses": {}, "pose_net": None}
    model["depth_net"] = {**depth_net, "min_depth": depths[0], "max_depth": depths[1]}
    if any((folder / name).is_file() for name in POSE_FILES):
        encoder, decoder = (read_table(folder / name) for name in POSE_FILES)
        weights |= of_encoder(encoder, "pose_net.", POSE_FILES[0])
        weights |= renamed(first_motion_alone(decoder), pose_names(), "pose_net.", POSE_FILES[1])
        weights["pose_net.head.first_translation"] = torch.zeros(3)
        model["pose_net"] = {"class_path": "PoseNet", "num_layers": num_layers(encoder)}
    record = {"config": {"model": model}, "versions": {}, "size": size, "depth_range": depths}
    return StoredNetwork({**record, "scale": {"kind": scale, "unit": "metre"}}, weights, folder)


def read_table(file: Path) -> dict[str, Any]:
    """Named tensors and numbers that torch.save wrote; no code in the file is run.

    Raises:
        CheckpointError: there is no such file, or it holds something else.
    """
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"no such file, in {file}; Monodepth2's folders have one") from None
    except Exception as error:
        reason = first_line(error)[:80]
        raise CheckpointError(f"unreadable weights ({reason}), in {file}; give another folder") from None
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor | int) for name, value in content.items()
    ):
        raise CheckpointError(f"no table of named tensors, in {file}; give a folder in Monodepth2's format")
    return content


def size_and_rig(encoder: Mapping[str, Any], file: Path) -> tuple[list[int], bool]:
    """Height and width of the training images, and whether stereo pairs took part."""
    height, width, use_stereo = (encoder.get(key, 0) for key in SIZE_AND_RIG)
    for side in (height, width):
        if not isinstance(side, int) or not 0 < side <= MAX_SIDE or side % SIZE_MULTIPLE:
            raise CheckpointError(
                f"no usable height and width of the training images, in {file}; Monodepth2 stores them there"
            )
    return [height, width], bool(use_stereo)


def scale_and_range(file: Path, use_stereo: bool) -> tuple[str, list[float]]:
    """Kind of scale and depth range, from our metadata or by Monodepth2's rule."""
    if not file.is_file():
        metres = METRES_PER_STEREO_UNIT if use_stereo else 1.0
        return "metric" if use_stereo else "relative", [metres * depth for depth in DEPTH_RANGE]
    try:
        metadata = json.loads(file.read_text(encoding="utf-8"))
        kind, depths = metadata["scale"], metadata["depth_range"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        kind, depths = "", []
    if (
        kind not in ("metric", "relative")
        or not is_pair(depths, int | float)
        or not 0 < depths[0] < depths[1]
    ):
        raise CheckpointError(f"no usable scale and depth range, in {file}; remove it or export anew")
    return kind, depths


def num_layers(encoder: Mapping[str, Any]) -> int:
    """Which ResNet these tensors belong to; one that fits none is found out when they are loaded."""
    if "encoder.layer1.0.conv3.weight" in encoder:
        return 50
    return 34 if "encoder.layer3.5.conv1.weight" in encoder else 18


def of_encoder(table: Mapping[str, Any], network: str, file: str) -> dict[str, Tensor]:
    """Tensors of a ResNet by our names; what has none keeps its own, so that it is refused."""
    known = [name for name in table if name.startswith(ENCODER)]
    tensors = {name: value for name, value in table.items() if not name.startswith(CLASSIFIER)}
    names = {name.removeprefix(ENCODER): name for name in known}
    return renamed(without_numbers(tensors), names, network + ENCODER, file)


def renamed(table: Mapping[str, Any], names: Mapping[str, str], network: str, file: str) -> dict[str, Tensor]:
    """Tensors by our names; what has none keeps its own, so that it is refused as unexpected."""
    ours = {theirs: network + name for name, theirs in names.items()}
    return {ours.get(name, f"{name} of {file}"): tensor for name, tensor in table.items()}


def without_numbers(table: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is stored beside the tensors."""
    return {name: value for name, value in table.items() if name not in SIZE_AND_RIG}


def first_motion_alone(table: Mapping[str, Any]) -> dict[str, Any]:
    """Without what its last layer says of a second frame, which nothing reads."""
    return {
        name: value[:NUM_MOTION_NUMBERS]
        if name.startswith(LAST_POSE_LAYER) and isinstance(value, Tensor) and value.ndim
        else value
        for name, value in table.items()
    }
