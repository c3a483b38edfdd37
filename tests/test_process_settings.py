"""What a command and a run change of their process is as it was when they end."""

from __future__ import annotations

import logging
import os
import sys

import pytest
import torch

from selfsup_depth.console import console
from selfsup_depth.errors import ConfigError
from selfsup_depth.training.process_settings import process_settings_kept


def test_variables_and_settings_of_torch_are_given_back(monkeypatch):
    monkeypatch.setenv("KEPT", "before")
    monkeypatch.setenv("REMOVED", "before")
    monkeypatch.delenv("ADDED", raising=False)
    benchmark = torch.backends.cudnn.benchmark

    @process_settings_kept()
    def run():
        os.environ["KEPT"] = os.environ["ADDED"] = "inside"
        del os.environ["REMOVED"]
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cudnn.benchmark = not benchmark
        raise ConfigError("refused")

    for _ in range(2):  # a decorator that works once would be easy to write
        with pytest.raises(ConfigError):
            run()
        assert os.environ["KEPT"] == os.environ["REMOVED"] == "before"
        assert "ADDED" not in os.environ
        assert not torch.are_deterministic_algorithms_enabled()
        assert not torch.is_deterministic_algorithms_warn_only_enabled()
        assert torch.backends.cudnn.benchmark == benchmark


@pytest.fixture
def speaking():
    """Lightning's logger as it is where nobody listened when it was imported."""
    logger = logging.getLogger("pytorch_lightning")
    before = logger.handlers, logger.propagate
    handler = logging.StreamHandler()
    logger.handlers, logger.propagate = [handler], False
    yield logger, handler
    logger.handlers, logger.propagate = before


def test_lightning_is_heard_through_us_alone(speaking, capfd):
    logger, handler = speaking
    handler.setStream(sys.stderr)
    with console(quiet=True):
        logger.warning("a tip")
        logger.error("a fault")
    assert capfd.readouterr().err == "pytorch_lightning: a fault\n"
    assert handler in logger.handlers  # beside those of pytest
    assert not logger.propagate


def test_the_import_path_is_given_back():
    before = list(sys.path)
    with console(quiet=True):
        sys.path.insert(0, "")
    assert sys.path == before
