"""The house's plan, read from the imports: they point one way, and few places know a library."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "selfsup_depth"

# Each may import those on lines above its own; those on one line do not know each other.
FLOORS = [
    {"structures", "errors", "suggestions", "resources", "console", "requirements"},
    {"geometry"},
    {"networks", "losses", "evaluation", "data"},
    {"modules"},
    {"training"},
    {"export", "ablation"},
    {"commands"},
    {"cli"},
    {"__main__"},
]
FLOOR = {name: level for level, names in enumerate(FLOORS) for name in names}
# The front door: `selfsup_depth.load` is found when it is asked for.
ROOT = "__init__"

LIBRARY_USERS = {
    "pykitti": {"data/kitti_raw.py", "data/kitti_oxts.py"},
    "pytorch_lightning": {"modules/", "training/", "commands/", "data/datamodule.py", "data/loading.py"},
    "cv2": {"data/"},
    "av": {"data/"},
    "jsonargparse": {"training/"},
    "yaml": {"training/"},
}


def files():
    return sorted(PACKAGE.rglob("*.py"))


def imported_modules(file):
    """Full names of what a file imports anywhere, functions included."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in {file}"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part(file):
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_point_one_way(file):
    here = part(file)
    if here == ROOT:
        return
    for name in imported_modules(file):
        parts = name.split(".")
        # The package itself has nothing but the version.
        if parts[0] != "selfsup_depth" or parts[1] in (here, "__version__"):
            continue
        above = FLOOR[parts[1]] > FLOOR[here]
        beside = FLOOR[parts[1]] == FLOOR[here] and FLOOR[here] > 0
        assert not above, f"{here} imports {parts[1]}, which builds on it"
        assert not beside, f"{here} imports {parts[1]}; the two do not know each other"


@pytest.mark.parametrize("library", LIBRARY_USERS)
def test_few_places_know_a_library(library):
    users = {
        str(file.relative_to(PACKAGE))
        for file in files()
        if any(name.split(".")[0] == library for name in imported_modules(file))
    }
    strangers = {user for user in users if not user.startswith(tuple(LIBRARY_USERS[library]))}
    assert not strangers


def test_the_words_of_the_house():
    """No utils.py, and depth is never called disp."""
    assert not [file for file in files() if file.stem in ("utils", "helpers", "common", "misc")]
    for file in files():
        names = {node.id for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Name)}
        assert not names & {"disp", "disps"}, file
