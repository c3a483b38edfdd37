"""The images and videos of a `predict`, one sequence after the other."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from selfsup_depth.commands.predict_inputs import is_video
from selfsup_depth.data.frame_folder import frame_numbers
from selfsup_depth.data.images import read_rgb
from selfsup_depth.data.timestamps import times_of_frames
from selfsup_depth.errors import DataError
from selfsup_depth.training.camera_path import CameraPath
from selfsup_depth.training.predicting import Job, Picture, predict_all, writer
from selfsup_depth.training.predicting_video import predict_video

Pairs = Sequence[tuple[Path, Path]]


def predict_inputs(job: Job, inputs: Sequence[Path], stems: Sequence[Path]) -> int:
    """Predict images together and videos one by one.

    Args:
        job: how.
        inputs: images and videos.
        stems: where the results of each go, without the ends of their names.

    Returns:
        How many inputs could not be predicted as a whole.
    """
    pairs = list(zip(inputs, stems, strict=True))
    images = [pair for pair in pairs if not is_video(pair[0])]
    num_bad = _predict_sequences(job, images) if job.poses else _predict_images(job, images)
    for path, stem in pairs:
        if is_video(path):
            try:
                num_bad += bool(_predict_video(job, path, stem))
            except DataError as error:
                print(f"not predicted: {error}", file=sys.stderr)
                num_bad += 1
    return num_bad


def _predict_images(job: Job, pairs: Pairs) -> int:
    pictures = [Picture(str(path), partial(read_rgb, path), stem) for path, stem in pairs]
    return predict_all(job, pictures, "predicting", [writer(job)]) if pictures else 0


def _predict_sequences(job: Job, pairs: Pairs) -> int:
    """The images of each folder in order, and the path of the camera that took them."""
    folders: dict[Path, list[tuple[Path, Path]]] = {}
    for path, stem in pairs:
        folders.setdefault(path.parent, []).append((path, stem))
    # What is wrong with a file of times is said before anything is predicted.
    sequences = {folder: _sequence(folder, members) for folder, members in folders.items()}
    num_bad = 0
    for folder, pictures in sequences.items():
        followed = CameraPath(job.predictor)
        takers = [writer(job), followed.take]
        num_bad += predict_all(job, pictures, f"predicting {folder.name}", takers)
        _report(followed.write(pictures[0].stem.with_name("poses")), str(folder))
    return num_bad


def _sequence(folder: Path, members: Pairs) -> list[Picture]:
    numbers = frame_numbers([path for path, _ in members])
    return [
        Picture(str(path), partial(read_rgb, path), stem, number, seconds)
        for (path, stem), number, seconds in zip(
            members, numbers, times_of_frames(folder, numbers), strict=True
        )
    ]


def _predict_video(job: Job, path: Path, stem: Path) -> int:
    if not job.poses:
        return predict_video(job, path, stem)
    followed = CameraPath(job.predictor)
    num_bad = predict_video(job, path, stem, [followed.take])
    _report(followed.write(stem.with_name(f"{stem.name}_poses")), str(path))
    return num_bad


def _report(files: Sequence[Path], name: str) -> None:
    if files:
        print(f"path: {files[0]} (KITTI), {files[1].name} (TUM)")
    else:
        print(f"note: no path from fewer than two frames, in {name}")
