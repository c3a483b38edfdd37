"""Notebooks: one text in two forms, nothing of their own, and one of them run (`make notebooks` runs all)."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.py"))
NAMES = [
    "01_train_on_synthetic_drive",
    "02_own_video",
    "03_ablate_a_loss_term",
    "04_predict_and_point_cloud",
]


def test_the_notebooks_are_these():
    assert [path.stem for path in NOTEBOOKS] == NAMES
    assert sorted(path.stem for path in (REPOSITORY / "notebooks").glob("*.ipynb")) == NAMES


@pytest.mark.parametrize("script", NOTEBOOKS, ids=lambda path: path.stem)
def test_both_forms_say_the_same_and_no_output_is_kept(script):
    jupytext = pytest.importorskip("jupytext")
    text, notebook = jupytext.read(script), jupytext.read(script.with_suffix(".ipynb"))
    both = [[(cell.cell_type, cell.source) for cell in form.cells] for form in (text, notebook)]
    assert both[0] == both[1]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)


@pytest.mark.parametrize("script", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_calls_the_package_shows_pictures_and_defines_nothing(script):
    tree = ast.parse(script.read_text())
    own = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, own)]
    calls = [
        node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and hasattr(node.func, "id")
    ]
    assert {"main", "display"} <= set(calls)


def test_a_notebook_runs(tmp_path):
    pytest.importorskip("nbmake")
    shutil.copy(REPOSITORY / "notebooks" / f"{NAMES[3]}.ipynb", tmp_path)
    paths = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": paths, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "pytest", "--nbmake", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    run = subprocess.run(
        [*command, "--overwrite"], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout[-2000:]
    # What it made is where it was told to make it, and what it showed are pictures.
    assert list(tmp_path.rglob("out/*.ply"))
    assert (tmp_path / f"{NAMES[3]}.ipynb").read_text().count('"image/png"') >= 3
