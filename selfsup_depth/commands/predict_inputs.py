"""What --input names, and where the results of each go."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from selfsup_depth.data.images import PHOTOGRAPH_SUFFIXES
from selfsup_depth.data.natural_order import natural_order
from selfsup_depth.data.video_stream import VIDEO_SUFFIXES
from selfsup_depth.errors import ConfigError, DataError
from selfsup_depth.training.prediction_names import Wanted, names_written


def is_video(path: Path) -> bool:
    """Whether a file is taken for a video, by its name."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def inputs_named(name: str) -> list[Path]:
    """The images and videos of a file, a folder or a pattern, in natural order.

    Raises:
        DataError: there are none.
    """
    path = Path(name)
    if path.is_file():
        return [path]
    if path.is_dir():
        suffixes = (*PHOTOGRAPH_SUFFIXES, *VIDEO_SUFFIXES)
        found = [
            file
            for file in path.iterdir()
            if file.suffix.lower() in suffixes and not file.name.startswith(".")
        ]
        if not found:
            raise DataError(f"no image or video ({' '.join(suffixes)}), in {name}; choose another --input")
        return sorted(found, key=natural_order)
    found = [Path(match) for match in glob.glob(name, recursive=True) if Path(match).is_file()]
    if not found:
        raise DataError(f"no such image, video, folder or pattern, in {name}; choose another --input")
    return sorted(found, key=natural_order)


def refuse_output_among_inputs(name: str, output: Path) -> None:
    """Refuse a folder that is both: its results would be the inputs of the next run.

    Raises:
        ConfigError: it is.
    """
    if Path(name).is_dir() and Path(name).resolve() == output.resolve():
        raise ConfigError(f"--output is the folder of the images, in {output}; choose another --output")


def stems_of_outputs(inputs: Sequence[Path], output: Path, wanted: Wanted) -> list[Path]:
    """Where each input's files go, without the ends of their names; folders are kept.

    Where two would write the same file, as a.png and a.jpg, both keep their endings.

    Raises:
        DataError: two would be written to the same files all the same.
    """
    common = Path(os.path.commonpath([path.parent for path in inputs]))
    folders = [output / path.parent.relative_to(common) for path in inputs]
    plain = [folder / path.stem for folder, path in zip(folders, inputs, strict=True)]
    whole = [folder / path.name for folder, path in zip(folders, inputs, strict=True)]
    shared = _shared(plain, inputs, wanted)
    stems = [
        with_ending if shared & _claims(stem, path, wanted) else stem
        for stem, with_ending, path in zip(plain, whole, inputs, strict=True)
    ]
    still = _shared(stems, inputs, wanted)
    clashing = [path for stem, path in zip(stems, inputs, strict=True) if still & _claims(stem, path, wanted)]
    if clashing:
        raise DataError(
            f"{clashing[0].name} would be written to the same files, in {clashing[1]}; rename one of them"
        )
    return stems


def _shared(stems: Sequence[Path], inputs: Sequence[Path], wanted: Wanted) -> set[Path]:
    """Files that several inputs would write."""
    claims = Counter(
        file for stem, path in zip(stems, inputs, strict=True) for file in _claims(stem, path, wanted)
    )
    return {file for file, count in claims.items() if count > 1}


def _claims(stem: Path, path: Path, wanted: Wanted) -> set[Path]:
    """Files that an input would write; of a video, its folder and the video beside it."""
    if is_video(path):
        return {stem, stem.with_name(f"{stem.name}_side_by_side.mp4")}
    return {file for scale in ("metric", "relative") for file in names_written(stem, scale, wanted)}
