"""Depth maps that somebody stored, beside the measured ones of the same names."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from selfsup_depth.data.depth_files import DepthPng
from selfsup_depth.errors import DataError, NumericError
from selfsup_depth.evaluation.depth_evaluation import DepthEvaluation
from selfsup_depth.evaluation.protocols import Protocol

SUFFIXES = (".npy", ".png")
PICTURES = "*_inverse_depth.png"

# How `predict` and others call the prediction for NAME; the first that exists is read.
PREDICTION_NAMES = ("{}.npy", "{}.png", "{}_relative.npy", "{}_depth.png", "{}_relative_depth.png")


class StoredPair(NamedTuple):
    """A prediction and the measurement of the same image, and its name."""

    name: str
    prediction: Path
    measured: Path

    def read(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Predicted inverse depth, 1/m, and measured depth, metres; both (H, W).

        A predicted depth that is zero, negative or no number becomes an inverse depth of -1,
        which an evaluation refuses at a pixel that counts and does not see elsewhere.

        Raises:
            DataError: a file cannot be read, or their sizes differ.
        """
        predicted, measured = read_depth(self.prediction), read_depth(self.measured)
        if predicted.shape != measured.shape:
            sizes = " against ".join(f"{depth.shape[1]}x{depth.shape[0]}" for depth in (predicted, measured))
            raise DataError(
                f"prediction and measured depth differ in size ({sizes}), in {self.prediction}; "
                "resize the prediction's inverse depth"
            )
        usable = np.isfinite(predicted) & (predicted > 0)
        inverse_depth = np.full_like(predicted, -1)
        return np.divide(1, predicted, out=inverse_depth, where=usable), measured


def evaluate_stored(predictions: Path, measured: Path, protocol: Protocol) -> DepthEvaluation:
    """Errors of the depth maps in one folder against those in another.

    Raises:
        DataError: a file is missing, unreadable or of the wrong size, or a prediction is no
            positive number where it counts.
    """
    evaluation = DepthEvaluation(protocol)
    for pair in tqdm(match_files(predictions, measured), desc="evaluating", unit="image"):
        inverse_depth, depth = (torch.from_numpy(values)[None, None] for values in pair.read())
        try:
            evaluation.update(inverse_depth, depth, [pair.name])
        except NumericError as error:
            raise DataError(
                f"predicted depth is not positive at a measured pixel, in {pair.prediction}; predict it again"
            ) from error
    return evaluation


def match_files(predictions: Path, measured: Path) -> list[StoredPair]:
    """Pair the files of two folders by their names; subfolders count as part of a name.

    For a measured NAME.png or NAME.npy the prediction is NAME.npy, NAME.png or NAME_depth.png.

    Raises:
        DataError: a folder is missing or empty, or a file has no partner.
    """
    unused = set(depth_files(predictions)) - set(predictions.rglob(PICTURES))
    pairs = []
    for file in depth_files(measured):
        name = file.relative_to(measured).with_suffix("")
        candidates = [predictions / name.with_name(form.format(name.name)) for form in PREDICTION_NAMES]
        present = [candidate for candidate in candidates if candidate in unused]
        if not present:
            raise DataError(
                f"no prediction for {name}, in {predictions}; predict it or remove the measured {file.name}"
            )
        unused -= set(present)
        pairs.append(StoredPair(str(name), present[0], file))
    if unused:
        extra = min(unused)
        raise DataError(
            f"no measured depth for {extra.name}, in {measured}; remove the prediction or its folder's others"
        )
    return pairs


def depth_files(folder: Path) -> list[Path]:
    """Files that can hold depth, in order of their names.

    Raises:
        DataError: there are none.
    """
    found = sorted(file for file in folder.rglob("*") if file.suffix in SUFFIXES) if folder.is_dir() else []
    if not found:
        raise DataError(f"no depth map ({' or '.join(SUFFIXES)}), in {folder}; check the path")
    return found


def read_depth(path: Path) -> NDArray[np.float32]:
    """Depth in metres, (H, W), of a 16-bit PNG (metres * 256) or of a NumPy file.

    Raises:
        DataError: the file is not that.
    """
    if path.suffix == ".png":
        return DepthPng(path).read()
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"not a NumPy file of plain numbers, in {path}; restore it") from error
    if not (isinstance(values, np.ndarray) and values.ndim == 2 and np.issubdtype(values.dtype, np.floating)):
        shape = f"{values.dtype} {values.shape}" if isinstance(values, np.ndarray) else "several arrays"
        raise DataError(f"not a depth map (H, W) of floats but {shape}, in {path}; store metres as float32")
    return values.astype(np.float32)
