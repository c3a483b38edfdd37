"""Two results side by side: what differs is found, what cannot be compared is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from selfsup_depth.cli import main
from selfsup_depth.evaluation import bootstrap
from selfsup_depth.evaluation.bootstrap import interval_of_mean, small_sample_factor, student_quantile
from selfsup_depth.evaluation.depth_evaluation import DepthEvaluation
from selfsup_depth.evaluation.protocols import PROTOCOLS


def result(factor, noise=0.0, protocol="metric", count=20, seed=0):
    """Predictions `factor` times too far, on images of their own names."""
    evaluation = DepthEvaluation(PROTOCOLS[protocol])
    generator = torch.Generator().manual_seed(seed)
    for index in range(count):
        depth = torch.full((1, 1, 160, 160), 10.0 + index)
        wrong = factor + noise * torch.randn((), generator=generator)
        evaluation.update(1 / (depth * wrong), depth, [f"drive/{index:03d}"])
    return evaluation.as_dict()


def compare(tmp_path, *results, options=()):
    files = []
    for name, content in zip("ab", results, strict=True):
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(content if isinstance(content, str) else json.dumps(content))
    return main(["evaluate", "compare", *map(str, files), *map(str, options)])


def test_a_difference_on_every_image_is_told_from_noise(tmp_path, capsys):
    assert compare(tmp_path, result(1.1), result(1.2), options=["--json", tmp_path / "c" / "out.json"]) == 0
    row = json.loads((tmp_path / "c" / "out.json").read_text())["differences"]["abs_rel"]
    assert row["first"] == pytest.approx(0.1, abs=1e-6)
    assert row["mean"] == pytest.approx(0.1, abs=1e-6)
    assert row["interval"] == pytest.approx([0.1, 0.1], abs=1e-6)
    assert row["better"] == 0
    assert row["verdict"] == "differs"
    shown = capsys.readouterr().out
    assert shown.startswith("protocol metric [")
    assert "20 images in both; 0 only in the first, 0 only in the second" in shown


def test_noise_around_one_mean_is_not_told_apart(tmp_path):
    noisy = [result(1.3, noise=0.02, seed=seed) for seed in (1, 2)]
    assert compare(tmp_path, *noisy, options=["--json", tmp_path / "out.json"]) == 0
    row = json.loads((tmp_path / "out.json").read_text())["differences"]["abs_rel"]
    assert row["verdict"] == "not told apart"
    assert row["interval"][0] < row["mean"] < row["interval"][1]


def test_images_are_paired_by_name_not_by_place(tmp_path, capsys):
    first, second = result(1.1, noise=0.05), result(1.1, noise=0.05)
    second["images"] = second["images"][::-1][:-3]
    assert compare(tmp_path, first, second) == 0
    shown = capsys.readouterr().out
    assert "17 images in both; 3 only in the first, 0 only in the second" in shown
    line = next(line for line in shown.splitlines() if line.startswith("abs_rel"))
    assert "+0.0000" in line


def test_different_protocols_are_refused_naming_the_difference(tmp_path, capsys):
    assert compare(tmp_path, result(1.1), result(1.1, protocol="ddad")) == 2
    error = capsys.readouterr().err
    assert "max_depth 80.0 against 200.0" in error
    assert "scale metric against median" in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a result"),
        ('{"metrics": {}, "protocol": {}}', "no images by image"),
        ('{"metrics": {}, "protocol": {}, "images": []}', "no hash"),
        (
            '{"metrics": {}, "protocol": {"name": "a", "hash": "b"}, "images": [{"name": "a"}]}',
            "image 0 is not whole",
        ),
    ],
)
def test_what_is_no_result_is_refused(tmp_path, capsys, content, refusal):
    assert compare(tmp_path, content, result(1.1, count=3)) == 3
    error = capsys.readouterr().err
    assert refusal in error
    assert "a.json" in error
    assert len(error.splitlines()) == 1


def test_results_without_a_common_image_are_refused(tmp_path, capsys):
    other = result(1.1)
    for image in other["images"]:
        image["name"] += "x"
    assert compare(tmp_path, result(1.1), other) == 3
    assert "no image in common" in capsys.readouterr().err


def test_the_interval_holds_the_mean_about_as_often_as_it_says():
    generator = np.random.default_rng(3)
    intervals = [interval_of_mean(generator.normal(2.0, 1.0, 40).tolist()) for _ in range(60)]
    assert 50 <= sum(low < 2.0 < high for low, high in intervals) < 60
    assert interval_of_mean([1.0, 2.0]) == ()
    assert interval_of_mean([1.0, 2.0, 4.0]) == interval_of_mean([1.0, 2.0, 4.0])


@pytest.mark.parametrize("num", [3, 5, 8])
def test_few_numbers_around_zero_are_told_from_it_one_time_in_twenty(num, monkeypatch):
    """And numbers around ten standard deviations nearly always: the interval is not merely wide."""
    monkeypatch.setattr(bootstrap, "NUM_RESAMPLES", 1000)
    draws = np.random.default_rng(5).normal(size=(800, num))
    intervals = np.array([interval_of_mean(row.tolist()) for row in draws])
    around_zero = (intervals[:, 0] > 0) | (intervals[:, 1] < 0)
    assert 0.03 <= around_zero.mean() <= 0.07
    assert (intervals[:, 0] + 10 > 0).mean() >= 0.98


@pytest.mark.parametrize(("freedom", "quantile"), [(2, 4.302653), (4, 2.776445), (30, 2.042272)])
def test_the_quantiles_of_student_are_those_of_the_tables(freedom, quantile):
    assert student_quantile(freedom) == pytest.approx(quantile, abs=2e-6)


def test_many_numbers_need_no_correction():
    assert small_sample_factor(700) == pytest.approx(1, abs=3e-3)
    assert small_sample_factor(100_000) == pytest.approx(1, abs=3e-5)
