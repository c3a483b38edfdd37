"""A trained network in another format: what is written, and that it is whole or not there."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from selfsup_depth.errors import StorageError
from selfsup_depth.export.graph import TOLERANCE, trace
from selfsup_depth.export.metadata import Metadata
from selfsup_depth.export.monodepth2_files import monodepth2_files
from selfsup_depth.export.onnx_file import onnx_bytes, require_packages
from selfsup_depth.export.safetensors_files import safetensors_files
from selfsup_depth.export.torch_program import program_bytes
from selfsup_depth.training.checkpoint import LoadedCheckpoint
from selfsup_depth.training.storage import part_of, write_bytes


class Exported(NamedTuple):
    """What an export consists of, before it is written.

    files: contents by name; a single file has an empty name.
    notes: lines for whoever asked for it.
    """

    files: dict[str, bytes]
    notes: list[str]


Exporter = Callable[[LoadedCheckpoint, Metadata], Exported]


def as_onnx(loaded: LoadedCheckpoint, metadata: Metadata) -> Exported:
    """One graph for onnxruntime and others."""
    require_packages()
    content, difference = onnx_bytes(trace(loaded), metadata)
    return Exported({"": content}, [difference_line(difference)])


def as_program(loaded: LoadedCheckpoint, metadata: Metadata) -> Exported:
    """One graph for torch alone."""
    content, difference = program_bytes(trace(loaded), metadata)
    return Exported({"": content}, [difference_line(difference)])


def as_safetensors(loaded: LoadedCheckpoint, metadata: Metadata) -> Exported:
    """A folder in the layout of the Hugging Face hub."""
    return Exported(safetensors_files(loaded, metadata), [num_tensors_line(loaded)])


def as_monodepth2(loaded: LoadedCheckpoint, metadata: Metadata) -> Exported:
    """A folder under the names of Monodepth2's tools."""
    nearest, farthest = metadata.depth_range
    range_line = (
        f"tools that read it must be told: depth from {nearest:g} to {farthest:g}, {metadata.scale} scale"
        + ", in metres as it is, not to be multiplied by 5.4" * (metadata.scale == "metric")
    )
    return Exported(monodepth2_files(loaded, metadata), [num_tensors_line(loaded), range_line])


# By the name that --format takes.
FILE_FORMATS: dict[str, Exporter] = {"onnx": as_onnx, "pt2": as_program}
FOLDER_FORMATS: dict[str, Exporter] = {"safetensors": as_safetensors, "monodepth2": as_monodepth2}
FORMATS = {**FILE_FORMATS, **FOLDER_FORMATS}


def difference_line(difference: float) -> str:
    """How far the file is from the network, in words."""
    return f"largest relative difference to eager mode: {difference:.1e} (at most {TOLERANCE:.0e})"


def num_tensors_line(loaded: LoadedCheckpoint) -> str:
    """How much of the network is in the export: all of it."""
    return f"{len(loaded.module.state_dict())} tensors written"


def check_output(output: Path, name: str) -> None:
    """Refuse, before any work, a place where the export cannot be written.

    Raises:
        StorageError: a folder is in the way of a file, or anything in that of a folder.
    """
    if name in FILE_FORMATS and output.is_dir():
        raise StorageError(f"{name} is one file, and a folder has that name, in {output}; name a file")
    if name in FOLDER_FORMATS and output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise StorageError(f"{name} is a folder, and this is not an empty one, in {output}; name a new one")


def write_export(exported: Exported, output: Path) -> None:
    """Write a file or a folder, whole or not at all.

    Raises:
        StorageError: it cannot be written.
    """
    if set(exported.files) == {""}:
        write_bytes(output, exported.files[""])
        return
    part = part_of(output)
    try:
        shutil.rmtree(part, ignore_errors=True)
        for name, content in exported.files.items():
            write_bytes(part / name, content)
        os.replace(part, output)
    except OSError as error:
        raise StorageError(f"cannot write ({error.strerror}), in {output}; choose another --output") from None
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(part)
