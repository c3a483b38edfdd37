"""Exports say what the network says, without this package; what they say of themselves is true."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from scenes import shared
from stored_networks import BATCH_NORM, CAMERA, SIZE, checkpoint

import selfsup_depth
from selfsup_depth import __version__
from selfsup_depth.cli import main

# Stands before a program that is to do without some packages.
FORBIDDEN = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {forbidden}:
            raise ImportError(f"{{name}} is not to be used here")
sys.meta_path.insert(0, Refuse())
"""

PAGE = Path(__file__).resolve().parents[1] / "docs" / "export.md"


def export(run: Path, form: str, output: Path, *options: str) -> int:
    return main(["export", f"--checkpoint={run}", f"--format={form}", f"--output={output}", *options])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return checkpoint(
        tmp_path_factory.mktemp("run") / "run.ckpt", BATCH_NORM, {"class_path": "PoseNet", "width": 0.125}
    )


@pytest.fixture(scope="module")
def onnx_file(run, tmp_path_factory):
    file = tmp_path_factory.mktemp("onnx") / "net.onnx"
    assert export(run, "onnx", file, "--licence=CC-BY-4.0") == 0
    return file


@pytest.fixture(scope="module")
def program(run, tmp_path_factory):
    file = tmp_path_factory.mktemp("pt2") / "net.pt2"
    assert export(run, "pt2", file, "--licence=CC-BY-4.0") == 0
    return file


@pytest.fixture(params=["synthetic", "real"])
def picture(request, tmp_path):
    if request.param == "real":
        return next(shared("data/kitti_raw_0013").rglob("image_02/data/*.*g"))
    values = np.random.default_rng(0).integers(0, 256, (10, 21, 3), np.uint8)
    Image.fromarray(values).resize((210, 100), Image.Resampling.BICUBIC).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def predicted(run, picture):
    return selfsup_depth.load(run, device="cpu").predict(Image.open(picture).convert("RGB")).depth


def documented_depth(package, forbidden, file, picture, folder):
    """What the page's program with this package says, where other packages may not be imported."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (program,) = (block for block in blocks if f"import {package}\n" in block)
    (folder / f"demo{file.suffix}").symlink_to(file)
    Image.open(picture).save(folder / "photo.png")
    source = FORBIDDEN.format(forbidden=forbidden) + program
    subprocess.run([sys.executable, "-c", source], check=True, cwd=folder, timeout=120)
    return np.load(folder / "depth.npy")


def assert_same_depth(found, expected):
    assert expected.std() > 1e-2 * expected.mean()  # a constant would agree with everything
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_onnxruntime_alone_says_what_predict_says(run, onnx_file, picture, tmp_path):
    found = documented_depth("onnxruntime", {"selfsup_depth", "torch"}, onnx_file, picture, tmp_path)
    assert_same_depth(found, predicted(run, picture))


def test_torch_alone_says_what_predict_says(run, program, picture, tmp_path):
    found = documented_depth("torch", {"selfsup_depth", "pytorch_lightning"}, program, picture, tmp_path)
    assert_same_depth(found, predicted(run, picture))


def test_the_file_says_what_it_holds(run, onnx_file, program):
    model = onnx.load(onnx_file)
    extra = {"metadata.json": ""}
    torch.export.load(program, extra_files=extra)
    facts = json.loads(extra["metadata.json"])
    text = {one.key: one.value for one in model.metadata_props}
    assert (facts["scale"], facts["unit"], facts["depth_range"]) == ("metric", "metre", [1.0, 80.0])
    assert [facts["height"], facts["width"]] == list(SIZE)
    assert facts["focal"] == [CAMERA["K"][0][0] / CAMERA["size"][1]]
    assert (facts["licence"], facts["version"]) == ("CC-BY-4.0", __version__)
    assert len(facts["config_sha256"]) == 64
    assert {name: json.loads(value) if value[:1] == "[" else value for name, value in text.items()} == {
        name: str(value) if isinstance(value, int) else value for name, value in facts.items()
    }
    assert model.opset_import[0].version >= 18
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert [one.name for one in (*model.graph.input, *model.graph.output)] == [
        "image",
        "depth",
        "inverse_depth",
    ]


def test_nothing_of_this_machine_is_in_the_files(onnx_file, program):
    for file in (onnx_file, program):
        assert b"/home/someone" not in file.read_bytes()
        assert str(Path(selfsup_depth.__file__).parent).encode() not in file.read_bytes()
