"""torch.export's .pt2: a graph that runs with torch alone, without this package."""

from __future__ import annotations

import io

import torch
from torch import Tensor

from selfsup_depth.export.graph import Depths, Graph, compare, without_places
from selfsup_depth.export.metadata import Metadata

METADATA_FILE = "metadata.json"


def program_bytes(graph: Graph, metadata: Metadata) -> tuple[bytes, float]:
    """A .pt2 file with metadata.json inside, and how far the graph in it is from eager mode.

    Raises:
        NumericError: the difference is too large.
    """
    file = io.BytesIO()
    extra = {METADATA_FILE: metadata.as_json()}
    torch.export.save(without_places(graph.program), file, extra_files=extra)
    content = file.getvalue()
    return content, compare(lambda images: run_program(content, images), graph, ".pt2")


@torch.inference_mode()
def run_program(content: bytes, images: Tensor) -> Depths:
    """What the graph says once it has been read back."""
    depth, inverse_depth = torch.export.load(io.BytesIO(content)).module()(images)
    return depth, inverse_depth
