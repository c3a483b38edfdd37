"""Overlays: what applies where present, and the last word between two ways to say one thing."""

from __future__ import annotations

from selfsup_depth.training.configuration import resolve
from selfsup_depth.training.layers import Layers, stack_layers
from selfsup_depth.training.sections import MODEL


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


def test_a_marked_value_counts_where_the_class_has_that_option(tmp_path):
    overlay = "model:\n  depth_net:\n    width?: 0.25\n    feathers?: 7\n"
    expected = {"class_path": "selfsup_depth.networks.depth.DepthNet", "width": 0.25}
    for recipe in ("{}", "{width: 2}", "DepthNet", "{class_path: DepthNet, width: 2}"):
        layers = stacked(tmp_path, f"model: {{depth_net: {recipe}, losses: {{}}}}", overlay)
        net = resolve(Layers(layers, {}), {"model": MODEL})["model"]["init_args"]["depth_net"]
        assert {"class_path": net["class_path"], "width": net["init_args"]["width"]} == expected
        assert not any("feathers" in key for key in net["init_args"])


def test_the_last_word_counts_whether_it_is_marked_or_not(tmp_path):
    marked, plain = "model:\n  width?: 1", "model: {width: 2}"
    assert stacked(tmp_path, marked, plain)["model"] == {"width": 2}
    assert stacked(tmp_path, plain, marked)["model"] == {"width": 1}
    assert stacked(tmp_path, marked, "model:\n  width?: 3")["model"] == {"width?": 3}


def test_steps_laid_over_epochs_replace_them(tmp_path):
    epochs = "trainer: {max_epochs: 20, precision: 32}"
    by_file = stacked(tmp_path, epochs, "trainer: {max_steps: 300}")
    assert by_file["trainer"] == {"precision": 32, "max_steps": 300}
    by_flag = stacked(tmp_path, epochs, flags=[("trainer.max_steps", "300")])
    assert by_flag["trainer"] == {"precision": 32, "max_steps": "300"}
    both = [("trainer.max_steps", "300"), ("trainer.max_epochs", "2")]
    assert stacked(tmp_path, epochs, flags=both)["trainer"].keys() == {"precision", "max_steps", "max_epochs"}
