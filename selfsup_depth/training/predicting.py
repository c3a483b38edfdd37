"""Many pictures, or the frames of a video, predicted in batches; a bad one is named and passed over."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from selfsup_depth.data.video_file import video_index
from selfsup_depth.data.video_index import VideoIndex
from selfsup_depth.data.video_reader import VideoFrame
from selfsup_depth.data.video_writer import VideoWriter
from selfsup_depth.errors import DataError
from selfsup_depth.training.colour import white_point
from selfsup_depth.training.predicted_depth import Prediction
from selfsup_depth.training.prediction import Predictor
from selfsup_depth.training.prediction_files import picture_of, write_prediction
from selfsup_depth.training.prediction_names import Wanted

# Frames of a clip that decide which inverse depth is drawn brightest in all of it.
NUM_SAMPLED_FRAMES = 16
# Larger pictures are made smaller in the side-by-side video, to this width each.
MAX_VIDEO_WIDTH = 1280

CameraOf = Callable[[tuple[int, int]], NDArray[np.float64]]


class Picture(NamedTuple):
    """One picture to predict.

    name: for messages.
    read: decodes it, RGB; raises DataError.
    stem: path of its results without the ends of their names.
    """

    name: str
    read: Callable[[], Image.Image]
    stem: Path


class Job(NamedTuple):
    """How pictures are predicted.

    predictor: the network.
    wanted: which files are written.
    batch_size: pictures that are computed together.
    cameras: the intrinsics of images of a height and width; none where they are not needed.
    """

    predictor: Predictor
    wanted: Wanted
    batch_size: int
    cameras: Sequence[CameraOf] = ()


class _Read(NamedTuple):
    picture: Picture
    image: Image.Image
    K: NDArray[np.float64] | None


def predict_images(job: Job, pictures: Sequence[Picture]) -> int:
    """Predict images and write what is wanted of each.

    Returns:
        How many could not be used.

    Raises:
        StorageError: a result cannot be written.
    """

    def write(picture: Picture, image: Image.Image, prediction: Prediction) -> None:
        write_prediction(prediction, image, picture.stem, job.predictor.size, job.wanted)

    return predict_all(job, pictures, "predicting", write)


def predict_video(job: Job, path: Path, stem: Path) -> int:
    """Predict the frames of a video, and show it beside its inverse depth.

    The files of frame N are in the folder `stem`. All frames have one scale of colours.

    Returns:
        How many frames could not be used.

    Raises:
        DataError: it is no video.
        StorageError: a result cannot be written.
    """
    index = video_index(path)
    frames = [VideoFrame(index, number) for number in range(len(index.pts))]
    pictures = [Picture(str(frame), frame.read, stem / f"{frame.number:06d}") for frame in frames]
    white = white_of_clip(job.predictor, pictures)
    shown = stem.with_name(f"{stem.name}_side_by_side.mp4")
    with VideoWriter(shown, frames_per_second(index)) as video:

        def write(picture: Picture, image: Image.Image, prediction: Prediction) -> None:
            write_prediction(prediction, image, picture.stem, job.predictor.size, job.wanted, white)
            seconds = float(index.seconds[int(picture.stem.name)])
            video.add(side_by_side(image, picture_of(prediction, white)), seconds)

        return predict_all(job, pictures, f"predicting {path.name}", write)


def predict_all(
    job: Job,
    pictures: Sequence[Picture],
    name: str,
    write: Callable[[Picture, Image.Image, Prediction], None],
) -> int:
    """Predict batch by batch under a progress bar; returns how many pictures could not be used."""
    num_bad = 0
    with tqdm(total=len(pictures), desc=name, unit="frame") as bar:
        for start in range(0, len(pictures), job.batch_size):
            batch = pictures[start : start + job.batch_size]
            usable = [read for picture in batch for read in _readable(picture, job.cameras)]
            if usable:
                images = [read.image for read in usable]
                predictions = job.predictor.predict_each(images, [read.K for read in usable])
                for read, prediction in zip(usable, predictions, strict=True):
                    write(read.picture, read.image, prediction)
            num_bad += len(batch) - len(usable)
            bar.update(len(batch))
    return num_bad


def _readable(picture: Picture, cameras: Sequence[CameraOf]) -> list[_Read]:
    """The picture with its camera; nothing, and a line, where it cannot be used."""
    try:
        image = picture.read()
    except DataError as error:
        tqdm.write(f"error: {error}", file=sys.stderr)
        return []
    try:
        K = cameras[0]((image.height, image.width)) if cameras else None
    except DataError as error:
        tqdm.write(f"error: not predicted, {picture.name}: {error}", file=sys.stderr)
        return []
    return [_Read(picture, image, K)]


def white_of_clip(predictor: Predictor, pictures: Sequence[Picture]) -> float:
    """The inverse depth that is drawn brightest in all of a clip: the median over frames, 1/m."""
    chosen = np.linspace(0, len(pictures) - 1, min(NUM_SAMPLED_FRAMES, len(pictures))).round().astype(int)
    whites = []
    for number in chosen.tolist():
        try:
            image = pictures[number].read()
        except DataError:
            continue  # said when its turn comes
        whites.append(float(white_point(predictor.inverse_depths([image])[0][None])))
    return float(np.median(whites)) if whites else 1.0


def frames_per_second(index: VideoIndex) -> float:
    """What a player is told about a video: the median over its frames."""
    return 1 / float(np.median(np.diff(index.seconds))) if len(index.pts) > 1 else 1.0


def side_by_side(image: Image.Image, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The input and a picture of its depth, in one."""
    pair = [image, Image.fromarray(picture)]
    if image.width > MAX_VIDEO_WIDTH:
        size = (MAX_VIDEO_WIDTH, round(image.height * MAX_VIDEO_WIDTH / image.width))
        pair = [one.resize(size, Image.Resampling.LANCZOS) for one in pair]
    return np.concatenate([np.asarray(one) for one in pair], axis=1)
