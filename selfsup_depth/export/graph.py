"""From a trained network to one graph of tensor operations, compared with the network itself."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from selfsup_depth.errors import ConfigError, NumericError, first_line
from selfsup_depth.networks.inference import InferenceNetwork
from selfsup_depth.training.checkpoint import LoadedCheckpoint

# Largest relative difference of an exported graph's depth to the network's own.
TOLERANCE = 1e-3

# Traced with one number of images and compared with another, so that a frozen number is found.
TRACED_BATCH, COMPARED_BATCH = 2, 3

INPUT = "image"
OUTPUTS = ("depth", "inverse_depth")

Depths = tuple[Tensor, Tensor]


class Graph(NamedTuple):
    """A traced network.

    program: image (N, 3, H, W) to depth and inverse depth, for any N.
    images: (N, 3, H, W) examples that the network has been asked about.
    expected: what the network says of them in eager mode, without anything folded or left out.
    """

    program: ExportedProgram
    images: Tensor
    expected: Depths


def trace(loaded: LoadedCheckpoint) -> Graph:
    """Trace a network for images of its training size.

    Raises:
        ConfigError: a module cannot be traced; it is named.
    """
    generator = torch.Generator().manual_seed(0)
    shape = (3, *loaded.record["size"])
    network = InferenceNetwork(loaded.module.depth_net)
    images = torch.rand(COMPARED_BATCH, *shape, generator=generator)
    with torch.inference_mode():
        inverse_depth = loaded.module.predict_inverse_depth(images)
    try:
        batch = Dim("batch", min=1)
        traced = (torch.rand(TRACED_BATCH, *shape, generator=generator),)
        program = torch.export.export(network, traced, dynamic_shapes={INPUT: {0: batch}})
    except Exception as error:
        raise cannot_trace(error, network, loaded) from error
    return Graph(program, images, (inverse_depth.reciprocal(), inverse_depth))


def cannot_trace(error: Exception, network: nn.Module, loaded: LoadedCheckpoint) -> ConfigError:
    """The refusal, naming the module at whose code the tracing ended."""
    name, place = blamed(error, network)
    return ConfigError(
        f"{name} cannot be exported ({first_line(error)[:100]}){place}, in {loaded.path}; its forward must "
        "be tensor operations alone, without numpy, .item() or branches on values. --format safetensors "
        "exports it as it is"
    )


def blamed(error: BaseException, network: nn.Module) -> tuple[str, str]:
    """Name and line of the innermost module of the network in whose forward an exception arose."""
    inside = {id(module) for module in network.modules()}
    found = type(network.depth_net).__name__, ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = frame.f_locals.get("self")
        known = isinstance(module, nn.Module) and id(module) in inside
        if known and not type(module).__module__.startswith(("torch.", "selfsup_depth.networks.inference")):
            found = type(module).__name__, f" at {frame.f_code.co_filename}:{line}"
    return found


def without_places(program: ExportedProgram) -> ExportedProgram:
    """The program without the paths of the files it was traced from."""
    # Parts that run in full precision under autocast are graphs of their own.
    for part in program.graph_module.modules():
        for node in part.graph.nodes if isinstance(part, torch.fx.GraphModule) else ():
            node.meta.pop("stack_trace", None)
    return program


def compare(answer: Callable[[Tensor], Depths], graph: Graph, name: str) -> float:
    """Largest relative difference between an exported graph and the network, which must be small.

    Raises:
        NumericError: it is not; the file must not be written.
    """
    found = answer(graph.images)
    pairs = zip(found, graph.expected, strict=True)
    difference = max(float((a - b).abs().div(b.abs()).max()) for a, b in pairs)
    if not difference <= TOLERANCE:
        raise NumericError(
            f"{name} differs from the network by {difference:.1e}, more than {TOLERANCE:.0e}, so that no "
            "file is written; export another format"
        )
    return difference
