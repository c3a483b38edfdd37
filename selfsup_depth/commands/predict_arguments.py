"""The options of `predict`, and which values of them are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from selfsup_depth.commands.parser import CommandParser
from selfsup_depth.errors import ConfigError


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
        "--scale-from",
        metavar="CLUE",
        help="find the scale and write it into the checkpoint: camera_height=METRES, baseline=METRES:FOLDER "
        "of the right images, distances=FILE (NAME.png column row column row METRES) or points=FILE "
        "(NAME.png column row METRES)",
    )
    add("--scale-shift", action="store_true", help="with --scale-from, find a shift of inverse depth, too")
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
    if given.scale_from and given.scale is not None:
        raise ConfigError("--scale and --scale-from both say what the scale is; leave out one of the two")
    if given.scale_shift and not given.scale_from:
        raise ConfigError("--scale-shift is found by --scale-from; give that, too")
