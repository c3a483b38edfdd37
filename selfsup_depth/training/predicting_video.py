"""The frames of a video predicted, and shown beside their depth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from selfsup_depth.data.video_file import video_index
from selfsup_depth.data.video_index import VideoIndex
from selfsup_depth.data.video_reader import VideoFrame
from selfsup_depth.data.video_writer import VideoWriter
from selfsup_depth.errors import DataError
from selfsup_depth.training.colour import white_point
from selfsup_depth.training.predicted_depth import Prediction
from selfsup_depth.training.predicting import Job, Picture, Taken, Taker, predict_all, writer
from selfsup_depth.training.prediction import Predictor
from selfsup_depth.training.prediction_files import picture_of

# Frames of a clip that decide which inverse depth is drawn brightest in all of it.
NUM_SAMPLED_FRAMES = 16
# Larger pictures are made smaller in the side-by-side video, to this width each.
MAX_VIDEO_WIDTH = 1280

Item = TypeVar("Item")


def frames_of(path: Path, stem: Path) -> list[Picture]:
    """The frames of a video; the files of frame N will be in the folder `stem`.

    Raises:
        DataError: it is no video.
    """
    index = video_index(path)
    frames = [VideoFrame(index, number) for number in range(len(index.pts))]
    return [
        Picture(str(frame), frame.read, stem / f"{frame.number:06d}", frame.number, seconds)
        for frame, seconds in zip(frames, index.seconds.tolist(), strict=True)
    ]


def predict_video(job: Job, path: Path, stem: Path, takers: Sequence[Taker] = ()) -> int:
    """Predict the frames of a video, and show it beside its inverse depth.

    The files of frame N are in the folder `stem`. All frames have one scale of colours.

    Returns:
        How many frames could not be used.

    Raises:
        DataError: it is no video.
        StorageError: a result cannot be written.
    """
    pictures = frames_of(path, stem)
    white = white_of_clip(job.predictor, pictures)
    shown = stem.with_name(f"{stem.name}_side_by_side.mp4")
    with VideoWriter(shown, frames_per_second(video_index(path))) as video:

        def show(batch: Sequence[Taken], predictions: Sequence[Prediction]) -> None:
            for taken, prediction in zip(batch, predictions, strict=True):
                video.add(
                    side_by_side(taken.image, picture_of(prediction, white)),
                    taken.picture.seconds,
                )

        return predict_all(job, pictures, f"predicting {path.name}", [writer(job, white), show, *takers])


def white_of_clip(predictor: Predictor, pictures: Sequence[Picture]) -> float:
    """The inverse depth that is drawn brightest in all of a clip: the median over frames, 1/m."""
    whites = []
    for picture in evenly(pictures, NUM_SAMPLED_FRAMES):
        try:
            image = picture.read()
        except DataError:
            continue  # said when its turn comes
        whites.append(float(white_point(predictor.inverse_depths([image])[0][None])))
    return float(np.median(whites)) if whites else 1.0


def evenly(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many of them, from the first to the last."""
    chosen = np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int)
    return [items[number] for number in chosen.tolist()]


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
