"""`selfsup-depth data rectify` and `data undistort`: frames without distortion, pairs with common rows."""

from __future__ import annotations

from pathlib import Path

from selfsup_depth.commands.parser import CommandParser


def run_rectify(arguments: list[str]) -> None:
    """Rectify pairs.

    Raises:
        SelfsupDepthError: an argument is wrong, the pairs cannot be used, or the folder not written.
    """
    given = make_rectify_parser().parse_args(arguments)
    from selfsup_depth.data.lens_correction import rectify

    count = rectify(given.input, given.output, given.calibration)
    print(f"written: {given.output} ({count} pairs); train with --config conf/data/stereo_pairs.yaml")


def run_undistort(arguments: list[str]) -> None:
    """Take the lens's distortion out of frames.

    Raises:
        SelfsupDepthError: as above.
    """
    given = make_undistort_parser().parse_args(arguments)
    from selfsup_depth.data.lens_correction import undistort

    count = undistort(given.input, given.output, given.calibration)
    print(f"written: {given.output} ({count} frames); train with --config conf/data/frame_folder.yaml")


def make_rectify_parser() -> CommandParser:
    """The options of `data rectify`."""
    what = "Write raw pairs so that points stand in the same row of both images, and camera.yaml for them."
    return _parser(
        "rectify", what, "folder with left/ and right/", "fx ... distortion, right_fx ..., R and T"
    )


def make_undistort_parser() -> CommandParser:
    """The options of `data undistort`."""
    what = "Write frames without the distortion of their lens, and camera.yaml for them."
    return _parser("undistort", what, "folder with frames", "fx, fy, cx, cy and distortion")


def _parser(action: str, what: str, source: str, keys: str) -> CommandParser:
    parser = CommandParser(prog=f"selfsup-depth data {action}", description=what)
    add = parser.add_argument
    add("input", type=Path, metavar="DIR", help=source)
    add("--output", type=Path, required=True, metavar="DIR", help="folder to make")
    told = f"lines KEY: NUMBERS ({keys}), as OpenCV gives them; default: camera.yaml in the folder"
    add("--calibration", type=Path, metavar="FILE", help=told)
    return parser
