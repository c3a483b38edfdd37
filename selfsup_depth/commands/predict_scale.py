"""--scale-from: a scale that the images and something measured tell, kept in the checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from selfsup_depth.commands.output import make_folder
from selfsup_depth.data.images import read_rgb
from selfsup_depth.errors import ConfigError, DataError
from selfsup_depth.evaluation.robust_fit import robust_fit
from selfsup_depth.training.checkpoint import RECORD, find_checkpoint, read_checkpoint
from selfsup_depth.training.checkpoint_io import write_sealed
from selfsup_depth.training.predicting import CameraOf
from selfsup_depth.training.predicting_video import evenly
from selfsup_depth.training.prediction import Predictor
from selfsup_depth.training.rescaling import Rescaling, with_rescaling
from selfsup_depth.training.scale_clues import (
    Clues,
    Seen,
    clues_from_baseline,
    clues_from_distances,
    clues_from_height,
    clues_from_points,
    read_named_numbers,
)

# Images that are looked at where each of them tells the scale.
MOST_IMAGES = 50
# Where even the better half of the lengths scatters by more than this, they tell no scale.
MOST_SPREAD = 0.5

KINDS = "camera_height=METRES, baseline=METRES:FOLDER, distances=FILE or points=FILE"


class ScaleSource(NamedTuple):
    """What --scale-from names.

    kind: of the four.
    metres: of the camera's height or the baseline; 0 otherwise.
    path: file of measurements, or folder of the right images; "." otherwise.
    """

    kind: str
    metres: float
    path: Path

    @property
    def needs_camera(self) -> bool:
        """Whether it takes intrinsics."""
        return self.kind != "points"


def parse_scale_source(text: str) -> ScaleSource:
    """Read what stands behind --scale-from.

    Raises:
        ConfigError: it is none of the kinds.
    """
    kind, _, value = text.partition("=")
    if kind in ("distances", "points") and value:
        return ScaleSource(kind, 0.0, Path(value))
    number, colon, folder = value.partition(":")
    if (kind == "baseline" and folder) or (kind == "camera_height" and not colon):
        try:
            metres = float(number)
        except ValueError:
            metres = 0.0
        if not 0 < metres < float("inf"):
            raise ConfigError(f"{number!r} metres, in --scale-from {text}; give a positive number")
        return ScaleSource(kind, metres, Path(folder))
    raise ConfigError(f"--scale-from is {text}; give {KINDS}")


def find_scale(
    source: ScaleSource,
    with_shift: bool,
    predictor: Predictor,
    images: Sequence[Path],
    cameras: Sequence[CameraOf],
) -> tuple[Rescaling, str]:
    """Fit the scale of what a network says of images.

    Args:
        source: what is measured.
        with_shift: fit a shift of inverse depth, too.
        predictor: the network.
        images: of --input.
        cameras: their intrinsics; none where the source does not need them.

    Returns:
        The scale, and in a few words where it is from.

    Raises:
        DataError: nothing can be told from this.
    """
    clues = _clues(source, predictor, images, cameras)
    num = len(clues.predicted)
    if num < 1 + with_shift:
        raise DataError(
            "one length cannot tell both scale and shift; leave out --scale-shift or measure more"
        )
    fit = robust_fit(clues.predicted, clues.measured, with_shift)
    if not (fit.slope > 0 and fit.spread <= MOST_SPREAD):
        raise DataError(
            f"no scale fits, {num} lengths scatter by {fit.spread:.0%}, in --scale-from; check them"
        )
    evidence = f"{source.kind}: {num} lengths, {fit.share:.0%} of them agree within {2.5 * fit.spread:.1%}"
    return Rescaling(1 / fit.slope, fit.offset), evidence


def _clues(
    source: ScaleSource, predictor: Predictor, images: Sequence[Path], cameras: Sequence[CameraOf]
) -> Clues:
    see = cache(partial(_see, predictor, cameras))
    some = evenly(images, MOST_IMAGES)
    gather: dict[str, Callable[[], Clues]] = {
        "camera_height": lambda: clues_from_height(some, see, source.metres),
        "baseline": lambda: clues_from_baseline(some, see, source.metres, source.path),
        "distances": lambda: clues_from_distances(read_named_numbers(source.path, images, 5), see),
        "points": lambda: clues_from_points(read_named_numbers(source.path, images, 3), see),
    }
    return gather[source.kind]()


def _see(predictor: Predictor, cameras: Sequence[CameraOf], path: Path) -> Seen:
    image = read_rgb(path)
    (inverse_depth,) = predictor.inverse_depths([image])
    K = cameras[0]((image.height, image.width)) if cameras else np.eye(3)
    return Seen(path, inverse_depth.double().numpy(), K)


def write_scale(path: Path, rescaling: Rescaling, evidence: str) -> Path:
    """Put a scale into a checkpoint's record; its weights stay as they are.

    Args:
        path: a checkpoint or the folder of a run.
        rescaling: of what the checkpoint says now.
        evidence: where it is from.

    Returns:
        The checkpoint.

    Raises:
        CheckpointError: there is none.
        StorageError: it cannot be written; the old one stays.
    """
    file = find_checkpoint(path)
    content = read_checkpoint(file)
    content[RECORD] = with_rescaling(content[RECORD], rescaling, evidence, file)
    write_sealed(content, file)
    return file


def refuse_unwritable(path: Path) -> None:
    """Prove that the scale can be written, before it is sought.

    Raises:
        CheckpointError: there is no checkpoint.
        StorageError: it cannot be written.
    """
    make_folder(find_checkpoint(path).parent, "--checkpoint")
