"""Versions and machine of this process."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGES = ("selfsup-depth", "torch", "pytorch-lightning", "kornia", "numpy", "pillow", "torchmetrics")


def environment() -> dict[str, Any]:
    """Versions and machine of this process."""
    return {
        "versions": versions(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "command": sys.argv,
    }


def versions() -> dict[str, str]:
    """Versions of the packages that decide what is computed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
