"""Strict reading of the small text files that come with data sets.

Python's float() takes "7_21", Arabic digits and "nan"; in a calibration each is damage that
would go unseen. Every refusal names the file and the line.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from selfsup_depth.errors import DataError

MAX_BYTES = 64 * 2**20

# Each digit can be read in one way only: a pattern that can read "111..." in many takes hours to
# find out that none of them fits.
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)

# str.split and str.splitlines take a dozen other characters for blanks and for ends of lines,
# so that no editor would show the line that a message names.
_NEWLINE = re.compile(r"\r\n|\n|\r")
_WORD = re.compile(r"[^ \t]+")


def read_lines(path: Path, what: str) -> list[tuple[int, str]]:
    """Lines that are not blank, stripped, with their numbers from 1.

    Args:
        path: a UTF-8 text file.
        what: what the file is, for messages.

    Raises:
        DataError: the file is missing, too large or not text.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{what} is larger than {MAX_BYTES >> 20} MiB, in {path}; give a text file")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{what} is not UTF-8 text, in {path}; save it as plain text") from error
    except OSError as error:
        raise DataError(f"{what} cannot be read ({error.strerror}), in {path}; check the path") from error
    if "\0" in text:
        raise DataError(f"{what} holds NUL bytes, in {path}; save it as plain text")
    lines = ((number, line.strip(" \t")) for number, line in enumerate(_NEWLINE.split(text), start=1))
    return [(number, line) for number, line in lines if line]


def words_of(text: str) -> list[str]:
    """What stands between blanks and tabs."""
    return _WORD.findall(text)


def parse_numbers(text: str, where: str, count: int | None = None, finite: bool = True) -> list[float]:
    """Numbers between blanks.

    Args:
        text: what to read.
        where: FILE:LINE, for messages.
        count: how many there must be, None = any number of them.
        finite: refuse nan, inf and what overflows; if false these become NaN.

    Raises:
        DataError: a word is no number, or there are more or fewer than `count`.
    """
    words = words_of(text)
    if count is not None and len(words) != count:
        raise DataError(f"expected {count} numbers, found {len(words)}, in {where}; restore the file")
    return [_parse_number(word, where, finite) for word in words]


def _parse_number(word: str, where: str, finite: bool) -> float:
    if _NUMBER.fullmatch(word) and math.isfinite(number := float(word)):
        return number
    if not finite and (_NUMBER.fullmatch(word) or word.lower().lstrip("+-") in ("nan", "inf", "infinity")):
        return math.nan
    raise DataError(f"{word[:40]!r} is not a finite number, in {where}; restore the file")
