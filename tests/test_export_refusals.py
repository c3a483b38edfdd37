"""What cannot be exported is refused in one line, before work where that can be, and leaves nothing."""

from __future__ import annotations

import sys

import pytest
import torch
from stored_networks import BATCH_NORM, checkpoint

from selfsup_depth.cli import main
from selfsup_depth.errors import NumericError
from selfsup_depth.export import torch_program
from selfsup_depth.export.graph import Graph, compare

OWN_ENCODER = """
import numpy as np
import torch
from torch import nn

from selfsup_depth.networks.encoder import ResNetEncoder


class Doubled(nn.Module):
    def forward(self, x):
        {forward}


class Looking(ResNetEncoder):
    def __init__(self):
        super().__init__(18, 0.125)
        self.doubled = Doubled()

    def forward(self, images):
        return super().forward(self.doubled(images))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return checkpoint(tmp_path_factory.mktemp("run") / "run.ckpt", BATCH_NORM)


def refusal(capsys, *arguments):
    """Exit code and the one line of a refused export."""
    code = main(["export", *map(str, arguments)])
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return code, lines[0]


@pytest.mark.parametrize("form", ["onnx", "pt2", "safetensors", "monodepth2"])
def test_an_output_that_cannot_be_written_is_refused_before_the_network_is_read(form, tmp_path, capsys):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "something").touch()
    for output in ("file/out", "folder"):
        arguments = ["--checkpoint=no_such_run", f"--format={form}", f"--output={tmp_path / output}"]
        code, line = refusal(capsys, *arguments)
        assert code == 6
        assert output.split("/")[0] in line


@pytest.mark.parametrize(
    ("forward", "place"),
    [
        ("return 2 * x if x.mean().item() > 0.5 else x", "Doubled"),
        ("return x + float(np.median(x.detach().numpy()))", "Doubled"),
    ],
)
@pytest.mark.parametrize("form", ["onnx", "pt2"])
def test_a_users_module_that_cannot_be_traced_is_named(form, forward, place, tmp_path, monkeypatch, capsys):
    (tmp_path / "own_looking.py").write_text(OWN_ENCODER.format(forward=forward))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "own_looking", raising=False)
    network = {**BATCH_NORM, "encoder": {"class_path": "own_looking.Looking"}}
    own = checkpoint(tmp_path / "own.ckpt", network, trust=True)
    arguments = ["--checkpoint", own, "--format", form, "--output", tmp_path / "out", "--trust"]
    code, line = refusal(capsys, *arguments)
    monkeypatch.delitem(sys.modules, "own_looking", raising=False)
    assert code == 2
    assert line.startswith(f"error: {place} cannot be exported")
    assert "own_looking.py:11" in line
    assert "--format safetensors" in line
    assert not (tmp_path / "out").exists()


def test_a_graph_that_says_something_else_is_not_written(run, tmp_path, monkeypatch, capsys):
    honest = torch_program.run_program

    def wrong(content, images):
        depth, inverse_depth = honest(content, images)
        return depth * 1.002, inverse_depth

    monkeypatch.setattr(torch_program, "run_program", wrong)
    arguments = ["--checkpoint", run, "--format", "pt2", "--output", tmp_path / "net.pt2"]
    code, line = refusal(capsys, *arguments)
    assert code == 5
    assert "2.0e-03" in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("factor", "refused"), [(1.0009, False), (1.0011, True), (float("nan"), True)])
def test_the_largest_difference_counts(factor, refused):
    depth = torch.tensor([1e-2, 1.0, 80.0])
    graph = Graph(None, None, (depth, 1 / depth))
    found = depth.clone()
    found[0] *= factor
    answer = lambda images: (found, 1 / depth)  # noqa: E731
    if refused:
        with pytest.raises(NumericError):
            compare(answer, graph, "it")
    else:
        assert compare(answer, graph, "it") == pytest.approx(9e-4, rel=1e-3)


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        ({"width": 0.125}, "width is not 1"),
        ({"decoder_width": 0.5}, "decoder_width"),
        ({"norm": "group"}, "norm is not batch"),
        ({"coordinates": True}, "coordinates"),
        ({"num_outputs": 2}, "2 outputs"),
        ({"class_path": "DispNet", "width": 0.125}, "DispNet"),
    ],
)
def test_what_monodepth2_cannot_hold_is_refused(network, reason, tmp_path, capsys):
    own = checkpoint(tmp_path / "own.ckpt", {"class_path": "DepthNet", **network})
    arguments = ["--checkpoint", own, "--format=monodepth2", "--output", tmp_path / "out"]
    code, line = refusal(capsys, *arguments)
    assert code == 2
    assert reason in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("form", "package"), [("onnx", "onnxscript"), ("safetensors", "safetensors.torch")])
def test_a_package_that_is_missing_is_named(form, package, run, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, package, None)
    arguments = ["--checkpoint", run, "--format", form, "--output", tmp_path / "out"]
    code, line = refusal(capsys, *arguments)
    assert code == 2
    assert "pip install" in line
    assert package.partition(".")[0] in line


@pytest.mark.parametrize("form", ["pt2", "safetensors", "monodepth2"])
def test_onnx_is_needed_for_onnx_alone(form, tmp_path, monkeypatch):
    for package in ("onnx", "onnxruntime", "onnxscript"):
        monkeypatch.setitem(sys.modules, package, None)
    network = {"class_path": "DepthNet"} if form == "monodepth2" else BATCH_NORM
    own = checkpoint(tmp_path / "own.ckpt", network)
    assert main(["export", f"--checkpoint={own}", f"--format={form}", f"--output={tmp_path / 'out'}"]) == 0


def test_a_licence_is_one_line(run, tmp_path, capsys):
    arguments = ["--checkpoint", run, "--format=safetensors", "--output", tmp_path / "out"]
    code, line = refusal(capsys, *arguments, "--licence=MIT\ntags: x")
    assert code == 2
    assert "--licence" in line


@pytest.mark.parametrize("name", ["net.onnx", "net.pt2"])
def test_an_exported_graph_is_no_checkpoint(name, tmp_path, capsys):
    (tmp_path / name).write_bytes(b"\x08\x0a" * 100)
    arguments = ["--checkpoint", tmp_path / name, "--format=safetensors", "--output", tmp_path / "out"]
    code, line = refusal(capsys, *arguments)
    assert code == 4
    assert name in line
