"""`selfsup-depth losses`: complete without a list kept by hand, and without Lightning."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys

import pytest
import yaml

from selfsup_depth.cli import main
from selfsup_depth.losses.base import LossTerm
from selfsup_depth.resources import find_resource, known_resources
from selfsup_depth.training.constructors import known_classes
from selfsup_depth.training.loss_catalogue import entry_of, source_of, term_name


def listed(capsys, *names):
    assert main(["losses", "--json", *names]) == 0
    return {entry["class_name"]: entry for entry in json.loads(capsys.readouterr().out)}


def test_every_term_of_the_package_is_listed_with_what_its_constructor_takes(capsys):
    entries = listed(capsys)
    for cls in known_classes(LossTerm):
        entry = entries.pop(cls.__name__)
        names = list(inspect.signature(cls).parameters)
        assert [option["name"] for option in entry["options"]] == names
        assert all(option["description"] for option in entry["options"]), cls
        assert entry["purpose"]
        assert "\n" not in entry["purpose"]
    assert not entries


def test_recipes_are_those_that_name_the_class(capsys):
    entries = listed(capsys)
    for name, file in known_resources("conf", "method").items():
        terms = yaml.safe_load(file.read_text())["model"]["losses"]
        used = {term["class_path"].rpartition(".")[2] for term in terms.values()}
        recipe = name.removeprefix("method/").removesuffix(".yaml")
        assert used == {cls for cls, entry in entries.items() if recipe in entry["recipes"]}
    assert "velocity" in entries["Velocity"]["recipes"]


def test_it_answers_without_lightning():
    program = (
        "import sys; from selfsup_depth.cli import main; code = main(['losses']);"
        "print([name for name in sys.modules if 'lightning' in name], code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[] 0"
    assert "smoothness (Smoothness)" in done.stdout


def test_one_term_is_explained_by_either_of_its_names(capsys):
    assert main(["losses", "LeftRightConsistency"]) == 0
    by_class = capsys.readouterr().out
    assert main(["losses", "left_right_consistency"]) == 0
    assert capsys.readouterr().out == by_class
    assert "--model.losses.left_right_consistency.weight  float = 1.0" in by_class
    assert "photometric" not in by_class


def test_a_term_of_ones_own_is_explained_by_its_path(capsys):
    assert main(["losses", f"{__name__}.OfAPaper"]) == 0
    said = capsys.readouterr().out
    assert "Nothing, very exactly." in said
    assert re.search(rf"to use it: --model\.losses\.\w+={__name__}\.OfAPaper\n", said)


def test_an_unknown_term_is_answered_with_the_nearest(capsys):
    assert main(["losses", "smothness"]) == 2
    error = capsys.readouterr().err
    assert error == "error: no loss term is named smothness; did you mean smoothness?\n"


class OfAPaper(LossTerm):
    """Nothing, very exactly.

    And no more than that.

    Args:
        weight: factor in the weighted sum.

    Source: Nobody, "On nothing",
        2001.
    """


class OfNoPaper(LossTerm):
    """Nothing."""


def test_the_paper_is_read_from_the_docstring(capsys):
    assert source_of(OfAPaper) == 'Nobody, "On nothing", 2001.'
    assert source_of(OfNoPaper) == ""
    entry = entry_of(OfAPaper, [])
    assert (entry.purpose, entry.details) == ("Nothing, very exactly.", "And no more than that.")
    assert entry.options[0].description == "factor in the weighted sum."


@pytest.mark.parametrize(
    ("name", "expected"), [("Velocity", "velocity"), ("LeftRightConsistency", "left_right_consistency")]
)
def test_a_terms_name_is_its_class_in_words(name, expected):
    assert term_name(type(name, (), {})) == expected


def test_known_resources_can_all_be_found():
    found = known_resources("conf", "data")
    assert found["data/synthetic.yaml"] == find_resource("conf", "conf/data/synthetic.yaml")
    assert not [name for name in found if not name.startswith("data/")]
