"""Overlays: what applies where present, and the last word between two ways to say one thing."""

from __future__ import annotations

from selfsup_depth.training.layers import stack_layers


def stacked(tmp_path, *texts, flags=()):
    files = []
    for number, text in enumerate(texts):
        files.append(tmp_path / f"{number}.yaml")
        files[-1].write_text(text)
    return stack_layers(files, flags).values


def test_a_key_with_a_question_mark_changes_what_is_there_and_adds_nothing(tmp_path):
    overlay = "model:\n  pose_net?: {width: 0.25}\n  depth_net: {width: 0.25}"
    with_pose = stacked(tmp_path, "model: {pose_net: {num_layers: 18}}", overlay)
    assert with_pose["model"]["pose_net"] == {"num_layers": 18, "width": 0.25}
    assert stacked(tmp_path, "model: {}", overlay)["model"] == {"depth_net": {"width": 0.25}}
    assert stacked(tmp_path, "seed: 1", overlay)["model"] == {"depth_net": {"width": 0.25}}


def test_steps_laid_over_epochs_replace_them(tmp_path):
    epochs = "trainer: {max_epochs: 20, precision: 32}"
    by_file = stacked(tmp_path, epochs, "trainer: {max_steps: 300}")
    assert by_file["trainer"] == {"precision": 32, "max_steps": 300}
    by_flag = stacked(tmp_path, epochs, flags=[("trainer.max_steps", "300")])
    assert by_flag["trainer"] == {"precision": 32, "max_steps": "300"}
    both = [("trainer.max_steps", "300"), ("trainer.max_epochs", "2")]
    assert stacked(tmp_path, epochs, flags=both)["trainer"].keys() == {"precision", "max_steps", "max_epochs"}
