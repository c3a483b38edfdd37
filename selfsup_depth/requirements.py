"""Releases of other packages that are not to be used, refused before they are imported."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from selfsup_depth.errors import ConfigError

# 2.6.2 and 2.6.3 on the package index were malware, which ran when it was imported.
LIGHTNING = "pytorch-lightning"
OLDEST_LIGHTNING = (2, 6, 6)


def refuse_unsafe_packages() -> None:
    """Look at what is installed, without importing it.

    Raises:
        ConfigError: Lightning is missing or older than the first release that can be trusted.
    """
    wanted = ".".join(map(str, OLDEST_LIGHTNING))
    try:
        found = version(LIGHTNING)
    except PackageNotFoundError:
        found = "not installed"
    numbers = tuple(map(int, re.findall(r"\d+", found)[: len(OLDEST_LIGHTNING)]))
    if numbers < OLDEST_LIGHTNING:
        raise ConfigError(
            f"{LIGHTNING} is {found}, and releases before {wanted} are not trusted; "
            f"install it anew: pip install '{LIGHTNING}>={wanted}'"
        )


def missing_package(name: str, together: Sequence[str] = ()) -> ConfigError:
    """The refusal where a package that few need is needed and not there.

    Args:
        name: of the package.
        together: all that the work at hand needs, to be installed at once.
    """
    return ConfigError(f"{name} is not installed; pip install {' '.join(together or [name])}")
