"""What holds for the whole process, and is as it was when a run has ended."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def process_settings_kept() -> Iterator[None]:
    """Take back what Lightning sets and leaves: its variables, `deterministic` and `benchmark` of torch."""
    variables = dict(os.environ)
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        torch.backends.cudnn.benchmark = benchmark
        for name in os.environ.keys() - variables.keys():
            del os.environ[name]
        os.environ.update(variables)
