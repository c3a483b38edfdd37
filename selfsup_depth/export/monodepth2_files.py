"""A network as Monodepth2's checkpoint folder, under the names that the community's tools read."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from selfsup_depth.errors import ConfigError
from selfsup_depth.export.metadata import Metadata
from selfsup_depth.networks.depth import DECODER_CHANNELS, DepthDecoder, DepthNet
from selfsup_depth.networks.encoder import ResNetEncoder
from selfsup_depth.networks.pose import DECODER_CHANNELS as POSE_CHANNELS
from selfsup_depth.networks.pose import PoseNet
from selfsup_depth.training.checkpoint import LoadedCheckpoint
from selfsup_depth.training.monodepth2_names import (
    CLASSIFIER,
    DEPTH_FILES,
    ENCODER,
    LAST_POSE_LAYER,
    METADATA_FILE,
    OUTPUT_SCALE,
    POSE_FILES,
    decoder_names,
    pose_names,
)
from selfsup_depth.training.rescaling import Rescaling, recorded_rescaling

NUM_IMAGENET_CLASSES = 1000
ENCODER_CHANNELS = 64

FIX = "export it as safetensors, onnx or pt2"


def monodepth2_files(loaded: LoadedCheckpoint, metadata: Metadata) -> dict[str, bytes]:
    """Contents of the folder's files by name; those of a pose network where there is one.

    Raises:
        ConfigError: the format cannot hold these networks; says why.
    """
    if recorded_rescaling(loaded.record, loaded.path) != Rescaling():
        raise ConfigError(f"Monodepth2's format holds no scale found after training, in {loaded.path}; {FIX}")
    depth_net, pose_net = loaded.module.depth_net, getattr(loaded.module, "pose_net", None)
    for reason in reasons_against_depth(depth_net):
        raise ConfigError(f"Monodepth2's format holds no depth network {reason}, in {loaded.path}; {FIX}")
    assert isinstance(depth_net, DepthNet)
    use_stereo = bool((loaded.record["config"].get("data") or {}).get("stereo", metadata.scale == "metric"))
    about = {"height": metadata.height, "width": metadata.width, "use_stereo": use_stereo}
    files: dict[str, dict[str, Any]] = {
        DEPTH_FILES[0]: {**about, **encoder_table(depth_net.encoder)},
        DEPTH_FILES[1]: table(depth_net.decoder, decoder_names()),
    }
    if pose_net is not None:
        for reason in reasons_against_pose(pose_net):
            raise ConfigError(f"Monodepth2's format holds no pose network {reason}, in {loaded.path}; {FIX}")
        files[POSE_FILES[0]] = encoder_table(pose_net.encoder)
        files[POSE_FILES[1]] = pose_table(pose_net)
    contents = {name: saved(content) for name, content in files.items()}
    return {**contents, METADATA_FILE: metadata.as_json().encode()}


def reasons_against_depth(network: nn.Module) -> Iterator[str]:
    """What of a depth network has no place in the format."""
    if type(network) is not DepthNet:
        yield f"of the kind {type(network).__name__}"
        return
    if network.num_outputs != 1:
        yield f"with {network.num_outputs} outputs"
    yield from reasons_against_encoder(network.encoder)
    usual = DepthDecoder(network.encoder.num_channels, 1.0, 1)
    if shapes(network.decoder) != shapes(usual):
        yield f"whose decoder has not {DECODER_CHANNELS} channels (decoder_width or width is not 1)"


def reasons_against_pose(network: nn.Module) -> Iterator[str]:
    """What of a pose network has no place in the format."""
    if type(network) is not PoseNet:
        yield f"of the kind {type(network).__name__}"
        return
    if network.learned_intrinsics:
        yield "that says the camera's intrinsics (learned_intrinsics)"
    yield from reasons_against_encoder(network.encoder)
    if network.head.in_channels != POSE_CHANNELS:
        yield f"whose decoder has not {POSE_CHANNELS} channels (width is not 1)"


def reasons_against_encoder(encoder: nn.Module) -> Iterator[str]:
    """What of an encoder has no place in the format."""
    if type(encoder) is not ResNetEncoder:
        yield f"with the encoder {type(encoder).__name__}"
        return
    if encoder.coordinates:
        yield "that sees each pixel's place (coordinates)"
    if encoder.num_channels[0] != ENCODER_CHANNELS:
        yield f"whose encoder begins with {encoder.num_channels[0]} channels (width is not 1)"
    if not isinstance(encoder.bn1, nn.BatchNorm2d):
        yield f"with {type(encoder.bn1).__name__} (norm is not batch)"


def shapes(network: nn.Module) -> dict[str, torch.Size]:
    """Shape of each tensor by name."""
    return {name: tensor.shape for name, tensor in network.state_dict().items()}


def encoder_table(encoder: nn.Module) -> dict[str, Tensor]:
    """A ResNet with an unused classifier, without which the tools do not load it."""
    tensors = {ENCODER + name: tensor for name, tensor in encoder.state_dict().items()}
    assert isinstance(encoder, ResNetEncoder)
    weight = torch.zeros(NUM_IMAGENET_CLASSES, encoder.num_channels[-1])
    return {**tensors, f"{CLASSIFIER}weight": weight, f"{CLASSIFIER}bias": torch.zeros(len(weight))}


def table(network: nn.Module, names: dict[str, str]) -> dict[str, Tensor]:
    """Tensors of a network by their names in the format."""
    tensors = network.state_dict()
    return {theirs: tensors[ours] for ours, theirs in names.items()}


def pose_table(network: PoseNet) -> dict[str, Tensor]:
    """The pose decoder; first motion and output scale become part of its last layer.

    That layer has a second frame's six numbers, too, which nothing reads: zeros.
    """
    tensors = table(network, pose_names())
    scale = network.head.output_scale / OUTPUT_SCALE
    motion = torch.cat([torch.zeros(3), network.head.first_translation.cpu()]) / OUTPUT_SCALE
    weight, bias = (LAST_POSE_LAYER + name for name in ("weight", "bias"))
    first = {weight: tensors[weight] * scale, bias: tensors[bias] * scale + motion}
    return tensors | {name: torch.cat([tensor, torch.zeros_like(tensor)]) for name, tensor in first.items()}


def saved(content: dict[str, Any]) -> bytes:
    """A file as torch.save writes it; each tensor by itself, not with the memory around it."""
    file = io.BytesIO()
    alone = {name: v.clone() if isinstance(v, Tensor) else v for name, v in content.items()}
    torch.save(alone, file)
    return file.getvalue()
