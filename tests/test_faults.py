"""The faults of tests/faults in one process; `make faults` runs all of them from outside."""

from __future__ import annotations

import os

import pytest
from faults.table import CASES
from faults.workshop import Outcome, Workshop, faults_of, train_once

from selfsup_depth.cli import main

# What trains for several steps, looks at hundreds of files or needs another user is for `make faults`.
SLOW = ("21", "10", "11", "42w", "31", "45t")
QUICK = [case for case in CASES if case.number[-1] != "s" and case.number not in SLOW]


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory):
    """A tiny run, trained once."""
    shop = Workshop(tmp_path_factory.mktemp("trained"), run_here, lambda: None)
    train_once(shop)
    return shop.folder / "run"


def run_here(arguments, folder):
    before = os.getcwd()
    os.chdir(folder)
    try:
        return Outcome(main(arguments), "")
    finally:
        os.chdir(before)


def test_enough_faults_are_tried_and_each_has_a_row():
    assert len({case.number for case in QUICK}) >= 30
    numbers = {case.number for case in CASES}
    assert {str(number) for number in range(1, 65)} <= numbers
    assert len(numbers) == len(CASES)


@pytest.mark.parametrize("case", QUICK, ids=lambda case: f"{case.number} {case.fault}")
def test_a_fault_is_answered_in_one_line_with_its_exit_code(case, tmp_path, capfd, request, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shop = Workshop(tmp_path, run_here, lambda: request.getfixturevalue("trained_run"))
    arguments = case.make(shop)
    capfd.readouterr()
    with case.around(shop):
        code = run_here(arguments, tmp_path).code
    wrong = faults_of(case, Outcome(code, capfd.readouterr().err), shop)
    assert not wrong
