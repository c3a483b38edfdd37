"""What a run shows of what takes long beside its steps."""

from __future__ import annotations

import itertools
import types

import pytest
import tqdm

from selfsup_depth.training import progress
from selfsup_depth.training.progress import Progress, passing_bar


@pytest.mark.parametrize(("seconds", "shown"), [(2.0, True), (0.1, False)])
def test_what_takes_long_has_a_bar(seconds, shown, monkeypatch, capsys):
    """By a clock that each item moves."""
    clock = itertools.count(step=seconds)
    monkeypatch.setattr(tqdm.std, "time", lambda: next(clock))
    monkeypatch.setattr(progress, "LOG_INTERVAL", 0.0)
    assert list(passing_bar(range(5), "evaluating", 5, "image")) == [0, 1, 2, 3, 4]
    assert ("evaluating" in capsys.readouterr().err) == shown


def test_the_end_of_a_run_shows_what_it_is_at(train, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    assert train(tmp_path / "run") == 0
    told = capfd.readouterr().err
    assert told.index("training") < told.index("evaluating") < told.index("rebuilding views")


def test_a_bar_that_stands_says_that_the_run_validates(monkeypatch):
    said = []
    callback = Progress()
    callback.bar = types.SimpleNamespace(set_description=lambda what, refresh: said.append(what))
    callback.on_validation_start(None, None)
    callback.on_validation_end(None, None)
    assert said == ["validating", "training"]


def test_what_ends_a_run_begins_a_line_whatever_came_between(capsys):
    def interrupted():
        raise RuntimeError("DataLoader worker (pid 1) is killed by signal: Killed.")

    callback = Progress()
    callback.bar = types.SimpleNamespace(close=interrupted)
    with pytest.raises(RuntimeError, match="killed by signal"):
        callback.close()
    assert capsys.readouterr().err == "\n"
    callback.close()
