"""Damaged input for every reader: refused in one line or sound, never anything else.

`make fuzz N=...` does the same with as many inputs as one has time for.
"""

from __future__ import annotations

import warnings

import pytest
from faults.fuzz import fuzz, outcome
from faults.mutation import TOKENS
from faults.parsers import PARSERS, Parser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfsup_depth.data.text_files import parse_numbers
from selfsup_depth.errors import DataError

TEXT = [name for name, parser in PARSERS.items() if parser.suffix.endswith(".txt")]


@pytest.mark.parametrize("name", PARSERS)
def test_damaged_files_are_refused_or_sound(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        count = fuzz(PARSERS[name], round(600 * max(PARSERS[name].share, 0.2)), seed=1)
    assert not count["failed"]
    assert count["refused"] > 0
    assert count["accepted"] + count["refused"] == count["inputs"]


@pytest.mark.parametrize("name", PARSERS)
def test_the_undamaged_file_is_accepted(name, tmp_path):
    path = tmp_path / f"0000000000{PARSERS[name].suffix.rpartition('/')[2][-5:]}"
    path.write_bytes(PARSERS[name].seed())
    assert outcome(PARSERS[name], path, b"", shown=True) == "accepted"


def test_a_reader_that_fails_is_counted():
    def careless(path):
        float(path.read_bytes()[:3])

    count = fuzz(Parser(lambda: b"1.5", careless), 50, seed=0)
    assert count["failed"] > 0


PIECES = st.one_of(st.text(max_size=12), st.sampled_from([token.decode("latin-1") for token in TOKENS]))


@pytest.mark.parametrize("name", TEXT)
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(pieces=st.lists(PIECES, max_size=8), keep=st.floats(0, 1))
def test_text_of_any_kind_is_refused_or_sound(name, tmp_path, pieces, keep):
    """What a mutation of bytes hardly makes: Unicode, and whole other lines."""
    seed = PARSERS[name].seed().decode()
    text = seed[: round(keep * len(seed))] + " ".join(pieces)
    path = tmp_path / "0000000000.txt"
    path.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
    assert outcome(PARSERS[name], path, b"", shown=True) != "failed"


@given(st.text("0123456789.eE+-_ \u00a0\u2003٣nainf", max_size=20))
@settings(deadline=None, derandomize=True)
def test_a_number_is_what_the_grammar_says(text):
    try:
        numbers = parse_numbers(text, "x:1")
    except DataError:
        return
    assert text.isascii()
    assert "_" not in text
    assert numbers == [float(word) for word in text.split()]


def test_a_line_of_digits_takes_no_hour():
    """A grammar that reads digits in two ways tries every division of them."""
    with pytest.raises(DataError, match="not a finite number"):
        parse_numbers("1" * 200_000 + "x", "x:1")
