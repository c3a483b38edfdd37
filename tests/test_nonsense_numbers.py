"""Numbers that no run could make sense of are refused in one line, before anything is written."""

from __future__ import annotations

import pytest

from selfsup_depth.cli import main


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--seed=-1", "seed is -1; give --seed from 0 to"),
        ("--seed=99999999999999999999", "give --seed from 0 to 4294967295"),
        ("--optimizer.warmup_steps=-1", "optimizer.warmup_steps is -1; give 0 or more"),
        ("--optimizer.weight_decay=-1", "optimizer.weight_decay is -1"),
        ("--optimizer.betas=[2,3]", "optimizer.betas are [2.0, 3.0]; give two numbers from 0"),
        ("--optimizer.learning_rate=.nan", "optimizer.learning_rate is nan"),
        (
            "--optimizer.learning_rate=1e30",
            "optimizer.learning_rate is 1e+30; give a number above 0 and up to 1",
        ),
        ("--trainer.max_steps=-1", "trainer.max_steps is -1, no limit; give --trainer.max_steps the run's"),
        (
            "--trainer.max_steps=1e3",
            "trainer.max_steps is 1e3, on the command line; expected int, written 1000",
        ),
        ("--model.losses.photometric.weight=-1", "weight of -1"),
        ("--model.losses.photometric.window=1001", "model.losses.photometric.window; give at most 63"),
        ("--model.depth_net.width=0", "width of 0"),
        ("--model.depth_net.width=-1", "width of -1"),
        ("--data.height=320000000", "height is 320000000; give --data.height between 1 and 16384"),
        ("--data.width=1e9", "data.width"),
        ("--data.width=1000000000", "width is 1000000000; give --data.width between 1 and 16384"),
        ("--data.batch_size=0", "batch_size is 0; give --data.batch_size at least 1"),
        ("--data.num_workers=100000", "num_workers is 100000; give --data.num_workers between 0 and 256"),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(train, tmp_path, capfd, option, told):
    assert train(tmp_path / "run", option) == 2
    *_, line = capfd.readouterr().err.strip().splitlines()
    assert line.startswith("error: ")
    assert told in line
    assert not (tmp_path / "run").exists()


def test_frames_larger_than_any_that_can_be_read_are_not_written(tmp_path, capfd):
    assert (
        main(["data", "from-video", "unread.mp4", "--output", str(tmp_path / "out"), "--size=99999x99999"])
        == 2
    )
    assert "give at most 64 megapixels" in capfd.readouterr().err


@pytest.mark.parametrize("option", ["--start=nan", "--end=inf"])
def test_a_time_that_is_none_is_refused(tmp_path, capfd, option):
    assert main(["data", "from-video", "unread.mp4", "--output", str(tmp_path / "out"), option]) == 2
    name, _, value = option.partition("=")
    assert capfd.readouterr().err == f"error: {name} is {value}; give seconds, for instance {name} 2.5\n"
