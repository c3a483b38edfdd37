"""`selfsup-depth evaluate depth`: predicted against measured, under a named protocol."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfsup_depth.commands.output import make_folder
from selfsup_depth.commands.parser import CommandParser, split_dotted
from selfsup_depth.errors import ConfigError
from selfsup_depth.evaluation.protocols import PROTOCOLS, Protocol, protocol_named

if TYPE_CHECKING:
    from selfsup_depth.evaluation.depth_evaluation import DepthEvaluation

# Reasons that are printed, best and worst images that are drawn; all numbers are in the result file.
SHOWN = 3

DEPTH = "selfsup-depth evaluate depth"
USAGE = f"""
  {DEPTH} --checkpoint RUN_OR_CKPT [--config conf/data/X.yaml]
      [--data.OPTION VALUE ...] --protocol NAME [--json FILE] [--html FILE]
  {DEPTH} --predictions DIR --measured DIR --protocol NAME [--json FILE] [--html FILE]"""
EPILOG = """
A checkpoint is evaluated on the test frames of the data, without --config those of its own
run's data; a split without test.txt and no split mean the frames of validation.

Predictions are 16-bit PNG (metres * 256) or .npy files. For a measured NAME.png the prediction
is NAME.npy, NAME.png or, as `predict` writes it, NAME_depth.png, of the same size. A .npy file
(N, h, w) holds inverse depth of any size, in the order of the measured maps, as other trainers
write it; a .npz file holds one measured map an array.

protocols:
"""


def evaluate_depth(arguments: Sequence[str]) -> None:
    """Print the errors of a checkpoint or of stored predictions, and write them with --json."""
    rest, flags = split_dotted(arguments)
    given = make_parser().parse_args(rest)
    refuse_contradictions(given, flags)
    protocol = protocol_named(given.protocol)
    if given.flip:
        protocol = dataclasses.replace(protocol, flip=True)
    for option in ("json", "html"):
        if getattr(given, option):
            make_folder(getattr(given, option).parent, f"--{option}")
    evaluation, about = (
        of_checkpoint(given, flags, protocol) if given.checkpoint else of_stored(given, protocol)
    )
    print(evaluation.report())
    if about.get("scale") == "relative" and evaluation.protocol.scale == "metric":
        print("note: this network knows depth up to one unknown factor; this protocol takes it as metres")
    write_results(evaluation, about, given)


def write_results(evaluation: DepthEvaluation, about: dict[str, Any], given: Any) -> None:
    """Write what --json and --html ask for."""
    from selfsup_depth.training.evaluation_page import page
    from selfsup_depth.training.storage import write_text

    if given.json:
        write_text(given.json, json.dumps(evaluation.as_dict() | about, indent=2) + "\n")
        print(f"written: {given.json}")
    if given.html:
        write_text(given.html, page(evaluation, about))
        print(f"written: {given.html}")


def make_parser() -> CommandParser:
    """The options of `evaluate depth`."""
    descriptions = "\n".join(f"  {protocol.description()}" for protocol in PROTOCOLS.values())
    parser = CommandParser(
        prog=DEPTH,
        description="Compare predicted depth with measured depth.",
        usage=USAGE,
        epilog=EPILOG + descriptions,
    )
    add = parser.add_argument
    add("--checkpoint", type=Path, metavar="RUN_OR_CKPT", help="folder of a run, or a .ckpt file")
    add("--config", action="append", default=[], metavar="FILE", help="data to evaluate on; repeatable")
    add("--split", metavar="NAME", help="the same as --data.split")
    add(
        "--predictions",
        type=Path,
        metavar="DIR",
        help="folder of depth maps, or a .npy stack of inverse depth",
    )
    add(
        "--measured",
        type=Path,
        metavar="DIR",
        help="folder of depth maps, or a .npy or .npz of them",
    )
    add(
        "--on-missing",
        choices=("error", "skip"),
        default="error",
        help="what to do with a frame that has no usable prediction; default: error",
    )
    add("--protocol", required=True, metavar="NAME", help=f"one of {', '.join(PROTOCOLS)}")
    add("--flip", action="store_true", help="predict for the mirrored image, too, and join both")
    add(
        "--geometry",
        action="store_true",
        help="compare points, edges and normals, too; about a second an image",
    )
    add("--K", type=Path, metavar="FILE", help="intrinsics of the measured maps, for --geometry")
    add(
        "--moving",
        type=Path,
        metavar="DIR",
        help="masks NAME.png of what moves, whose errors are told apart",
    )
    add("--json", type=Path, metavar="FILE", help="write the result there, too")
    add("--html", type=Path, metavar="FILE", help="write a page with charts and pictures there, too")
    add("--device", default="auto", help="cpu, cuda, ...; default: a GPU if there is one")
    trust = "import classes from outside the package, which runs their code; make the data that it names"
    add("--trust", action="store_true", help=trust)
    return parser


def refuse_contradictions(given: Any, flags: list[tuple[str, str]]) -> None:
    """Either a checkpoint and data, or two folders.

    Raises:
        ConfigError: neither, or some of both.
    """
    stored = given.predictions or given.measured
    if bool(given.checkpoint) == bool(stored):
        raise ConfigError(
            "give either --checkpoint, or --predictions and --measured; see the usage with --help"
        )
    if stored and not (given.predictions and given.measured):
        raise ConfigError("--predictions and --measured go together; give both")
    of_data = (
        [f"--{name}" for name, _ in flags]
        + ["--config"] * bool(given.config)
        + ["--split"] * bool(given.split)
    )
    if stored and of_data:
        raise ConfigError(f"{of_data[0]} goes with --checkpoint; leave it out with --predictions")
    if stored and given.geometry != bool(given.K):
        raise ConfigError("with --predictions, --geometry and --K go together; give both")
    if given.checkpoint and (given.K or given.moving):
        raise ConfigError(
            "--K and --moving go with --predictions; a checkpoint's data know their cameras and masks"
        )


def of_checkpoint(
    given: Any, flags: list[tuple[str, str]], protocol: Protocol
) -> tuple[DepthEvaluation, dict[str, Any]]:
    """Errors of a network on the test frames of data, and what a result file says about both."""
    from selfsup_depth.training.checkpoint import load_checkpoint
    from selfsup_depth.training.devices import device_named
    from selfsup_depth.training.test_frames import data_for, evaluate_on_data

    device = device_named(given.device)
    loaded = load_checkpoint(given.checkpoint, trust=given.trust)
    if given.split:
        flags = [("data.split", given.split), *flags]
    data = data_for(loaded.record, given.config, flags, protocol, given.trust)
    module, num_exhibits = loaded.module.to(device), SHOWN * bool(given.html)
    evaluation, sources = evaluate_on_data(module, data, protocol, num_exhibits, given.geometry)
    about = {"checkpoint": str(loaded.path), "scale": loaded.record["scale"]["kind"]}
    seen = {"data": str(data.root), "size": [data.height, data.width], "measured_by": sources}
    return evaluation, about | seen


def of_stored(given: Any, protocol: Protocol) -> tuple[DepthEvaluation, dict[str, Any]]:
    """Errors of stored depth maps."""
    from selfsup_depth.data.camera_files import read_camera_file
    from selfsup_depth.training.stored_predictions import Beside, evaluate_stored

    beside = Beside(
        [read_camera_file(given.K)] if given.geometry else [], [given.moving] if given.moving else []
    )
    num_exhibits = SHOWN * bool(given.html)
    evaluation, left_out = evaluate_stored(
        given.predictions, given.measured, protocol, given.on_missing, num_exhibits, beside
    )
    for reason in left_out[:SHOWN]:
        print(f"left out: {reason}")
    if left_out:
        print(f"{len(left_out)} frames left out for want of a usable prediction; errors are of the others")
    about = {"predictions": str(given.predictions), "measured": str(given.measured)}
    return evaluation, about | {"num_left_out": len(left_out), "left_out": left_out}
