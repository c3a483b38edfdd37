"""`selfsup-depth data from-video`: the frames of a video as a folder."""

from __future__ import annotations

from pathlib import Path

from selfsup_depth.commands.parser import CommandParser
from selfsup_depth.data.images import MAX_PIXELS
from selfsup_depth.errors import ConfigError

PROGRAM = "selfsup-depth data from-video"


def run(arguments: list[str]) -> None:
    """Extract frames.

    Raises:
        SelfsupDepthError: an argument is wrong, the video cannot be read, or the folder not written.
    """
    given = make_parser().parse_args(arguments)
    size = None if given.size is None else _size(given.size)
    from selfsup_depth.data.video_extraction import extract_frames

    count = extract_frames(given.video, given.output, given.every, given.start, given.end, size)
    print(f"written: {given.output} ({count} frames)")


def make_parser() -> CommandParser:
    """The options of `data from-video`."""
    parser = CommandParser(prog=PROGRAM, description="Write the frames of a video into a folder, as PNG.")
    parser.add_argument("video", type=Path, metavar="VIDEO", help="mp4, mov, mkv, webm or avi")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder to make")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="one frame out of N (default 1)")
    parser.add_argument("--start", type=float, default=0.0, metavar="SECONDS", help="leave out before")
    parser.add_argument("--end", type=float, metavar="SECONDS", help="leave out from then on")
    parser.add_argument("--size", metavar="WIDTHxHEIGHT", help="resize to, for instance 640x360")
    return parser


def _size(text: str) -> tuple[int, int]:
    """Height and width from WIDTHxHEIGHT."""
    width, _, height = text.partition("x")
    if not (width.isascii() and height.isascii() and width.isdecimal() and height.isdecimal()):
        raise ConfigError(f"size is {text}; write it as WIDTHxHEIGHT, for instance --size 640x360")
    if not int(width) or not int(height):
        raise ConfigError(f"size is {text}; give a width and a height from 1 on")
    if int(height) * int(width) > MAX_PIXELS:
        raise ConfigError(f"size is {text}; give at most {MAX_PIXELS // 10**6} megapixels")
    return int(height), int(width)
