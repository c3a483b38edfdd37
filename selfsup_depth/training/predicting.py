"""Many pictures predicted in batches; a bad one is named and passed over."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from selfsup_depth.errors import DataError
from selfsup_depth.training.predicted_depth import Prediction
from selfsup_depth.training.prediction import Predictor
from selfsup_depth.training.prediction_files import write_prediction
from selfsup_depth.training.prediction_names import Wanted

CameraOf = Callable[[tuple[int, int]], NDArray[np.float64]]


class Picture(NamedTuple):
    """One picture to predict.

    name: for messages.
    read: decodes it, RGB; raises DataError.
    stem: path of its results without the ends of their names.
    number: of the frame, where it is one of a sequence.
    seconds: when it was taken, where it is one of a sequence.
    """

    name: str
    read: Callable[[], Image.Image]
    stem: Path
    number: int = 0
    seconds: float = 0.0


class Job(NamedTuple):
    """How pictures are predicted.

    predictor: the network.
    wanted: which files are written.
    batch_size: pictures that are computed together.
    cameras: the intrinsics of images of a height and width; none where they are not needed.
    poses: write the camera's path, too.
    """

    predictor: Predictor
    wanted: Wanted
    batch_size: int
    cameras: Sequence[CameraOf] = ()
    poses: bool = False


class Taken(NamedTuple):
    """A picture that could be read.

    K: (3, 3) in its pixels; None where it is not needed.
    """

    picture: Picture
    image: Image.Image
    K: NDArray[np.float64] | None


# Does something with a batch of pictures and what is predicted of them.
Taker = Callable[[Sequence[Taken], Sequence[Prediction]], None]


def writer(job: Job, white: float | None = None) -> Taker:
    """Writes what is wanted of each picture.

    Args:
        job: says what that is.
        white: see `picture_of_inverse_depth`.
    """

    facts = job.predictor.facts

    def write(batch: Sequence[Taken], predictions: Sequence[Prediction]) -> None:
        for taken, prediction in zip(batch, predictions, strict=True):
            write_prediction(prediction, taken.image, taken.picture.stem, facts, job.wanted, white)

    return write


def predict_all(job: Job, pictures: Sequence[Picture], name: str, takers: Sequence[Taker]) -> int:
    """Predict batch by batch under a progress bar; whoever takes the results does so in order.

    Args:
        job: how.
        pictures: what.
        name: is shown beside the bar.
        takers: write files, follow the camera, ...

    Returns:
        How many pictures could not be used.

    Raises:
        StorageError: a result cannot be written.
    """
    num_bad = 0
    with tqdm(total=len(pictures), desc=name, unit="frame") as bar:
        for start in range(0, len(pictures), job.batch_size):
            batch = pictures[start : start + job.batch_size]
            usable = [taken for picture in batch for taken in _readable(picture, job.cameras)]
            if usable:
                images = [taken.image for taken in usable]
                predictions = job.predictor.predict_each(images, [taken.K for taken in usable])
                for take in takers:
                    take(usable, predictions)
            num_bad += len(batch) - len(usable)
            bar.update(len(batch))
    return num_bad


def _readable(picture: Picture, cameras: Sequence[CameraOf]) -> list[Taken]:
    """The picture with its camera; nothing, and a line, where it cannot be used."""
    try:
        image = picture.read()
    except DataError as error:
        tqdm.write(f"not predicted: {error}", file=sys.stderr)
        return []
    try:
        K = cameras[0]((image.height, image.width)) if cameras else None
    except DataError as error:
        tqdm.write(f"not predicted: {picture.name}: {error}", file=sys.stderr)
        return []
    return [Taken(picture, image, K)]
