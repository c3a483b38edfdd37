"""`selfsup-depth evaluate`: which kind of evaluation is asked for."""

from __future__ import annotations

from selfsup_depth.commands.evaluate_compare import USAGE as COMPARE_USAGE
from selfsup_depth.commands.evaluate_compare import compare_files
from selfsup_depth.commands.evaluate_depth import USAGE as DEPTH_USAGE
from selfsup_depth.commands.evaluate_depth import evaluate_depth
from selfsup_depth.commands.evaluate_odometry import USAGE as ODOMETRY_USAGE
from selfsup_depth.commands.evaluate_odometry import evaluate_odometry_files
from selfsup_depth.errors import ConfigError
from selfsup_depth.suggestions import did_you_mean

KINDS = {"depth": evaluate_depth, "odometry": evaluate_odometry_files, "compare": compare_files}


def run(arguments: list[str]) -> None:
    """Evaluate what the first argument names.

    Raises:
        ConfigError: an argument is wrong.
    """
    kind, rest = (arguments[0], arguments[1:]) if arguments else ("--help", [])
    if kind in ("-h", "--help"):
        print(f"usage:{DEPTH_USAGE}\n  {ODOMETRY_USAGE}\n  {COMPARE_USAGE}")
    elif kind not in KINDS:
        raise ConfigError(f"evaluate takes no {kind}; {did_you_mean(kind, KINDS)}")
    else:
        KINDS[kind](rest)
