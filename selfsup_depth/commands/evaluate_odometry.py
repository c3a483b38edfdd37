"""`selfsup-depth evaluate odometry`: an estimated path against a reference, by named rules."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from selfsup_depth.commands.output import make_folder
from selfsup_depth.commands.parser import CommandParser
from selfsup_depth.evaluation.trajectory import ALIGNMENTS

NAME = "selfsup-depth evaluate odometry"
USAGE = f"{NAME} --estimated FILE --reference FILE [--align MODE] [--json FILE] [--plot FILE.png]"
EPILOG = """
Files are KITTI's (12 numbers a line; 13 where the frame's number comes first) or TUM's (seconds,
position, quaternion). Only frames that both have are compared.

alignments:
  none        as it is
  scale       one factor by least squares
  se3         rotation and translation (6 degrees of freedom)
  sim3        rotation, translation and a factor (7 degrees of freedom)
  sim3_scale  the factor of sim3 alone
"""


def evaluate_odometry_files(arguments: Sequence[str]) -> None:
    """Print the errors of a path, and write them with --json and --plot.

    Raises:
        ConfigError: an argument is wrong.
        DataError: a file is no trajectory, or the two have too little in common.
        StorageError: a result cannot be written.
    """
    given = make_parser().parse_args(arguments)
    from selfsup_depth.data.trajectory_files import read_trajectory
    from selfsup_depth.evaluation.odometry import evaluate_odometry
    from selfsup_depth.training.path_picture import picture_of_paths
    from selfsup_depth.training.prediction_files import png_bytes
    from selfsup_depth.training.storage import write_bytes, write_text

    for option in ("json", "plot"):
        if getattr(given, option):
            make_folder(getattr(given, option).parent, f"--{option}")
    estimated, reference = read_trajectory(given.estimated), read_trajectory(given.reference)
    evaluation = evaluate_odometry(estimated, reference, given.align, given.origin)
    result = result_of(evaluation, given, (len(estimated.keys), len(reference.keys)))
    print(report(result))
    if given.json:
        write_text(given.json, json.dumps(result, indent=2) + "\n")
        print(f"written: {given.json}")
    if given.plot:
        paths = {"reference": evaluation.reference, "estimated": evaluation.estimated}
        write_bytes(given.plot, png_bytes(picture_of_paths(paths)))
        print(f"written: {given.plot}")


def make_parser() -> CommandParser:
    """The options of `evaluate odometry`."""
    parser = CommandParser(
        prog=NAME, description="Compare a camera's path with a reference.", usage=USAGE, epilog=EPILOG
    )
    add = parser.add_argument
    add("--estimated", type=Path, required=True, metavar="FILE", help="the path in question")
    add("--reference", type=Path, required=True, metavar="FILE", help="the path it is held against")
    add("--align", choices=ALIGNMENTS, default="sim3", help="laid over the reference by; default: sim3")
    add(
        "--origin",
        choices=("first", "stored"),
        default="first",
        help="coordinates of the first common frame (KITTI's tools), or as stored (evo); default: first",
    )
    add("--json", type=Path, metavar="FILE", help="write the result there, too")
    add("--plot", type=Path, metavar="FILE.png", help="draw both paths from above")
    return parser


def result_of(evaluation: Any, given: Any, counts: tuple[int, int]) -> dict[str, Any]:
    """The content of a result file; a rule that the path is too short for has no number."""
    from selfsup_depth.evaluation.odometry import RULES

    return {
        "metrics": {name: value for name, value in evaluation.metrics.items() if math.isfinite(value)},
        "protocol": {"name": "odometry", "align": given.align, "origin": given.origin, "rules": RULES},
        "num_frames": len(evaluation.reference.keys),
        "num_estimated": counts[0],
        "num_reference": counts[1],
        "per_length": evaluation.per_length,
        "estimated": str(given.estimated),
        "reference": str(given.reference),
    }


def report(result: dict[str, Any]) -> str:
    """Each number with the rule it was made by."""
    protocol = result["protocol"]
    lines = [
        f"odometry: {result['num_frames']} common frames of {result['num_estimated']} estimated and "
        f"{result['num_reference']} reference, alignment {protocol['align']}, origin {protocol['origin']}"
    ]
    for names, rule in protocol["rules"].items():
        shown = [
            f"{name} {result['metrics'][name]:.4f}" if name in result["metrics"] else f"{name} none"
            for name in names.split(", ")
        ]
        lines.append(f"  {', '.join(shown)}\n      {rule}")
    return "\n".join(lines)
