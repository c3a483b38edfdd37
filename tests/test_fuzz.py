"""Damaged input for every reader: refused in one line or sound, never anything else.

`make fuzz N=...` does the same with as many inputs as one has time for.
"""

from __future__ import annotations

import warnings

import data_trees as trees
import pytest
from faults.fuzz import fuzz, outcome
from faults.mutation import TOKENS
from faults.parser import Parser
from faults.parsers import PARSERS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfsup_depth.data.text_files import parse_numbers
from selfsup_depth.errors import DataError

TEXT = [name for name, parser in PARSERS.items() if parser.is_text and parser.share == 1]


@pytest.mark.parametrize("name", PARSERS)
def test_damaged_files_are_refused_or_sound(name):
    num_inputs = round(600 * max(PARSERS[name].share, 0.1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tally = fuzz(PARSERS[name], num_inputs, seed=1)
    assert not tally.failed
    assert tally.refused > 0
    assert tally.accepted + tally.refused == num_inputs


def name_of_file(name: str) -> str:
    _, slash, suffix = PARSERS[name].suffix.rpartition("/")
    return suffix if slash else f"input{suffix}"


@pytest.mark.parametrize("name", PARSERS)
def test_the_undamaged_file_is_accepted(name, tmp_path):
    path = tmp_path / name_of_file(name)
    path.write_bytes(PARSERS[name].seed())
    assert outcome(PARSERS[name], path, b"", shown=True) == "accepted"


# What `make fuzz` and thinking found; each was an exception of another kind, or not finite later.
FOUND = {
    "cameras.txt of COLMAP": [b"1 PINHOLE 0 40 50 50 28.5 19.5", b"1 PINHOLE 60.5 40 50 50 28.5 19.5"],
    "camera.yaml": [b"fx: 50\nwidth: 0\nheight: 40\n", b"fx: 50\nwidth: -60\nheight: -40\n"],
    "calib.txt": [f"P_rect_02: {trees.projection(0)}\nS_rect_02: 0 40\n".encode()],
    "speed.csv": [b"0,1e308\n1,1e308\n"],
    "poses.txt": [b"1 0 0 1e308 0 1 0 0 0 0 1 0\n" * 3],
    "trajectory of TUM": [b"0 1e308 0 0 0 0 0 1\n1 -1e308 0 0 0 0 0 1\n"],
    "result .json": [
        PARSERS["result .json"].seed().replace(b'"rmse": 0.5', b'"rmse": ' + value, 2)
        for value in (b"NaN", b"1e400", b"1e308", b"1" + b"0" * 400)
    ],
    # Where its rows begin is said in fractions, and in floating point.
    "image TIFF": [
        PARSERS["image TIFF"].seed().replace(b"\x11\x01\x04\0", b"\x11\x01" + kind + b"\0")
        for kind in (b"\x05", b"\x0c")
    ],
    "measured points": ["\u2028".encode(), b"\x0c", b"a.png 3 4 5.5e-320"],
    "oxts pose": [b"49 1e307 0" + b" 0" * 27 + b"\n", b"49 8 112 0 0 0 0 0 1e308" + b" 0" * 21 + b"\n"],
}


@pytest.mark.parametrize(("name", "content"), [(name, one) for name, all_ in FOUND.items() for one in all_])
def test_what_was_found_is_refused(name, content, tmp_path):
    path = tmp_path / name_of_file(name)
    path.write_bytes(content)
    assert outcome(PARSERS[name], path, content, shown=True) == "refused"


def test_a_reader_that_fails_is_counted():
    def careless(path):
        float(path.read_bytes()[:3])

    assert fuzz(Parser(lambda: b"1.5", careless), 50, seed=0).failed > 0


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
    path = tmp_path / name_of_file(name)
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
