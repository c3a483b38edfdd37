"""The command line: which command runs, and what its end means.

Nothing heavy is imported until a command runs, so that --help answers at once.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
import traceback
from typing import NamedTuple

from selfsup_depth import __version__
from selfsup_depth.console import console
from selfsup_depth.errors import ConfigError, SelfsupDepthError, StorageError
from selfsup_depth.requirements import refuse_unsafe_packages
from selfsup_depth.suggestions import did_you_mean

PROGRAM = "selfsup-depth"
BUG = 70
# What a disk says that takes no more.
FULL = {errno.ENOSPC, errno.EDQUOT}


class Command(NamedTuple):
    """A module with `run(arguments)`, and what it does in a line."""

    module: str
    summary: str


COMMANDS = {
    "train": Command("selfsup_depth.commands.train", "train a depth network on stereo, on video, or on both"),
    "ablate": Command("selfsup_depth.commands.ablate", "train variants with several seeds and compare them"),
    "evaluate": Command("selfsup_depth.commands.evaluate", "compare depth or a path with the truth"),
    "predict": Command(
        "selfsup_depth.commands.predict", "predict depth of images and videos, clouds, the camera's path"
    ),
    "export": Command("selfsup_depth.commands.export", "write a trained network for other programs"),
    "losses": Command(
        "selfsup_depth.commands.losses", "list the loss terms: purpose, paper, options, recipes"
    ),
    "data": Command("selfsup_depth.commands.data", "make, convert, check and pack what is trained on"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code.

    0 done, 2 usage or configuration, 3 data, 4 checkpoint, 5 numeric, 6 storage, 7 run
    directory in use, 8 some runs of an ablation failed, 9 another process of the run was lost,
    130 interrupted, 141 nobody reads the output, 143 terminated, 70 a bug.

    Args:
        arguments: after the program's name; those of this process if absent.
    """
    given = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in given or os.environ.get("SELFSUP_DEPTH_DEBUG", "") not in ("", "0")
    with console(quiet=not debug):
        try:
            dispatch([argument for argument in given if argument != "--debug"])
            sys.stdout.flush()
        except SelfsupDepthError as error:
            return _refuse(str(error), error.exit_code, debug)
        except KeyboardInterrupt:
            return 130
        except BrokenPipeError:
            _drop_output()
            return 141
        except OSError as error:
            if error.errno not in FULL or error.filename:
                return _report_bug(error, debug)
            _drop_output()
            what = f"cannot write the output ({error.strerror}); free some space"
            return _refuse(what, StorageError.exit_code, debug)
        except SystemExit as ending:
            return ending.code if isinstance(ending.code, int) else 0 if ending.code is None else BUG
        except Exception as error:
            return _report_bug(error, debug)
    return 0


def dispatch(arguments: list[str]) -> None:
    """Run the command that the first argument names.

    Raises:
        ConfigError: there is no such command.
    """
    first, rest = (arguments[0], arguments[1:]) if arguments else ("--help", [])
    if first in ("-h", "--help", "help"):
        print(usage())
    elif first == "--version":
        print(f"{PROGRAM} {__version__}")
    elif first in COMMANDS:
        refuse_unsafe_packages()
        importlib.import_module(COMMANDS[first].module).run(rest)
    else:
        raise ConfigError(f"no command named {first}; {did_you_mean(first, COMMANDS)}")


def usage() -> str:
    """What --help prints."""
    commands = "\n".join(f"  {name:<10}{command.summary}" for name, command in COMMANDS.items())
    return f"""usage: {PROGRAM} COMMAND [OPTION ...]

Depth from rectified stereo pairs and video, learned without measured depth.

commands:
{commands}

  {PROGRAM} COMMAND --help   what a command takes
  {PROGRAM} --version        which version this is
  --debug                      with any command: the traceback of an error, and every library's messages

first steps:
  {PROGRAM} train --config conf/demo.yaml --run runs/demo"""


def _drop_output() -> None:
    """Let what is still to be printed go nowhere: closing standard output must not complain, too."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report_bug(error: Exception, debug: bool) -> int:
    what = f"bug, {type(error).__name__}: {error or 'no message'}"
    return _refuse(f"{what}; run it again with --debug and report what it prints", BUG, debug)


def _refuse(message: str, exit_code: int, debug: bool) -> int:
    """Say in one line what went wrong."""
    if debug:
        traceback.print_exc()
    if "tqdm" in sys.modules:
        for bar in list(getattr(sys.modules["tqdm"].tqdm, "_instances", [])):
            bar.close()  # its line would stand before the message
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return exit_code
