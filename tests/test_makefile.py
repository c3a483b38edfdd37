"""Every goal of the Makefile can be read by make."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parent.parent / "Makefile"
GOALS = re.search(r"^\.PHONY: (.*)$", MAKEFILE.read_text(encoding="utf-8"), re.MULTILINE)[1].split()


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
@pytest.mark.parametrize("goal", GOALS)
def test_a_goal_is_one_that_make_understands(goal):
    done = subprocess.run(["make", "-n", goal], cwd=MAKEFILE.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout
