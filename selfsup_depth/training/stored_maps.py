"""Depth maps in files that others wrote: 16-bit PNG, NumPy arrays, and stacks of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from selfsup_depth.data.depth_files import DepthPng
from selfsup_depth.errors import DataError

SUFFIXES = (".npy", ".npz", ".png")

Map = NDArray[np.float32]


class StoredMap(NamedTuple):
    """One map, read when it is needed.

    name: of the frame.
    where: file, and place in it.
    read: gives (H, W); raises DataError.
    """

    name: str
    where: str
    read: Callable[[], Map]


def depth_files(folder: Path) -> list[Path]:
    """Files that can hold depth, in order of their names.

    Raises:
        DataError: there are none.
    """
    found = sorted(file for file in folder.rglob("*") if file.suffix in SUFFIXES) if folder.is_dir() else []
    if not found:
        raise DataError(f"no depth map ({' or '.join(SUFFIXES)}), in {folder}; check the path")
    return found


def read_depth(path: Path) -> Map:
    """Depth in metres, (H, W), of a 16-bit PNG (metres * 256) or of a NumPy file with one array.

    Raises:
        DataError: the file is not that.
    """
    if path.suffix == ".png":
        return DepthPng(path).read()
    loaded = _load(path)
    if isinstance(loaded, np.ndarray):
        return _as_map(loaded, str(path))
    if len(loaded.files) != 1:
        raise DataError(f"{len(loaded.files)} arrays, in {path}; in a folder each file holds one map")
    return _member(loaded, loaded.files[0], path)


def stacked_maps(path: Path) -> list[StoredMap]:
    """The maps of a .npy file of (N, H, W), or of a .npz file with an array for each.

    Raises:
        DataError: the file is neither.
    """
    loaded = _load(path)
    if isinstance(loaded, np.ndarray):
        if loaded.ndim != 3:
            raise DataError(f"not a stack (N, H, W) but {loaded.shape}, in {path}; give a folder of maps")
        maps = [partial(_as_map, loaded[index], f"{path}[{index}]") for index in range(len(loaded))]
        return [StoredMap(f"{index:06d}", f"{path}[{index}]", read) for index, read in enumerate(maps)]
    return [StoredMap(name, f"{path}[{name}]", partial(_member, loaded, name, path)) for name in loaded.files]


def _member(archive: np.lib.npyio.NpzFile, name: str, path: Path) -> Map:
    try:
        return _as_map(archive[name], f"{path}[{name}]")
    # A damaged archive fails in many ways (zlib.error, BadZipFile, EOFError, ...).
    except Exception as error:
        raise DataError(
            f"{name} holds Python objects or is damaged, in {path}; it is not opened, since objects can run "
            "code: store each map as an array of its own, np.savez(FILE, *maps), where the file was made"
        ) from error


def _load(path: Path) -> NDArray[np.generic] | np.lib.npyio.NpzFile:
    try:
        loaded = np.load(path, allow_pickle=False, mmap_mode="r")
    # A damaged header fails in many ways (TokenError, MemoryError, EOFError, ...).
    except Exception as error:
        raise DataError(f"not a NumPy file of plain numbers, in {path}; restore it") from error
    assert isinstance(loaded, np.ndarray | np.lib.npyio.NpzFile)
    return loaded


def _as_map(values: object, where: str) -> Map:
    if not (isinstance(values, np.ndarray) and values.ndim == 2 and np.issubdtype(values.dtype, np.floating)):
        shape = f"{values.dtype} {values.shape}" if isinstance(values, np.ndarray) else "several arrays"
        raise DataError(f"not a depth map (H, W) of floats but {shape}, in {where}; store metres as float32")
    # A copy: what is mapped from a file cannot be written to.
    return np.array(values, dtype=np.float32)
