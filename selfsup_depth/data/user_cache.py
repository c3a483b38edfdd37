"""Where results that take long to compute are kept between runs."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def user_cache(kind: str, source: Path) -> Path:
    """A file in the user's cache folder; data folders may be read-only.

    Args:
        kind: what is kept.
        source: the file or folder that it was computed from.
    """
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = hashlib.sha256(str(source.resolve()).encode()).hexdigest()[:16]
    return folder / "selfsup_depth" / f"{kind}_{name}.npz"
