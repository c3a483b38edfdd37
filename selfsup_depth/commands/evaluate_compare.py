"""`selfsup-depth evaluate compare`: two results of one protocol, image by image."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfsup_depth.commands.parser import CommandParser
from selfsup_depth.errors import DataError

if TYPE_CHECKING:
    from selfsup_depth.evaluation.comparison import Difference

NAME = "selfsup-depth evaluate compare"
USAGE = f"{NAME} FIRST.json SECOND.json [--json FILE]"
EPILOG = """
The files are those that `evaluate depth --json` writes. Results of different protocols are refused.
"""
# Of every image that is compared.
NEEDED = {"metrics": dict, "protocol": dict, "images": list}
# No error comes near, and a mean of such does not overflow.
LARGEST_ERROR = 1e12
MOST_BYTES = 256 * 2**20


def compare_files(arguments: Sequence[str]) -> None:
    """Print the differences of two results, and write them with --json.

    Raises:
        ConfigError: an argument is wrong, or the protocols differ.
        DataError: a file is no result, or the two have no image in common.
        StorageError: the result cannot be written.
    """
    given = make_parser().parse_args(arguments)
    from selfsup_depth.commands.output import make_folder
    from selfsup_depth.evaluation.comparison import compare_results
    from selfsup_depth.training.storage import write_text

    if given.json:
        make_folder(given.json.parent, "--json")
    first, second = read_result(given.first), read_result(given.second)
    differences = compare_results(first, second)
    names = [{image["name"] for image in result["images"]} for result in (first, second)]
    common = len(names[0] & names[1])
    print(first["protocol"].get("description", first["protocol"]["name"]))
    print(table_of_differences(differences))
    print(f"{common} images in both; {len(names[0]) - common} only in the first, ", end="")
    print(f"{len(names[1]) - common} only in the second")
    if given.json:
        content = {
            "protocol": first["protocol"],
            "num_images": common,
            "differences": {
                name: difference._asdict() | {"verdict": difference.verdict}
                for name, difference in differences.items()
            },
        }
        write_text(given.json, json.dumps(content, indent=2) + "\n")
        print(f"written: {given.json}")


def make_parser() -> CommandParser:
    """The options of `evaluate compare`."""
    parser = CommandParser(
        prog=NAME, description="Compare two results image by image.", usage=USAGE, epilog=EPILOG
    )
    parser.add_argument("first", type=Path, metavar="FIRST.json", help="a result")
    parser.add_argument("second", type=Path, metavar="SECOND.json", help="the result that is held against it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the differences there, too")
    return parser


def read_result(path: Path) -> dict[str, Any]:
    """The content of a result file.

    Raises:
        DataError: it is none.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"larger than {MOST_BYTES >> 20} MiB, in {path}; give a result of evaluate depth")
        result = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror}), in {path}; check the path") from None
    except (ValueError, RecursionError):
        raise DataError(f"not JSON, in {path}; give a result of evaluate depth --json") from None
    if not isinstance(result, dict):
        raise DataError(f"not a result, in {path}; give one of evaluate depth --json")
    for key, kind in NEEDED.items():
        if not isinstance(result.get(key), kind):
            raise DataError(f"no {key} by image, in {path}; write it again with evaluate depth --json")
    if not {"name", "hash"} <= result["protocol"].keys():
        raise DataError(f"the protocol has no hash, in {path}; write it again with evaluate depth --json")
    check_images(result["images"], path)
    return result


def check_images(images: Sequence[Any], path: Path) -> None:
    """Refuse images without a name or with other errors than are compared.

    Raises:
        DataError: one is not as `evaluate depth` writes it.
    """
    from selfsup_depth.evaluation.depth_errors import DepthErrors

    for number, image in enumerate(images):
        is_whole = isinstance(image, dict) and isinstance(image.get("name"), str)
        if not is_whole or not all(is_error(image.get(key)) for key in DepthErrors._fields):
            raise DataError(
                f"image {number} is not whole, in {path}; write it again with evaluate depth --json"
            )


def is_error(value: Any) -> bool:
    """Whether this is a number that can be averaged: JSON also has NaN, and integers of any length."""
    return isinstance(value, float | int) and abs(value) < LARGEST_ERROR


def table_of_differences(differences: Mapping[str, Difference]) -> str:
    """A line a metric: both means, the difference with its interval, on how many images it is better."""
    width = max(len(name) for name in differences)
    lines = [f"{'':{width}}{'first':>10}{'second':>10}{'difference':>12}  95 % interval            better on"]
    for name, row in differences.items():
        interval = "[{:+.4f}, {:+.4f}]".format(*row.interval) if row.interval else "none"
        lines.append(
            f"{name:{width}}{row.first:10.4f}{row.second:10.4f}{row.mean:+12.4f}  {interval:<22}"
            f"{row.better:8.0%}  {row.verdict}"
        )
    return "\n".join(lines)
