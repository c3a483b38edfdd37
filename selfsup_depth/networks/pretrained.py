"""ImageNet weights from a file in torchvision's format; nothing is downloaded."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from torch import Tensor, nn

from selfsup_depth.errors import CheckpointError

logger = logging.getLogger(__name__)


def load_imagenet_weights(encoder: nn.Module, path: Path, num_images: int = 1) -> None:
    """Fill a ResNet encoder from a torchvision file, completely or not at all.

    The first convolution's weights are repeated for each stacked image and divided by their
    number, so that equal images give the response of one; coordinate channels start at zero. The
    classifier (`fc`) has no counterpart here. The number of batches that a running mean was taken
    over is optional: older files lack it.

    Args:
        encoder: with torchvision's tensor names.
        path: a file such as resnet18-f37072fd.pth.
        num_images: how many images are stacked in the encoder's input.

    Raises:
        CheckpointError: the file cannot be read, or a tensor is missing, unknown or of another shape.
    """
    expected = encoder.state_dict()
    found = {name: tensor for name, tensor in read_tensors(path).items() if not name.startswith("fc.")}
    if "conv1.weight" in found:
        found["conv1.weight"] = widened(found["conv1.weight"], expected["conv1.weight"].shape[1], num_images)

    for name, tensor in expected.items():
        if name.endswith("num_batches_tracked"):
            found.setdefault(name, tensor)
    misfit = [name for name in expected | found if shape_of(name, found) != shape_of(name, expected)]
    if misfit:
        fitting = sum(name not in misfit for name in expected)
        raise CheckpointError(
            f"{fitting} of {len(expected)} tensors fit, {misfit[0]} is {shape_of(misfit[0], found)} instead "
            f"of {shape_of(misfit[0], expected)}, in {path}; use its num_layers, width 1 and norm batch"
        )
    encoder.load_state_dict(found)
    logger.info("encoder: %d of %d tensors from %s", len(expected), len(expected), path)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The named tensors of a file that torch.save wrote; no code in it is run."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"no such file of weights, in {path}; download it from torchvision") from error
    # A damaged archive fails in many ways (RuntimeError, UnpicklingError, KeyError, ...).
    except Exception as error:
        raise CheckpointError(f"not a file of weights, in {path}; download it again") from error
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise CheckpointError(f"no table of named tensors, in {path}; use a torchvision resnet*.pth file")
    return content


def widened(weight: Tensor, in_channels: int, num_images: int) -> Tensor:
    """A first convolution (out, 3, 7, 7) for several stacked images: (out, in_channels, 7, 7)."""
    stacked = weight.repeat(1, num_images, 1, 1) / num_images
    missing = in_channels - stacked.shape[1]
    if missing <= 0:
        return stacked
    return torch.cat([stacked, stacked.new_zeros(len(stacked), missing, *stacked.shape[2:])], dim=1)


def shape_of(name: str, tensors: dict[str, Tensor]) -> str:
    """The shape of a named tensor in words a person can compare."""
    return str(tuple(tensors[name].shape)) if name in tensors else "absent"
