"""The job script of docs/running_long.md, with a run and a scheduler that only say what they did."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[1] / "docs" / "running_long.md"
RUN = """#!/bin/bash
trap 'sleep 0.3; echo saved; exit 143' TERM
echo "$@" > started
for _ in $(seq {seconds}0); do sleep 0.1; done
exit {code}
"""


@pytest.fixture
def job(tmp_path):
    """Starts the script beside a run of some seconds that ends with a code."""

    def start(seconds: int, code: int) -> subprocess.Popen[str]:
        script = re.search(r"^```bash\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
        (tmp_path / "job.sh").write_text(script.group(1))
        (tmp_path / "selfsup-depth").write_text(RUN.format(seconds=seconds, code=code))
        (tmp_path / "scontrol").write_text('#!/bin/bash\necho "$@"\n')
        for name in ("selfsup-depth", "scontrol"):
            (tmp_path / name).chmod(0o755)
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "4711"}
        return subprocess.Popen(
            ["bash", "job.sh"], env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True
        )

    return start


def test_a_job_whose_time_is_over_waits_for_the_save_and_queues_itself_again(job, tmp_path):
    running = job(seconds=60, code=0)
    until = time.monotonic() + 30
    while not (tmp_path / "started").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    running.terminate()
    told, _ = running.communicate(timeout=30)
    assert told == "saved\nrequeue 4711\n"
    assert running.returncode == 143
    assert "--resume auto" in (tmp_path / "started").read_text()


@pytest.mark.parametrize("code", [0, 5])
def test_a_job_that_ends_by_itself_is_not_queued_again(job, code):
    running = job(seconds=0, code=code)
    assert running.communicate(timeout=30)[0] == ""
    assert running.returncode == code
