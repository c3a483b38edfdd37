"""What the benchmarks make of their measurements: ratios, verdicts, files. No test here looks at a time."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from benchmarks import peer, race, result_files, scaling
from benchmarks.__main__ import main
from benchmarks.objective import published, work
from benchmarks.reach import AIMS, growth_table, reached, rows, table
from selfsup_depth.errors import ConfigError

# What reads like a checkout of monodepth2 and says how it was asked.
FAKE_TRAINER = """
import IPython
from layers import SSIM

class Trainer:
    def generate_images_pred(self, inputs, outputs):
        assert self.opt.frame_ids == [0, 1, 2] and isinstance(self.ssim, SSIM)
        scaled = 1e-6 + (10 - 1e-6) * outputs[("disp", 0)]
        outputs["color"] = inputs[("color", 1, 0)] * scaled.mean() * outputs[("cam_T_cam", 0, 2)].mean()

    def compute_losses(self, inputs, outputs):
        return {"loss": outputs["color"].mean() + self.opt.disparity_smoothness}
"""
FAKE_LAYERS = """
class SSIM: pass
class BackprojectDepth:
    def __init__(self, *size): pass
Project3D = BackprojectDepth
"""


def aim(part, by):
    return next(one for one in AIMS if (one.part, one.by, one.contender) == (part, by, "ours"))


def test_a_ratio_is_the_median_of_the_rounds():
    seconds = {"published": [9.0, 1.0, 2.0, 6.0], "ours": [9.0, 0.5, 1.0, 1.0]}
    turns = {name: iter(values) for name, values in seconds.items()}
    now = [0.0]

    def contender(name):
        def run():
            now[0] += next(turns[name])

        return run

    paces = race.race({name: contender(name) for name in seconds}, rounds=3, clock=lambda: now[0])
    assert paces["published"].ratio == 1.0
    assert paces["ours"] == race.Pace(1000.0, 2.0, 2.0, 6.0)


@pytest.mark.parametrize(
    ("part", "by", "values", "verdict"),
    [
        ("objective", "ratio", [4.4, 4.6, 9.0], "goal met"),
        ("objective", "ratio", [3.0, 3.6, 9.0], "must met"),
        ("objective", "ratio", [3.0, 3.25, 9.0], "missed by 0.25"),
        ("objective", "memory", [0.25, 0.25, 0.9], "goal met"),
        ("objective", "memory", [0.1, 0.4, 0.9], "must met"),
        ("objective", "memory", [0.1, 0.5, 0.9], "missed by 0.1"),
    ],
)
def test_an_aim_is_judged_by_the_median_of_its_repetitions(part, by, values, verdict):
    assert reached(aim(part, by), values) == (sorted(values)[1], min(values), max(values), verdict)


def test_what_was_not_measured_is_said_so():
    lines = table(rows({"step": {"ours": {"ratio": [2.0]}}})).splitlines()
    assert len(lines) == 2 + len(AIMS)
    assert next(line for line in lines if "goal met" in line).startswith(
        "| training step on video | 1.6x | 1.9x | 2.00x"
    )
    assert sum("not measured" in line for line in lines) == len(AIMS) - 1


def test_a_part_measured_again_replaces_its_numbers_and_no_others(tmp_path):
    stem = tmp_path / "results" / "2026-01-01-amd-2.50-2-cores"
    measured = {"ours": {"ratio": [2.0], "milliseconds": [1.0]}}
    result_files.keep(stem, {"parts": {"step": measured, "loader": measured}}, quick=False)
    growth = [{"quantity": "batch", "sizes": [1, 2], "milliseconds": [1, 2], "peak_mebibytes": [1, 2]}]
    growth[0] |= {"power_of_time": 1.0, "power_of_memory": 1.0}
    result_files.keep(stem, {"growth": growth}, quick=False)
    text = result_files.keep(stem, {"parts": {"step": {"ours": {"ratio": [1.7]}}}}, quick=False)
    kept = json.loads(Path(f"{stem}.json").read_text())
    assert kept["parts"] == {"step": {"ours": {"ratio": [1.7]}}, "loader": measured}
    assert kept["growth"] == growth
    verdicts = {row["what"]: row["verdict"] for row in kept["rows"]}
    assert verdicts["training step on video"] == "must met"
    assert Path(f"{stem}.md").read_text() == text
    assert "no worse than linear" in text


def test_a_machine_is_told_by_its_processor_alone():
    assert re.fullmatch(r"[a-z0-9.-]+-\d+-cores", result_files.machine())
    assert os.uname().nodename.lower() not in result_files.machine()


def test_growth_is_the_slope_of_the_logarithms():
    assert scaling.power([1, 2, 4], [3, 6, 12]) == pytest.approx(1)
    assert scaling.power([1, 2, 4], [3, 12, 48]) == pytest.approx(2)
    grown = {"sizes": [1, 2], "milliseconds": [1, 4], "peak_mebibytes": [1, 2], "power_of_memory": 1.0}
    squared = growth_table([grown | {"quantity": "batch", "power_of_time": 2.0}])
    assert squared.splitlines()[-1].endswith("| worse than linear |")


def test_a_peer_is_asked_by_its_own_methods(tmp_path):
    (tmp_path / "trainer.py").write_text(FAKE_TRAINER)
    (tmp_path / "layers.py").write_text(FAKE_LAYERS)
    before = set(sys.modules)
    data = work(batch=1, size=(32, 64))
    said = peer.objective_of(tmp_path, data)(data)
    expected = data.sources[0].mean() * data.inverse_depths[0].mean() * data.motions[1].mean() + 1e-3
    assert float(said.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    assert not {"trainer", "layers", "IPython"} & (set(sys.modules) - before)


def test_a_folder_that_is_no_peer_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"no trainer\.py and layers\.py"):
        peer.objective_of(tmp_path, work(batch=1, size=(32, 64)))


def test_the_published_objective_grows_with_what_it_looks_at():
    """The work is what it says: so many levels and sources."""
    data = work(batch=1, sources=3, levels=2, size=(32, 64))
    assert [len(data.motions), len(data.inverse_depths)] == [3, 2]
    assert published(data).isfinite()


def test_a_part_runs_on_its_own(tmp_path, capsys):
    main(["metrics", "--quick", f"--output={tmp_path}"])
    (file,) = tmp_path.glob("*-quick.json")
    measured = json.loads(file.read_text())["parts"]
    assert list(measured) == ["metrics"]
    assert measured["metrics"]["published"]["ratio"] == [1.0]
    assert result_files.QUICK in capsys.readouterr().out
