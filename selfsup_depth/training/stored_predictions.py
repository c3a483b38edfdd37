"""Depth maps that somebody stored, beside the measured ones of the same frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from selfsup_depth.data.camera_files import StatedCamera
from selfsup_depth.data.moving_masks import MovingMask
from selfsup_depth.errors import DataError, NumericError
from selfsup_depth.evaluation.depth_evaluation import DepthEvaluation
from selfsup_depth.evaluation.exhibits import ImageContext
from selfsup_depth.evaluation.protocols import Protocol
from selfsup_depth.training.stored_maps import Map, StoredMap, depth_files, read_depth, stacked_maps

PICTURES = "*_inverse_depth.png"

# How `predict` and others call the prediction for NAME; the first that exists is read.
PREDICTION_NAMES = ("{}.npy", "{}.npz", "{}.png", "{}_relative.npy", "{}_depth.png", "{}_relative_depth.png")

OnMissing = Literal["error", "skip"]


class Beside(NamedTuple):
    """What is known besides predictions and measurements.

    cameras: one, of the measured maps; empty where unknown.
    moving: one folder of masks NAME.png of what moves; empty where there is none.
    """

    cameras: Sequence[StatedCamera] = ()
    moving: Sequence[Path] = ()

    def context(self, name: str, size: tuple[int, int]) -> ImageContext:
        """What is known of one image.

        Raises:
            DataError: the mask cannot be read or the camera is of other images.
        """
        K = [torch.from_numpy(camera.for_images(size)) for camera in self.cameras]
        masks = [MovingMask(folder / f"{name}.png").read(size) for folder in self.moving]
        return ImageContext(K=K, moving=[torch.from_numpy(mask) for mask in masks])


class StoredPair(NamedTuple):
    """A prediction and the measurement of the same frame.

    holds: what the prediction's numbers are; a stack holds inverse depth at any size.
    """

    name: str
    prediction: StoredMap
    measured: StoredMap
    holds: Literal["depth", "inverse_depth"]

    def read(self) -> tuple[Map, Map]:
        """Predicted inverse depth, 1/m, and measured depth, metres; both (H, W).

        What is zero, negative or no number becomes an inverse depth of -1, which an evaluation
        refuses at a pixel that counts and does not see elsewhere.

        Raises:
            DataError: a file cannot be read, or their sizes differ.
        """
        predicted, measured = self.prediction.read(), self.measured.read()
        usable = np.isfinite(predicted) & (predicted > 0)
        if self.holds == "inverse_depth":
            return np.where(usable, predicted, np.float32(-1)), measured
        if predicted.shape != measured.shape:
            sizes = " against ".join(f"{depth.shape[1]}x{depth.shape[0]}" for depth in (predicted, measured))
            raise DataError(
                f"prediction and measured depth differ in size ({sizes}), in {self.prediction.where}; "
                "resize the prediction's inverse depth"
            )
        inverse_depth = np.full_like(predicted, -1)
        return np.divide(1, predicted, out=inverse_depth, where=usable), measured


def evaluate_stored(
    predictions: Path,
    measured: Path,
    protocol: Protocol,
    on_missing: OnMissing = "error",
    num_exhibits: int = 0,
    beside: Beside = Beside(),  # noqa: B008 (it is never changed)
) -> tuple[DepthEvaluation, list[str]]:
    """Errors of stored depth maps.

    Args:
        predictions: folder of depth maps, or a .npy stack of inverse depth.
        measured: folder of depth maps, or a .npy or .npz file of them.
        protocol: how they are compared.
        on_missing: what to do with a frame that has no usable prediction.
        num_exhibits: how many of the best images, and of the worst, are kept to be drawn.
        beside: with a camera, points, edges and normals are compared, too.

    Returns:
        The errors, and why each frame was left out that was.

    Raises:
        DataError: a prediction is missing, unreadable, of the wrong size or no positive number
            where it counts, and frames are not to be left out; or measured depth is unreadable.
    """
    evaluation = DepthEvaluation(protocol, num_exhibits=num_exhibits, geometry=bool(beside.cameras))
    left_out: list[str] = []
    pairs = list(match(predictions, measured))
    for pair in tqdm(pairs, desc="evaluating", unit="image"):
        try:
            if isinstance(pair, DataError):
                raise pair
            evaluate_pair(evaluation, pair, beside)
        except DataError as error:
            if on_missing == "error":
                raise
            left_out.append(str(error))
    return evaluation, left_out


def evaluate_pair(evaluation: DepthEvaluation, pair: StoredPair, beside: Beside) -> None:
    """Add one pair; raises DataError where the prediction is no positive number."""
    inverse_depth, depth = (torch.from_numpy(values)[None, None] for values in pair.read())
    context = beside.context(pair.name, (depth.shape[-2], depth.shape[-1]))
    try:
        evaluation.update(inverse_depth, depth, [pair.name], contexts=[context])
    except NumericError as error:
        raise DataError(
            f"predicted depth is not positive at a measured pixel, in {pair.prediction.where}; "
            "predict it again"
        ) from error


def match(predictions: Path, measured: Path) -> Iterator[StoredPair | DataError]:
    """Pair predictions with measurements, by name in folders, by order where one is a stack.

    Yields:
        The pairs, and for a measurement without prediction why there is none.

    Raises:
        DataError: a place is missing or empty, a prediction has no measurement, or the two differ
            in number.
    """
    if predictions.is_dir() and measured.is_dir():
        yield from match_by_name(predictions, measured)
        return
    predicted, truth = maps_in(predictions), maps_in(measured)
    if len(predicted) != len(truth):
        raise DataError(
            f"{len(predicted)} predictions for {len(truth)} measured maps, in {predictions}; "
            "give both for the same frames in the same order"
        )
    holds: Literal["depth", "inverse_depth"] = "depth" if predictions.is_dir() else "inverse_depth"
    for prediction, depth in zip(predicted, truth, strict=True):
        yield StoredPair(depth.name, prediction, depth, holds)


def maps_in(place: Path) -> list[StoredMap]:
    """The maps of a folder in order of their names, or of a stack."""
    if place.is_file():
        return stacked_maps(place)
    return [stored(str(file.relative_to(place).with_suffix("")), file) for file in depth_files(place)]


def stored(name: str, file: Path) -> StoredMap:
    """A map in a file of its own."""
    return StoredMap(name, str(file), lambda: read_depth(file))


def match_by_name(predictions: Path, measured: Path) -> Iterator[StoredPair | DataError]:
    """Pair the files of two folders by their names; subfolders count as part of a name."""
    unused = set(depth_files(predictions)) - set(predictions.rglob(PICTURES))
    found: list[StoredPair | DataError] = []
    for file in depth_files(measured):
        name = file.relative_to(measured).with_suffix("")
        candidates = [predictions / name.with_name(form.format(name.name)) for form in PREDICTION_NAMES]
        present = [candidate for candidate in candidates if candidate in unused]
        if present:
            unused -= set(present)
            pair = StoredPair(str(name), stored(str(name), present[0]), stored(str(name), file), "depth")
            found.append(pair)
        else:
            found.append(
                DataError(
                    f"no prediction for {name}, in {predictions}; predict it, remove the measured "
                    f"{file.name} or use --on-missing skip"
                )
            )
    if unused:
        extra = min(unused)
        raise DataError(
            f"no measured depth for {extra.name}, in {measured}; remove the prediction or its folder's others"
        )
    yield from found
