"""What a run says at its end about its speed, by a clock that only the planted causes move."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from selfsup_depth.data import waiting
from selfsup_depth.data.examples import TrainingExamples
from selfsup_depth.modules.base import SelfSupervisedDepth
from selfsup_depth.training import speed, speed_advice
from selfsup_depth.training.speed_advice import Circumstances, advice

FAST = speed.Speed(100, 12.0, 0.04, 0.0, 2048.0, 0.0)
STARVED = FAST._replace(waiting_share=0.6)
CPU = Circumstances(
    2,
    8,
    decodes=True,
    can_be_packed=True,
    on_gpu=False,
    unused_gpu=False,
    full_precision=True,
    has_bf16=False,
    can_compile=False,
)
SMALLER = "smaller images (--data.height, --data.width)"


@pytest.fixture
def slow(monkeypatch):
    """Let every example and every step take so many seconds of a clock of its own."""

    def plant(example: float, step: float) -> None:
        now = [0.0]
        clock = SimpleNamespace(perf_counter=lambda: now[0])
        monkeypatch.setattr(waiting, "time", clock)
        monkeypatch.setattr(speed, "time", clock)
        read, take_step = TrainingExamples.__getitem__, SelfSupervisedDepth.training_step

        def slow_read(self, key):
            now[0] += example
            return read(self, key)

        def slow_step(self, *arguments):
            now[0] += step
            return take_step(self, *arguments)

        monkeypatch.setattr(TrainingExamples, "__getitem__", slow_read)
        monkeypatch.setattr(SelfSupervisedDepth, "training_step", slow_step)

    return plant


def test_a_slow_drive_is_what_limits_a_run(train, slow, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(speed_advice, "num_cores", lambda: 8)
    slow(example=3.0, step=2.0)
    assert train(tmp_path / "run") == 0
    said = json.loads((tmp_path / "run" / "speed.json").read_text())
    # Batches of two: 6 s of reading, 2 s of the step. The first of four steps does not count.
    assert said["num_steps"] == 3
    assert said["waiting_share"] == pytest.approx(0.75)
    assert said["images_per_second"] == pytest.approx(2 / 8)
    assert said["peak_mebibytes"] > 50
    assert said["advice"].startswith(
        "limited by reading the data; faster: --data.num_workers=4, or --data.packed"
    )
    printed = capsys.readouterr().out
    assert "speed: 0.25 images/s, 75% of a step waiting for data (few steps: 3), peak memory" in printed
    assert said["advice"] in printed


def test_without_it_the_networks_are(train, slow, tmp_path):
    slow(example=0.1, step=2.0)
    assert train(tmp_path / "run") == 0
    said = json.loads((tmp_path / "run" / "speed.json").read_text())
    assert said["waiting_share"] == pytest.approx(0.2 / 2.2)
    assert said["advice"].startswith("limited by the networks on the CPU; faster: ")


def test_one_step_tells_nothing(train, tmp_path, capsys):
    assert train(tmp_path / "run", "--trainer.max_steps=1") == 0
    assert not (tmp_path / "run" / "speed.json").exists()
    assert "speed:" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "helps"),
    [
        ({}, "faster: --data.num_workers=5, or --data.packed=true, which"),
        ({"num_workers": 0}, "faster: --data.num_workers=3, or --data.packed=true, which"),
        ({"num_workers": 6}, "faster: --data.num_workers=8, or --data.packed=true, which"),
        ({"num_workers": 8}, "faster: --data.packed=true, which"),
        ({"decodes": False}, "faster: --data.num_workers=5"),
        ({"can_be_packed": False}, "faster: --data.num_workers=5"),
        ({"num_workers": 8, "decodes": False}, "all 8 cores read already: a faster disk"),
    ],
)
def test_advice_for_a_run_that_waits(changes, helps):
    assert advice(STARVED, CPU._replace(**changes)).startswith(f"limited by reading the data; {helps}")


@pytest.mark.parametrize(
    ("changes", "helps"),
    [
        ({}, f"CPU; faster: {SMALLER}, a GPU"),
        ({"unused_gpu": True}, f"CPU; faster: --trainer.accelerator=gpu, {SMALLER}"),
        ({"has_bf16": True}, f"CPU; faster: --trainer.precision=bf16-mixed, {SMALLER}, a GPU"),
        ({"has_bf16": True, "full_precision": False}, f"CPU; faster: {SMALLER}, a GPU"),
        ({"can_compile": True}, f"CPU; faster: --model.compile=objective, {SMALLER}, a GPU"),
        ({"on_gpu": True, "has_bf16": True}, f"GPU; faster: --trainer.precision=bf16-mixed, {SMALLER}"),
    ],
)
def test_advice_for_a_run_that_does_not(changes, helps):
    assert advice(FAST, CPU._replace(**changes)) == f"limited by the networks on the {helps}"


def test_what_lies_between_the_steps_is_said_where_it_counts():
    assert "between the steps" not in FAST.report()
    assert (
        FAST._replace(beside_share=0.4)
        .report()
        .endswith("; 40% of all time between the steps (validation, pictures, saving)")
    )
    assert "few steps" not in FAST.report()
    assert "3.0 GiB on the GPU" in FAST._replace(peak_gpu_mebibytes=3072.0).report()
