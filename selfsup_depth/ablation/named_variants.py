"""Named sets of flags in a text file, one a line: NAME: FLAGS."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from selfsup_depth.errors import ConfigError
from selfsup_depth.resources import find_resource
from selfsup_depth.suggestions import did_you_mean

DEFAULT_FILE = "ablations.txt"


def named_lines(wanted: str) -> dict[str, list[str]]:
    """Words of the lines that are asked for, by name.

    Args:
        wanted: a file, all of whose lines are meant; FILE:NAME,NAME; or NAME,NAME of
            conf/ablations.txt.

    Raises:
        ConfigError: there is no such file or line, or it cannot be read.
    """
    file_name, colon, names = wanted.rpartition(":")
    if not colon:
        file_name, names = (wanted, "") if _is_file_name(wanted) else (DEFAULT_FILE, wanted)
    try:
        file = find_resource("conf", file_name)
    except ConfigError:
        fix = f"give a text file with a line for each, as conf/{DEFAULT_FILE}"
        raise ConfigError(f"no file of variants, in {file_name}; {fix}") from None
    lines = read_lines(file)
    chosen = [name.strip() for name in names.split(",")] if names else list(lines)
    for name in chosen:
        if name not in lines:
            raise ConfigError(f"no variant is named {name}, in {file}; {did_you_mean(name, lines)}")
    return {name: lines[name] for name in chosen}


def read_lines(file: Path) -> dict[str, list[str]]:
    """Words of every line by its name.

    Raises:
        ConfigError: a line is not NAME: FLAGS, or a name stands twice.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the variants cannot be read, in {file}; give a text file") from error
    lines: dict[str, list[str]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        found = re.fullmatch(r"\s*([\w.=+-]+)\s*:\s+(\S.*)", line)
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not found or found[1] in lines:
            rule = "not NAME: FLAGS, the name of letters, digits and ._=+-"
            what = f"{found[1]} stands twice" if found else rule
            raise ConfigError(
                f"{what}, in {file}:{number}; write e.g. l1: --model.losses.photometric.ssim_weight=0"
            )
        try:
            lines[found[1]] = shlex.split(found[2], comments=True)
        except ValueError as error:
            raise ConfigError(f"{error}, in {file}:{number}; close the quotation") from error
    return lines


def _is_file_name(text: str) -> bool:
    return "/" in text or text.endswith(".txt") or Path(text).is_file()
