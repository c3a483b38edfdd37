"""Where a network is computed."""

from __future__ import annotations

import torch

from selfsup_depth.errors import ConfigError


def device_named(name: str) -> torch.device:
    """The device of that name, proven to exist.

    Raises:
        ConfigError: it does not.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.zeros(1, device=name).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(f"there is no device {name}, in --device; use cpu or leave it out") from error
