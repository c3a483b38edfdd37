"""`selfsup-depth train`: from arguments to a run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from selfsup_depth.commands.parser import CommandParser, split_dotted
from selfsup_depth.errors import ConfigError
from selfsup_depth.training.configuration import resolve
from selfsup_depth.training.layers import stack_layers
from selfsup_depth.training.option_help import all_sections_help, topic_help

# What a resumed run may change: how far it goes, not what it is.
RESUMABLE = {"trainer.max_steps", "trainer.max_epochs"}

EPILOG = """
Every other option is an argument of a constructor, written --SECTION.OPTION VALUE, or in a
YAML file given with --config. Files are merged, the later over the earlier, flags over all.
weight 0 switches a loss term off. --help NAME explains a class or a section.
"""


class TrainArguments(NamedTuple):
    """What to train, and where.

    config: resolved, plain values.
    run: folder of the run.
    resume: go on from its last checkpoint.
    overwrite: replace what is there.
    """

    config: dict[str, Any]
    run: Path
    resume: bool
    overwrite: bool


def run(arguments: list[str]) -> None:
    """Train as the arguments say."""
    from selfsup_depth.training.run import fit  # seconds, and not needed to refuse arguments

    given = parse_train_arguments(arguments)
    fit(given.config, given.run, given.resume, given.overwrite)


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
    if given.seed is not None:
        flags.append(("seed", given.seed))
    folder = given.resume or given.run or Path("runs", time.strftime("%Y-%m-%d-%H%M%S"))
    files = given.config
    if given.resume:
        refuse_with_resume(given, flags)
        files = [recorded_config(folder)]
    elif not files:
        raise ConfigError("no configuration is given; start from --config conf/demo.yaml")
    config = resolve(stack_layers(files, flags), SECTIONS)
    return TrainArguments(config, folder, bool(given.resume), given.overwrite)


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
    add("--resume", type=Path, metavar="DIR", help="go on with a run from its last checkpoint")
    add("--overwrite", action="store_true", help="replace an earlier run in the folder")
    add("--seed", metavar="INT", help="of everything random; default: 0")
    add(
        "-h",
        "--help",
        nargs="?",
        const="",
        metavar="NAME",
        help="this text, or what is said about a class or a section",
    )
    return parser


def refuse_with_resume(given: Any, flags: list[tuple[str, str]]) -> None:
    """A resumed run takes its configuration from itself.

    Raises:
        ConfigError: something is given that would make it another run.
    """
    if given.run and given.run.resolve() != given.resume.resolve():
        raise ConfigError("--run and --resume name different folders; leave --run out")
    for option in ("config", "overwrite"):
        if getattr(given, option):
            raise ConfigError(f"--{option} does not go with --resume; leave one of them out")
    for name, _ in flags:
        if name not in RESUMABLE:
            raise ConfigError(
                f"--{name} would change a resumed run; only {', '.join(sorted(RESUMABLE))} can change"
            )


def recorded_config(folder: Path) -> Path:
    """The configuration that a run wrote down.

    Raises:
        ConfigError: the folder holds none.
    """
    file = folder / "config.yaml"
    if not file.is_file():
        raise ConfigError(f"no run to go on with, in {folder}; give --resume a folder with config.yaml")
    return file
