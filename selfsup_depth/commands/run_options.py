"""Options of a run that have a short name on the command line, of `train` and of `ablate`."""

from __future__ import annotations

import argparse
from typing import Any

# Short name and the key of the configuration that it stands for.
SHORT = {name: name for name in ("seed", "keep", "save_every", "process_timeout")} | {
    "on_bad_data": "data.on_bad_data"
}


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """All of them but the seed, of which an ablation has several."""
    add = parser.add_argument
    add("--keep", metavar="K", help="newest numbered checkpoints to keep beside last and best; default: 0")
    add("--save-every", metavar="STEPS", help="save this often, too; a tenth of the run is always saved")
    add(
        "--process-timeout",
        metavar="SECONDS",
        help="of several processes, wait this long for one; default: 600",
    )
    add("--on-bad-data", metavar="error|skip", help="the same as --data.on_bad_data; default: error")


def flags_of(given: Any) -> list[tuple[str, str]]:
    """Those that were given, as (KEY, VALUE) of the configuration."""
    return [(key, value) for name, key in SHORT.items() if (value := getattr(given, name, None)) is not None]
