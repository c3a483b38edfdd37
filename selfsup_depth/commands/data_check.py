"""`selfsup-depth data check`: whether data can be learned from, before anything is trained."""

from __future__ import annotations

import json
import textwrap
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfsup_depth.commands.parser import CommandParser, split_dotted
from selfsup_depth.errors import ConfigError, DataError

if TYPE_CHECKING:
    from selfsup_depth.data.check.evidence import DepthRange
    from selfsup_depth.data.check.gathering import Report

PROGRAM = "selfsup-depth data check"
MARKS = {"error": "ERROR", "warning": "warning", "fact": "ok"}
_WIDTH = 110


def run(arguments: list[str]) -> None:
    """Look at data as it would be trained on, and say what is wrong with it.

    Raises:
        ConfigError: an option is wrong.
        DataError: the data makes training pointless, or cannot be read.
    """
    rest, flags = split_dotted(arguments)
    given = make_parser().parse_args(rest)
    data, depth_range = configured(given.config, flags)
    from selfsup_depth.data.check.gathering import examine
    from selfsup_depth.training.storage import write_text

    report = examine(data, depth_range, progress=True)
    print(as_text(report))
    if given.json:
        write_text(given.json, json.dumps(as_json(report), indent=2) + "\n")
    if given.html:
        from selfsup_depth.commands.data_check_page import page

        write_text(given.html, page(report))
        print(f"written: {given.html}")
    if errors := report.of("error"):
        more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
        raise DataError(f"{errors[0].line}{more}")


def make_parser() -> CommandParser:
    """The options of `data check`."""
    parser = CommandParser(
        prog=PROGRAM,
        description="Tell whether training on this data can work. Exit code 3: it is pointless.",
        usage=f"{PROGRAM} --config conf/data/LAYOUT.yaml --data.root DIR [--json FILE] [--html FILE] [...]",
        epilog="A recipe as a further --config says which neighbours and depths it would learn from.",
    )
    add = parser.add_argument
    add(
        "--config",
        action="append",
        default=[],
        metavar="FILE",
        help="YAML file, or a name inside conf/; repeatable",
    )
    add("--json", type=Path, metavar="FILE", help="write what was found, for programs")
    add("--html", type=Path, metavar="FILE", help="write a page with the pictures that show it")
    return parser


def configured(files: list[str], flags: list[tuple[str, str]]) -> tuple[Any, DepthRange]:
    """The data module, and the depths that the network of the recipe can say.

    Raises:
        ConfigError: no file is given, or what they say is refused.
    """
    if not files:
        raise ConfigError("no configuration is given; start from --config conf/data/frame_folder.yaml")
    from selfsup_depth.data.check.evidence import DepthRange
    from selfsup_depth.training.configuration import build, resolve
    from selfsup_depth.training.layers import stack_layers
    from selfsup_depth.training.sections import SECTIONS

    layers = stack_layers(files, flags)
    has_recipe = "model" in layers.values
    config = resolve(layers, SECTIONS if has_recipe else {**SECTIONS, "model": SECTIONS["seed"]})
    data = build({"data": config["data"]}, {"data": SECTIONS["data"]})["data"]
    network = config["model"]["init_args"].get("depth_net", {}).get("init_args", {}) if has_recipe else {}
    known = {"nearest": "min_depth", "farthest": "max_depth", "first": "first_depth"}
    return data, DepthRange(**{name: network[key] for name, key in known.items() if key in network})


def as_text(report: Report) -> str:
    """One page: a heading for each check, the worst words first in a line."""
    lines = [f"data check of {report.root}", ""]
    for heading, findings in groupby(report.findings, key=lambda item: item[0]):
        for number, (_, finding) in enumerate(findings):
            start = f"{heading if not number else '':<15}{MARKS[finding.severity]:<9}"
            told = textwrap.wrap(
                finding.line, _WIDTH - len(start), break_long_words=False, break_on_hyphens=False
            )
            lines += [start + told[0], *(" " * len(start) + line for line in told[1:])]
    return "\n".join([*lines, "", verdict(report)])


def as_json(report: Report) -> dict[str, Any]:
    """What was found, for programs."""
    findings = [
        {
            "check": heading,
            "severity": finding.severity,
            "what": finding.what,
            "where": finding.where,
            "fix": finding.fix,
            "pictures": [str(picture) for picture in finding.pictures],
        }
        for heading, finding in report.findings
    ]
    counts = {f"num_{name}s": len(report.of(name)) for name in ("error", "warning")}
    return {"root": str(report.root), "verdict": verdict(report), **counts, "findings": findings}


def verdict(report: Report) -> str:
    """Whether training can work, in a sentence."""
    num_errors, num_warnings = len(report.of("error")), len(report.of("warning"))
    if num_errors:
        return f"Training on this is pointless: {num_errors} error{'s' * (num_errors > 1)} to mend first."
    if num_warnings:
        return f"Training can work; {num_warnings} warning{'s' * (num_warnings > 1)} to look at."
    return "Training can work: nothing to mend."
