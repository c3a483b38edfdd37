"""`selfsup-depth losses`: what terms there are, from which papers, with which options."""

from __future__ import annotations

import json
import shutil
import textwrap
from typing import TYPE_CHECKING

from selfsup_depth.commands.parser import CommandParser

if TYPE_CHECKING:
    from selfsup_depth.training.loss_catalogue import TermEntry

NONE = "–"


def run(arguments: list[str]) -> None:
    """Print every term, or one in detail.

    Raises:
        ConfigError: there is no such term.
    """
    given = make_parser().parse_args(arguments)
    from selfsup_depth.training.loss_catalogue import catalogue, entry_named

    entries = [entry_named(name) for name in given.terms] or catalogue()
    if given.json:
        shown = [
            {**entry._asdict(), "options": [option._asdict() for option in entry.options]}
            for entry in entries
        ]
        print(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    print("\n\n".join(detailed(entry) if given.terms else brief(entry) for entry in entries))
    if not given.terms:
        print("\nselfsup-depth losses NAME explains the options of one; weight 0 switches a term off.")


def make_parser() -> CommandParser:
    """The options of this command."""
    parser = CommandParser(
        prog="selfsup-depth losses",
        description="List the loss terms: purpose, paper, options, and the recipes that use them.",
    )
    parser.add_argument("terms", nargs="*", metavar="NAME", help="only these, with their options explained")
    parser.add_argument("--json", action="store_true", help="everything as JSON")
    return parser


def brief(entry: TermEntry) -> str:
    """A term in a few lines."""
    options = ", ".join(f"{option.name}: {option.type} = {option.default}" for option in entry.options)
    return "\n".join([*_heading(entry), *_paragraph("options", options or NONE)])


def detailed(entry: TermEntry) -> str:
    """A term with every option explained, and how it is switched on."""
    lines = _heading(entry)
    if entry.details:
        lines += ["", *_filled(entry.details, "  ")]
    lines.append("")
    for option in entry.options:
        flag = f"--model.losses.{entry.name}.{option.name}"
        default = f" = {option.default}" if option.default else ""
        lines += [f"  {flag}  {option.type}{default}", *_filled(option.description, "      ")]
    return "\n".join([*lines, "", f"  to use it: --model.losses.{entry.name}={entry.class_name}"])


def _heading(entry: TermEntry) -> list[str]:
    return [
        f"{entry.name} ({entry.class_name})",
        *_filled(entry.purpose, "  "),
        *_paragraph("paper", entry.source or NONE),
        *_paragraph("recipes", ", ".join(entry.recipes) or NONE),
    ]


def _paragraph(label: str, text: str) -> list[str]:
    return _filled(text, " " * 11, first=f"  {label + ':':<9}")


def _filled(text: str, margin: str, first: str | None = None) -> list[str]:
    width = min(110, shutil.get_terminal_size((100, 24)).columns)
    return textwrap.wrap(
        text, width, initial_indent=margin if first is None else first, subsequent_indent=margin
    )
