"""ONNX (onnx.ai): one file for onnxruntime, TensorRT, OpenVINO and others."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from selfsup_depth.errors import ConfigError, first_line
from selfsup_depth.export.graph import INPUT, OUTPUTS, Depths, Graph, compare
from selfsup_depth.export.metadata import Metadata
from selfsup_depth.requirements import missing_package

# The exporter's own set of operations, which needs no conversion; 18 at least.
OPSET = 20
BATCH = "batch"
PACKAGES = ("onnx", "onnxruntime", "onnxscript")


def onnx_bytes(graph: Graph, metadata: Metadata) -> tuple[bytes, float]:
    """An ONNX file with its weights inside, and how far onnxruntime is from eager mode with it.

    Raises:
        ConfigError: a package is missing, or an operation has no counterpart in ONNX.
        NumericError: the difference is too large.
    """
    content = translated(graph, metadata)
    return content, compare(lambda images: run_onnx(content, images), graph, "ONNX")


def translated(graph: Graph, metadata: Metadata) -> bytes:
    """The graph in ONNX, with metadata."""
    require_packages()
    import onnx

    try:
        with hushed():
            program = torch.onnx.export(
                graph.program,
                dynamo=True,
                input_names=[INPUT],
                output_names=list(OUTPUTS),
                opset_version=OPSET,
                verbose=False,
            )
    except Exception as error:
        reason = first_line(error)[:100]
        raise ConfigError(f"no ONNX for this network ({reason}); --format pt2 may do") from error
    assert program is not None
    model = program.model_proto
    without_places(model.graph)
    name_batch([*model.graph.input, *model.graph.output])
    model.doc_string = "depth and inverse depth of RGB images in [0, 1]"
    onnx.helper.set_model_props(model, metadata.as_text())
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def without_places(graph: Any) -> None:
    """Drop where each operation was traced from: paths of this machine, and most of the text."""
    del graph.value_info[:]
    for part in (*graph.node, *graph.input, *graph.output):
        del part.metadata_props[:]


def name_batch(values: Sequence[Any]) -> None:
    """Call the one dimension that is free by its name."""
    for value in values:
        value.type.tensor_type.shape.dim[0].dim_param = BATCH


def run_onnx(content: bytes, images: Tensor) -> Depths:
    """What onnxruntime says. From memory: there is no folder that a path inside could lead out of."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    depth, inverse_depth = session.run(list(OUTPUTS), {INPUT: images.numpy()})
    return torch.from_numpy(depth), torch.from_numpy(inverse_depth)


def require_packages() -> None:
    """Refuse to begin without what is needed.

    Raises:
        ConfigError: a package is missing.
    """
    for name in PACKAGES:
        try:
            __import__(name)
        except ImportError:
            raise missing_package(name, PACKAGES) from None


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Keep the exporter's notices of packages that are not installed to itself."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
