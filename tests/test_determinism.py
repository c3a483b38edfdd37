"""The same seed gives the same weights, bit by bit: for every recipe, for any number of workers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from test_training import EXTRA, same, weights

from selfsup_depth.training.pictures import Pictures

RECIPES = sorted(file.stem for file in Path(__file__).parents[1].glob("conf/method/*.yaml"))


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Without what costs time and has its own tests: pictures, and the table at the end."""
    monkeypatch.setattr(Pictures, "_draw", lambda *_: None)
    monkeypatch.setattr("selfsup_depth.training.run.evaluate_and_report", lambda *_: None)


@pytest.mark.parametrize("method", RECIPES)
def test_every_recipe_gives_the_same_weights_twice(train, tmp_path, method):
    options = ["--trainer.max_steps=3", "--trainer.limit_val_batches=0", *EXTRA.get(method, [])]
    for name in ("first", "second"):
        torch.manual_seed(len(name))  # what came before in this process must not matter
        assert train(tmp_path / name, *options, method=method) == 0
    assert same(weights(tmp_path / "first"), weights(tmp_path / "second"))


def test_the_number_of_workers_changes_nothing(train, tmp_path):
    options = ["--trainer.max_steps=6", "--trainer.limit_val_batches=0", "--data.zoom=1.2"]
    for number in (0, 1, 2, 4):
        run = tmp_path / str(number)
        assert train(run, *options, f"--data.num_workers={number}", method="monodepth2_mono_stereo") == 0
        assert same(weights(tmp_path / "0"), weights(run))
