"""`selfsup-depth predict`: depth of images and videos, as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfsup_depth.commands.output import make_folder
from selfsup_depth.commands.parser import CommandParser
from selfsup_depth.commands.predict_inputs import (
    inputs_named,
    is_video,
    refuse_output_among_inputs,
    stems_of_outputs,
)
from selfsup_depth.errors import ConfigError, DataError
from selfsup_depth.training.prediction_names import Wanted

if TYPE_CHECKING:
    from selfsup_depth.training.predicting import Job

RELATIVE = "scale: relative (up to one unknown factor); the numbers in *_relative_depth.png are not metres"


def run(arguments: list[str]) -> None:
    """Predict every image and video that --input names.

    Raises:
        ConfigError: an argument is wrong.
        CheckpointError: the checkpoint cannot be used.
        DataError: there is no input, or some images could not be read; the others are done.
        StorageError: the output cannot be written.
    """
    given = make_parser().parse_args(arguments)
    refuse_bad_numbers(given)
    inputs = inputs_named(given.input)
    refuse_output_among_inputs(given.input, given.output)
    wanted = Wanted(given.npy, given.ply, given.max_depth)
    stems = stems_of_outputs(inputs, given.output, wanted)
    make_folder(given.output, "--output")
    from selfsup_depth.commands.predict_work import predict_inputs

    num_bad = predict_inputs(prepare(given, wanted), inputs, stems)
    kind = "images and videos" if any(map(is_video, inputs)) else "images"
    print(f"{len(inputs) - num_bad} of {len(inputs)} {kind} predicted, in {given.output}")
    if num_bad:
        raise DataError(
            f"{num_bad} of {len(inputs)} {kind} not predicted, in {given.input}; see the lines above"
        )


def make_parser() -> CommandParser:
    """The options of this command."""
    parser = CommandParser(
        prog="selfsup-depth predict",
        description="Predict depth with a trained network. For each image NAME: NAME_depth.png (16 bits, "
        "metres * 256)\nand NAME_inverse_depth.png (a picture); for a video a folder of them, and "
        "NAME_side_by_side.mp4.",
    )
    add = parser.add_argument
    add(
        "--checkpoint",
        type=Path,
        required=True,
        metavar="RUN_OR_CKPT",
        help="folder of a run, or a .ckpt file",
    )
    add(
        "--input",
        required=True,
        metavar="IMAGE|VIDEO|FOLDER|GLOB",
        help="what to predict; images of any size",
    )
    add("--output", type=Path, required=True, metavar="DIR", help="folder of the results")
    add("--npy", action="store_true", help="write depth as float32 arrays, too (NAME.npy)")
    add("--ply", action="store_true", help="write a coloured point cloud, too (NAME.ply)")
    add(
        "--poses",
        action="store_true",
        help="write the camera's path, too, in KITTI's and TUM's formats: of the images of each folder, in "
        "order, and of each video",
    )
    add("--max-depth", type=float, metavar="METRES", help="leave out of the cloud what is farther")
    add(
        "--K",
        type=Path,
        metavar="FILE",
        help="intrinsics: camera.yaml, KITTI's, COLMAP's, or 3 lines of 3 numbers",
    )
    add("--fov", type=float, metavar="DEGREES", help="horizontal field of view, instead of --K")
    add(
        "--scale",
        type=float,
        metavar="FACTOR",
        help="metres of the network's unit: depth is multiplied by it",
    )
    add(
        "--flip",
        action="store_true",
        help="predict for the mirrored image, too, and join both; twice the work",
    )
    add(
        "--batch-size",
        type=int,
        default=1,
        metavar="N",
        help="images that are predicted together; default: 1",
    )
    add("--compile", action="store_true", help="compile the network first: a minute, then faster")
    add("--device", default="auto", help="cpu, cuda, ...; default: a GPU if there is one")
    add("--trust", action="store_true", help="import classes from outside the package, which runs their code")
    return parser


def refuse_bad_numbers(given: Any) -> None:
    """Refuse what is outside its range, and options that contradict each other.

    Raises:
        ConfigError: naming the option.
    """
    if given.batch_size < 1:
        raise ConfigError(f"--batch-size is {given.batch_size}; give 1 or more")
    for name in ("max_depth", "scale"):
        value = getattr(given, name)
        if value is not None and not 0 < value < float("inf"):
            raise ConfigError(f"--{name.replace('_', '-')} is {value:g}; give a positive number")
    if given.fov is not None and not 0 < given.fov < 180:
        raise ConfigError(f"--fov is {given.fov:g}; give degrees between 0 and 180")
    if given.K and given.fov is not None:
        raise ConfigError("--K and --fov both say what the camera is; leave out one of the two")
    if given.max_depth is not None and not given.ply:
        raise ConfigError("--max-depth is of the point cloud; give --ply, too")


def prepare(given: Any, wanted: Wanted) -> Job:
    """Load the network, and say what is known of its scale and camera.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        ConfigError: a cloud is wanted, and its scale or its camera is not known.
        DataError: the file of --K cannot be used.
    """
    from selfsup_depth.commands.predict_camera import cameras_for
    from selfsup_depth.training.camera_path import CameraPath
    from selfsup_depth.training.compilation import compile_predictor
    from selfsup_depth.training.predicting import Job
    from selfsup_depth.training.prediction import load  # seconds, and not needed to refuse arguments

    predictor = load(given.checkpoint, given.device, given.trust, given.flip)
    if given.scale is not None:
        predictor.set_scale(given.scale)
    if wanted.ply and predictor.scale != "metric":
        raise ConfigError(
            f"a cloud in metres needs a scale, and this network's is unknown, in {given.checkpoint}; "
            "give --scale FACTOR"
        )
    print("scale: metric" if predictor.scale == "metric" else RELATIVE)
    if predictor.K is not None:
        print(f"learned camera: focal {predictor.K[0, 0] / predictor.size[1]:.3f} of an image's width")
    cameras = cameras_for(given, predictor)
    reason = compile_predictor(predictor, given.batch_size) if given.compile else ""
    if reason:
        print(f"note: not compiled ({reason}); predicting all the same")
    if given.poses:
        CameraPath(predictor)  # refuses now what has no network of motion
    return Job(predictor, wanted, given.batch_size, cameras, given.poses)
