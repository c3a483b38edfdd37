"""`selfsup-depth train`: from arguments to a run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from selfsup_depth.commands.parser import CommandParser, split_dotted
from selfsup_depth.commands.run_options import add_run_options, flags_of
from selfsup_depth.errors import ConfigError
from selfsup_depth.training.configuration import resolve
from selfsup_depth.training.layers import stack_layers
from selfsup_depth.training.option_help import all_sections_help, topic_help
from selfsup_depth.training.run_directory import Resume

AUTO = "auto"

EPILOG = """
Every other option is an argument of a constructor, written --SECTION.OPTION VALUE, or in a
YAML file given with --config. Files are merged, the later over the earlier, flags over all.
weight 0 switches a loss term off. --help NAME explains a class or a section.
"""


class TrainArguments(NamedTuple):
    """What to train, and where.

    config: resolved, plain values.
    run: folder of the run.
    resume: whether it goes on from its last checkpoint; "auto": if there is one.
    overwrite: replace what is there.
    allow_change: keys, or beginnings of keys, in which a resumed run may differ from before.
    """

    config: dict[str, Any]
    run: Path
    resume: Resume
    overwrite: bool
    allow_change: Sequence[str] = ()


def run(arguments: list[str]) -> None:
    """Train as the arguments say."""
    from selfsup_depth.training.run import fit  # seconds, and not needed to refuse arguments

    given = parse_train_arguments(arguments)
    fit(given.config, given.run, given.resume, given.overwrite, given.allow_change)


def parse_train_arguments(arguments: Sequence[str]) -> TrainArguments:
    """Read the command's arguments.

    Raises:
        ConfigError: one is unknown, contradicts another, or is refused by the configuration.
        SystemExit: help was asked for, and printed.
    """
    from selfsup_depth.training.sections import SECTIONS

    rest, flags = split_dotted(arguments)
    parser = make_parser()
    given = parser.parse_args(rest)
    if given.help is not None:
        everything = f"{parser.format_help()}\n{all_sections_help(SECTIONS)}"
        print(topic_help(given.help, SECTIONS) if given.help else everything)
        raise SystemExit(0)
    flags += flags_of(given)
    folder, resume = place_of(given)
    files = given.config or ([recorded_config(folder)] if resume == "yes" else [])
    if not files:
        raise ConfigError("no configuration is given; start from --config conf/demo.yaml")
    config = resolve(stack_layers(files, flags), SECTIONS)
    return TrainArguments(config, folder, resume, given.overwrite, given.allow_change)


def make_parser() -> CommandParser:
    """The options that are the command's own."""
    parser = CommandParser(
        prog="selfsup-depth train",
        description="Train a depth network, then evaluate it.",
        usage="selfsup-depth train --config FILE [--config FILE ...] [--SECTION.OPTION VALUE ...] [...]",
        epilog=EPILOG,
        add_help=False,
    )
    add = parser.add_argument
    add(
        "--config",
        action="append",
        default=[],
        metavar="FILE",
        help="YAML file, or a name inside conf/; repeatable",
    )
    add("--run", type=Path, metavar="DIR", help="folder of the run; default: runs/ and the time")
    add(
        "--resume",
        metavar="DIR|auto",
        help="go on with a run from its last checkpoint; auto: with that of --run, or start it",
    )
    add(
        "--allow-change",
        action="append",
        default=[],
        metavar="KEY",
        help="option in which a resumed run may differ from before, or the beginning of several; repeatable",
    )
    add("--overwrite", action="store_true", help="replace an earlier run in the folder")
    add("--seed", metavar="INT", help="of everything random; default: 0")
    add_run_options(parser)
    add(
        "-h",
        "--help",
        nargs="?",
        const="",
        metavar="NAME",
        help="this text, or what is said about a class or a section",
    )
    return parser


def place_of(given: Any) -> tuple[Path, Resume]:
    """The folder of the run, and whether it goes on with one that is there.

    Raises:
        ConfigError: the options contradict each other.
    """
    for option in ("overwrite",) if given.resume else ("allow_change",):
        if getattr(given, option):
            other = "does not go with" if given.resume else "is for a resumed run, with"
            raise ConfigError(f"--{option.replace('_', '-')} {other} --resume; leave it out")
    if given.resume == AUTO:
        if not given.run:
            raise ConfigError("--resume auto does not know where; add --run DIR, always the same")
        return given.run, "auto"
    if given.resume and given.run and given.run.resolve() != Path(given.resume).resolve():
        raise ConfigError("--run and --resume name different folders; leave --run out")
    if given.resume:
        return Path(given.resume), "yes"
    return given.run or Path("runs", time.strftime("%Y-%m-%d-%H%M%S")), "no"


def recorded_config(folder: Path) -> Path:
    """The configuration that a run wrote down.

    Raises:
        ConfigError: the folder holds none.
    """
    file = folder / "config.yaml"
    if not file.is_file():
        raise ConfigError(f"no run to go on with, in {folder}; give --resume a folder with config.yaml")
    return file
