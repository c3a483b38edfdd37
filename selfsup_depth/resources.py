"""Where the files that come with the package lie: recipes and frame lists.

They stand beside the package in the repository (conf/, data_splits/) and inside it in a
wheel. An editable install sees only the former, an installed one only the latter.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from selfsup_depth.errors import ConfigError
from selfsup_depth.suggestions import did_you_mean

Kind = Literal["conf", "data_splits"]

_WHAT: dict[Kind, str] = {"conf": "configuration", "data_splits": "split"}
_PACKAGE = Path(__file__).resolve().parent


def find_resource(kind: Kind, name: str) -> Path:
    """Path of a file or folder that the user names.

    Looked for as the path it is, then in the working directory's own `kind` folder, then
    among what is installed with the package, then in the repository.

    Args:
        kind: "conf" for a YAML file, "data_splits" for a folder of frame lists.
        name: a path, or a name inside the `kind` folder, with or without that folder:
            "conf/demo.yaml", "method/velocity.yaml", "eigen_zhou".

    Raises:
        ConfigError: nothing of that name exists; the message has the nearest one.
    """
    for candidate in _candidates(kind, name):
        if candidate.exists():
            return candidate
    known = {f"{kind}/{inside}" if kind == "conf" else inside for inside in _known(kind)}
    raise ConfigError(f"no {_WHAT[kind]} named {name}; {did_you_mean(name, known)}")


def known_resources(kind: Kind, folder: str = "") -> dict[str, Path]:
    """What would be found, by its name inside the `kind` folder: "method/velocity.yaml", "eigen_zhou".

    Args:
        kind: see find_resource.
        folder: only what lies in this folder inside the `kind` folder, e.g. "method".
    """
    within = Path(folder).parts
    names = sorted(name for name in _known(kind) if Path(name).parts[:-1] == within)
    return {name: find_resource(kind, name) for name in names}


def _candidates(kind: Kind, name: str) -> Iterator[Path]:
    given = Path(name).expanduser()
    yield given
    if given.is_absolute():
        return
    inside = Path(*given.parts[1:]) if given.parts[:1] == (kind,) else given
    for folder in _folders(kind):
        yield folder / inside


def _folders(kind: Kind) -> list[Path]:
    return [Path(kind), _PACKAGE / kind, _PACKAGE.parent / kind]


def _known(kind: Kind) -> set[str]:
    """Names that would be found, as they are written in documentation."""
    pattern = "**/*.yaml" if kind == "conf" else "*/"
    return {
        path.relative_to(folder).as_posix()
        for folder in _folders(kind)
        for path in folder.glob(pattern)
        if path.is_dir() == (kind == "data_splits") and not path.name.startswith(("_", "."))
    }
