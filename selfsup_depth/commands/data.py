"""`selfsup-depth data`: data to train on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from selfsup_depth.commands import data_check, data_from_video, data_lens, data_measured, data_pack
from selfsup_depth.commands.parser import CommandParser
from selfsup_depth.errors import ConfigError
from selfsup_depth.suggestions import did_you_mean

SYNTHESIZE = "selfsup-depth data synthesize"
ACTIONS = {
    "synthesize": "render drives through a street, in the layout of KITTI raw",
    "from-video": "write the frames of a video into a folder",
    "rectify": "write raw stereo pairs as rectified ones",
    "undistort": "write frames without the distortion of their lens",
    "pack": "resize the frames once, so that no epoch decodes them again",
    "check": "tell whether training on data can work, before anything is trained",
    "measured": "count the test frames that have measured depth, and write it",
}
COMMANDS = {
    "from-video": data_from_video.run,
    "rectify": data_lens.run_rectify,
    "undistort": data_lens.run_undistort,
    "pack": data_pack.run,
    "check": data_check.run,
    "measured": data_measured.run,
}


def run(arguments: list[str]) -> None:
    """Do what the first argument names.

    Raises:
        ConfigError: an argument is wrong.
    """
    action, rest = (arguments[0], arguments[1:]) if arguments else ("--help", [])
    if action in ("-h", "--help"):
        actions = "\n".join(f"  {name:<12}{summary}" for name, summary in ACTIONS.items())
        print(f"usage: selfsup-depth data ACTION [OPTION ...]\n\nactions:\n{actions}")
    elif action not in ACTIONS:
        raise ConfigError(f"data takes no {action}; {did_you_mean(action, ACTIONS)}")
    elif action in COMMANDS:
        COMMANDS[action](rest)
    else:
        synthesize(rest)


def synthesize(arguments: list[str]) -> None:
    """Render a set of synthetic drives; its options are the fields of SyntheticOptions."""
    from selfsup_depth.data import synthetic_drive
    from selfsup_depth.data.synthetic_options import SyntheticOptions
    from selfsup_depth.training.configuration import Section, build, resolve
    from selfsup_depth.training.constructors import options_of
    from selfsup_depth.training.layers import stack_layers

    options = options_of(SyntheticOptions)
    given = vars(make_parser(SyntheticOptions).parse_args(arguments))
    flags = [(name, given[name]) for name in options if given[name] is not None]
    single = {name: Section(option.hint, value=option.default) for name, option in options.items()}
    chosen = {"options": resolve(stack_layers([], flags), single)}
    synthetic_drive.synthesize(
        given["output"], build(chosen, {"options": Section(SyntheticOptions)})["options"]
    )
    print(f"written: {given['output']}")


def make_parser(options_class: type) -> CommandParser:
    """The options of `data synthesize`."""
    from selfsup_depth.training.constructors import options_of, type_name
    from selfsup_depth.training.option_help import default_text, said_of_options

    parser = CommandParser(prog=SYNTHESIZE, description="Render drives through a street with exact depth.")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder to make")
    said = said_of_options(options_class)
    for name, option in options_of(options_class).items():
        shown = f"{said.get(name, '')} default: {default_text(option.default)}"
        switch: dict[str, Any] = {"nargs": "?", "const": "true"} if option.hint is bool else {}
        metavar = type_name(option.hint).upper()
        parser.add_argument(f"--{name}", metavar=metavar, help=shown.replace("%", "%%"), **switch)
    return parser
