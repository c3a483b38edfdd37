"""`selfsup-depth predict`: depth of images, as files."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from selfsup_depth.commands.output import make_folder
from selfsup_depth.commands.parser import CommandParser
from selfsup_depth.data.images import PHOTOGRAPH_SUFFIXES, read_rgb
from selfsup_depth.errors import ConfigError, DataError

if TYPE_CHECKING:
    from selfsup_depth.training.prediction import Predictor

RELATIVE = "scale: relative (up to one unknown factor); the numbers in *_relative_depth.png are not metres"


def run(arguments: list[str]) -> None:
    """Predict every image that --input names.

    Raises:
        ConfigError: an argument is wrong.
        CheckpointError: the checkpoint cannot be used.
        DataError: there is no input, or some images could not be read; the others are done.
        StorageError: the output cannot be written.
    """
    given = make_parser().parse_args(arguments)
    inputs = images_named(given.input)
    refuse_output_among_inputs(given.input, given.output)
    stems = stems_of_outputs(inputs, given.output)
    make_folder(given.output, "--output")
    from selfsup_depth.training.prediction import load  # seconds, and not needed to refuse arguments

    predictor = load(given.checkpoint, given.device, given.trust)
    print("scale: metric" if predictor.scale == "metric" else RELATIVE)
    if predictor.K is not None:
        print(f"learned camera: focal {predictor.K[0, 0] / predictor.size[1]:.3f} of an image's width")
    num_bad = predict_files(predictor, inputs, stems, given.npy)
    print(f"{len(inputs) - num_bad} of {len(inputs)} images predicted, in {given.output}")
    if num_bad:
        raise DataError(
            f"{num_bad} of {len(inputs)} images could not be read, in {given.input}; see the lines above"
        )


def make_parser() -> CommandParser:
    """The options of this command."""
    parser = CommandParser(
        prog="selfsup-depth predict",
        description="Predict depth with a trained network. For each image NAME: NAME_depth.png (16 bits, "
        "metres * 256)\nand NAME_inverse_depth.png (a picture).",
    )
    add = parser.add_argument
    add(
        "--checkpoint",
        type=Path,
        required=True,
        metavar="RUN_OR_CKPT",
        help="folder of a run, or a .ckpt file",
    )
    add("--input", required=True, metavar="IMAGE|FOLDER|GLOB", help="what to predict")
    add("--output", type=Path, required=True, metavar="DIR", help="folder of the results")
    add("--npy", action="store_true", help="write depth as float32 arrays, too (NAME.npy)")
    add("--device", default="auto", help="cpu, cuda, ...; default: a GPU if there is one")
    add("--trust", action="store_true", help="import classes from outside the package, which runs their code")
    return parser


def images_named(name: str) -> list[Path]:
    """The images of a file, a folder or a pattern, in order of their names.

    Raises:
        DataError: there are none.
    """
    path = Path(name)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.suffix.lower() in PHOTOGRAPH_SUFFIXES)
        if not found:
            raise DataError(f"no image ({' '.join(PHOTOGRAPH_SUFFIXES)}), in {name}; choose another --input")
        return found
    found = sorted(Path(match) for match in glob.glob(name, recursive=True) if Path(match).is_file())
    if not found:
        raise DataError(f"no such image, folder or pattern, in {name}; choose another --input")
    return found


def refuse_output_among_inputs(name: str, output: Path) -> None:
    """Refuse a folder that is both: its results would be the inputs of the next run."""
    if Path(name).is_dir() and Path(name).resolve() == output.resolve():
        raise ConfigError(f"--output is the folder of the images, in {output}; choose another --output")


def stems_of_outputs(inputs: list[Path], output: Path) -> list[Path]:
    """Where each image's files go, without the ends of their names; folders are kept.

    Raises:
        DataError: two images would be written to the same files.
    """
    common = Path(os.path.commonpath([path.parent for path in inputs]))
    stems = [output / path.parent.relative_to(common) / path.stem for path in inputs]
    taken: dict[Path, Path] = {}
    for stem, path in zip(stems, inputs, strict=True):
        if stem in taken:
            raise DataError(
                f"{taken[stem].name} would be written to the same files, in {path}; rename one of them"
            )
        taken[stem] = path
    return stems


def predict_files(predictor: Predictor, inputs: list[Path], stems: Iterable[Path], npy: bool) -> int:
    """Predict images one by one; a bad one is named and passed over.

    Returns:
        How many could not be read.
    """
    from selfsup_depth.training.prediction_files import write_prediction

    num_bad = 0
    for path, stem in zip(tqdm(inputs, desc="predicting", unit="frame"), stems, strict=True):
        try:
            image = read_rgb(path)
        except DataError as error:
            num_bad += 1
            tqdm.write(f"error: {error}", file=sys.stderr)
            continue
        write_prediction(predictor.predict(image), stem, npy)
    return num_bad
