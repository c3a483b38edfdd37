"""Going on with a run: what may differ, what it does then, and jobs that are started again and again."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from selfsup_depth.cli import main
from selfsup_depth.training import saving, storage
from selfsup_depth.training.checkpoint_io import read_sealed
from selfsup_depth.training.pictures import Pictures
from selfsup_depth.training.resuming import covers, differences

STEADY = ["--optimizer.milestones=[]", "--trainer.limit_val_batches=0"]


def last(run: Path) -> dict:
    return read_sealed(run / "checkpoints" / "last.ckpt")


def weights(run: Path) -> dict[str, torch.Tensor]:
    return last(run)["state_dict"]


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def rates(run: Path) -> list[float]:
    with (run / "metrics.csv").open() as file:
        return [float(row["lr-Adam"]) for row in csv.DictReader(file) if row.get("lr-Adam")]


def refusal(capsys, code: int, *arguments: object) -> str:
    capsys.readouterr()
    assert main(["train", *map(str, arguments)]) == code
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return lines[0]


@pytest.fixture(scope="module", autouse=True)
def _short():
    """Without what costs time and has its own tests: pictures, and the table at the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pictures, "_draw", lambda *_: None)
        patch.setattr("selfsup_depth.training.run.evaluate_and_report", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def three_steps(train, tmp_path_factory) -> Path:
    """A run that stopped in the middle of an epoch of four; not to be changed."""
    run = tmp_path_factory.mktemp("three_steps") / "run"
    assert train(run, "--trainer.max_steps=3", *STEADY) == 0
    return run


@pytest.fixture(scope="module")
def seven_steps(train, tmp_path_factory) -> Path:
    """What the run is that nothing interrupted; not to be changed."""
    run = tmp_path_factory.mktemp("seven_steps") / "run"
    assert train(run, "--trainer.max_steps=7", *STEADY) == 0
    return run


@pytest.fixture
def begun(three_steps, tmp_path) -> Path:
    """A run of three steps, to be gone on with."""
    return Path(shutil.copytree(three_steps, tmp_path / "begun"))


def test_differences_are_the_keys_whose_values_differ():
    before = {"a": {"class_path": "X", "init_args": {"p": 1, "q": [1]}}, "b": {"class_path": "Y"}, "c": None}
    now = {"a": {"class_path": "X", "p": 2, "q": [1]}, "b": {"class_path": "Z", "r": 1}, "c": {"d": 1}}
    assert [(change.key, str(change)) for change in differences(before, now)] == [
        ("a.p", "a.p (1 before, 2 now)"),
        ("b", "b"),
        ("c", "c"),
    ]
    assert covers(["a", "b.c"], "a.p")
    assert covers(["b.c"], "b.c")
    assert not covers(["a"], "ab")
    assert not covers(["b.c"], "b")


def test_another_configuration_is_refused_with_every_key_and_changes_nothing(capsys, begun):
    before = {path: path.read_bytes() for path in begun.rglob("*") if path.is_file()}
    flags = ["--optimizer.learning_rate=0.5", "--data.batch_size=1", "--trainer.max_steps=9"]
    error = refusal(capsys, 4, f"--resume={begun}", *flags)
    assert "optimizer.learning_rate (0.001 before, 0.5 now), in" in error
    assert "data.batch_size (2 before, 1 now)" in error
    assert "max_steps" not in error
    assert "--allow-change data.batch_size --allow-change optimizer.learning_rate" in error
    error = refusal(capsys, 4, f"--resume={begun}", *flags, "--allow-change=optimizer")
    assert "learning_rate" not in error
    assert "data.batch_size" in error
    slip = ["--allow-change=optimizer.learning_rat"]
    assert "mean optimizer.learning_rate?" in refusal(capsys, 2, f"--resume={begun}", *flags, *slip)
    assert {path: path.read_bytes() for path in begun.rglob("*") if path.is_file()} == before


def test_a_network_that_does_not_fit_is_refused_even_if_allowed(capsys, begun):
    flags = ["--model.depth_net.width=0.25", "--allow-change=model"]
    assert "tensors fit" in refusal(capsys, 4, f"--resume={begun}", *flags)
    flags = ["--model.pose_net=PoseNet", "--data.video=[-1,1]", "--allow-change=model.pose_net"]
    assert "data.video" in refusal(capsys, 4, f"--resume={begun}", *flags)
    assert "tensors fit" in refusal(capsys, 4, f"--resume={begun}", *flags, "--allow-change=data.video")


def test_the_whole_command_line_can_be_given_again(train, capsys, begun, seven_steps):
    assert train(begun, f"--resume={begun}", "--trainer.max_steps=7", *STEADY) == 0
    assert same(weights(seven_steps), weights(begun))
    capsys.readouterr()
    assert train(begun, f"--resume={begun}", *STEADY, method="monodepth2_mono_stereo") == 4
    assert "data.video" in capsys.readouterr().err


def test_a_changed_learning_rate_holds_from_the_next_step_on(tmp_path, begun):
    change = ["--optimizer.learning_rate=5.0e-4", "--optimizer.gamma=0.5", "--optimizer.milestones=[2,5]"]
    change += ["--optimizer.milestone_unit=step", "--optimizer.weight_decay=0.1", "--allow-change=optimizer"]
    assert main(["train", f"--resume={begun}", "--trainer.max_steps=7", *change]) == 0
    assert rates(begun) == pytest.approx([2.5e-4, 2.5e-4, 1.25e-4, 1.25e-4])
    assert last(begun)["optimizer_states"][0]["param_groups"][0]["weight_decay"] == 0.1
    # What was configured before is kept, and the change needs no permission any more.
    assert yaml.safe_load((begun / "config_part_1.yaml").read_text())["optimizer"]["learning_rate"] == 1e-3
    assert yaml.safe_load((begun / "config.yaml").read_text())["optimizer"]["learning_rate"] == 5e-4
    assert main(["train", f"--resume={begun}", "--trainer.max_steps=8"]) == 0
    assert rates(begun) == pytest.approx([1.25e-4])


def test_a_changed_weight_of_a_loss_term_changes_the_objective(begun):
    change = ["--model.losses.smoothness.weight=1000", "--allow-change=model.losses.smoothness.weight"]
    assert main(["train", f"--resume={begun}", "--trainer.max_steps=4", *change]) == 0
    with (begun / "metrics.csv").open() as file:
        values = [float(row["loss/smoothness"]) for row in csv.DictReader(file) if row.get("loss/smoothness")]
    with (begun / "metrics_part_1.csv").open() as file:
        before = [float(row["loss/smoothness"]) for row in csv.DictReader(file) if row.get("loss/smoothness")]
    assert values[0] / before[-1] == pytest.approx(1e6, rel=0.9)


@pytest.mark.parametrize("steps", [3, 4])
def test_a_changed_batch_size_begins_an_epoch(train, tmp_path, monkeypatch, steps):
    """Eight examples: after 3 of 4 batches the epoch is begun anew, after all 4 the next one."""
    from selfsup_depth.data.examples import TrainingExamples

    run, seen = tmp_path / "run", []
    assert train(run, f"--trainer.max_steps={steps}", *STEADY) == 0
    get = TrainingExamples.__getitem__
    monkeypatch.setattr(TrainingExamples, "__getitem__", lambda self, key: seen.append(key) or get(self, key))
    change = ["--data.batch_size=1", "--allow-change=data.batch_size", f"--trainer.max_steps={steps + 9}"]
    assert main(["train", f"--resume={run}", *change]) == 0
    first = int(steps == 4)
    assert [epoch for epoch, _ in seen[:9]] == [first] * 8 + [first + 1]
    assert len({index for _, index in seen[:8]}) == 8
    assert last(run)["global_step"] == steps + 9
    assert last(run)["epoch"] == first + 1


def test_auto_starts_goes_on_and_ends_where_one_run_would(train, tmp_path, capsys, seven_steps):
    run = tmp_path / "run"
    for steps in (3, 3, 7):
        assert train(run, "--resume=auto", f"--trainer.max_steps={steps}", *STEADY) == 0
    assert same(weights(seven_steps), weights(run))
    capsys.readouterr()
    assert train(run, "--resume=auto", "--seed=3", *STEADY) == 4
    assert "seed (0 before, 3 now)" in capsys.readouterr().err


def killed_while_made(run: Path) -> None:
    (run / "checkpoints").mkdir(parents=True)
    (run / "pictures").mkdir()
    (run / "run.lock").touch()
    (run / ".config.yaml.part").write_text("half")


def killed_before_its_first_save(run: Path) -> None:
    killed_while_made(run)
    (run / "config.yaml").write_text("seed: 5\n")
    (run / "metrics.csv").write_text("step\n1\n")
    (run / "checkpoints" / ".last.ckpt.part").write_text("half")


@pytest.mark.parametrize("left", [killed_while_made, killed_before_its_first_save])
def test_auto_starts_afresh_where_nothing_was_saved(train, tmp_path, left):
    left(tmp_path / "run")
    assert train(tmp_path / "run", "--resume=auto", "--trainer.max_steps=1") == 0
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["seed"] == 0
    assert "metrics_part_1.csv" not in names(tmp_path / "run")
    assert names(tmp_path / "run" / "checkpoints") == {"last.ckpt", "best.ckpt"}


def test_auto_never_removes_a_checkpoint_or_what_is_not_a_run(train, tmp_path, capsys, begun):
    (begun / "checkpoints" / "last.ckpt").rename(begun / "checkpoints" / "step_000003.ckpt")
    assert train(begun, "--resume=auto") == 4
    assert "copy one to last.ckpt" in capsys.readouterr().err
    assert "step_000003.ckpt" in names(begun / "checkpoints")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.txt").write_text("ten years of work")
    assert train(tmp_path / "thesis", "--resume=auto") == 2
    assert names(tmp_path / "thesis") == {"thesis.txt"}


def test_auto_does_not_start_over_what_is_saved_meanwhile(train, tmp_path, capsys, monkeypatch):
    """The process before still saves while this one already looks at the data."""
    run = tmp_path / "run"
    killed_before_its_first_save(run)
    monkeypatch.setattr(
        "selfsup_depth.training.run.check_fit",
        lambda *_: (run / "checkpoints" / "last.ckpt").write_text("saved"),
    )
    assert train(run, "--resume=auto") == 7
    assert "just saved" in capsys.readouterr().err
    assert (run / "checkpoints" / "last.ckpt").read_text() == "saved"


def test_a_damaged_checkpoint_is_refused_not_started_over(train, capsys, begun):
    file = begun / "checkpoints" / "last.ckpt"
    file.write_bytes(file.read_bytes()[:-1000])
    assert train(begun, "--resume=auto") == 4
    assert str(file) in capsys.readouterr().err


def test_the_newest_numbered_checkpoints_are_kept(train, tmp_path, capsys):
    run = tmp_path / "run"
    assert train(run, "--keep=2", "--trainer.max_steps=5", *STEADY) == 0
    assert names(run / "checkpoints") == {"last.ckpt", "step_000004.ckpt", "step_000005.ckpt"}
    assert read_sealed(run / "checkpoints" / "step_000004.ckpt")["global_step"] == 4
    # Gone back to an earlier one: what is written now is newer than what lies there.
    for step in (8, 9):
        os.link(run / "checkpoints" / "step_000004.ckpt", run / "checkpoints" / f"step_{step:06d}.ckpt")
    assert main(["train", f"--resume={run}", "--trainer.max_steps=6"]) == 0
    assert names(run / "checkpoints") == {"last.ckpt", "step_000006.ckpt", "step_000005.ckpt"}
    assert main(["train", f"--resume={run}", "--trainer.max_steps=7", "--keep=0"]) == 0
    assert names(run / "checkpoints") == {"last.ckpt", "step_000006.ckpt", "step_000005.ckpt"}
    assert "keep is -1" in refusal(capsys, 2, f"--resume={run}", "--keep=-1")


def test_the_oldest_is_removed_only_when_the_new_one_is_durable(train, tmp_path, monkeypatch):
    events = []
    link, synced = saving.link_or_copy, storage.sync_folder
    monkeypatch.setattr(storage, "sync_folder", lambda folder: events.append("synced") or synced(folder))
    monkeypatch.setattr(saving, "link_or_copy", lambda *files: link(*files) or events.append("kept"))
    unlink = Path.unlink

    def removed(path: Path, missing_ok: bool = False) -> None:
        if path.name.startswith("step_"):
            events.append("removed")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", removed)
    assert train(tmp_path / "run", "--keep=1", "--trainer.max_steps=2", *STEADY) == 0
    assert events == ["synced", "kept", "synced", "kept", "removed"]


def test_where_there_are_no_links_a_checkpoint_is_copied(tmp_path, monkeypatch):
    (tmp_path / "last.ckpt").write_bytes(b"content")

    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(storage.os, "link", refuse)
    storage.link_or_copy(tmp_path / "last.ckpt", tmp_path / "step_1.ckpt")
    assert (tmp_path / "step_1.ckpt").read_bytes() == b"content"
    assert names(tmp_path) == {"last.ckpt", "step_1.ckpt"}


def test_a_run_can_save_more_often(train, tmp_path, monkeypatch):
    saved = []
    save = saving.LastCheckpoint.save

    def noted(last, trainer):
        saved.append(trainer.global_step)
        save(last, trainer)

    monkeypatch.setattr(saving.LastCheckpoint, "save", noted)
    options = ["--trainer.max_steps=20", "--save-every=5", "--trainer.limit_val_batches=0"]
    assert train(tmp_path / "run", *options) == 0
    assert sorted(set(saved)) == sorted({*range(2, 21, 2), 5, 15})


SLURM = {
    "SLURM_JOB_ID": "4711",
    "SLURM_NTASKS": "1",
    "SLURM_JOB_NAME": "train",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0",
    "SLURM_NODELIST": "node1",
    "SLURM_NTASKS_PER_NODE": "1",
}


@pytest.mark.parametrize(("number", "code"), [(10, 0), (15, 143)])
def test_in_a_slurm_job_signals_mean_what_they_always_mean(train, tmp_path, monkeypatch, number, code):
    """No requeueing by Lightning, which would call scontrol, save elsewhere and pass over SIGTERM."""
    from selfsup_depth.modules.base import SelfSupervisedDepth

    called, objective = tmp_path / "called", SelfSupervisedDepth.objective
    (tmp_path / "scontrol").write_text(f"#!/bin/sh\ntouch {called}\n")
    (tmp_path / "scontrol").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)

    def signalling(module, batch, estimates):
        if module.training and module.global_step == 2:
            os.kill(os.getpid(), number)
        return objective(module, batch, estimates)

    monkeypatch.setattr(SelfSupervisedDepth, "objective", signalling)
    run = tmp_path / "run"
    assert train(run, "--resume=auto", "--trainer.max_steps=6", *STEADY) == code
    assert last(run)["global_step"] == (6 if code == 0 else 3)
    assert not called.exists()
    assert not list(run.glob("hpc_ckpt*"))


def test_slurm_options_that_lightning_refuses_are_said_in_one_line(train, tmp_path, monkeypatch, capsys):
    for name, value in (SLURM | {"SLURM_NTASKS": "2"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SLURM_NTASKS_PER_NODE")
    assert train(tmp_path / "run") == 2
    assert "--ntasks" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
