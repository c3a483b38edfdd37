"""`evaluate depth`: stored predictions and checkpoints, results that can be trusted, bad input."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from selfsup_depth.cli import main
from selfsup_depth.evaluation.protocols import PROTOCOLS
from selfsup_depth.training.prediction_files import npy_bytes, png_bytes, uint16_from_depth

SIZE = (60, 200)


def evaluate(*arguments):
    return main(["evaluate", "depth", *map(str, arguments)])


def store_png(path, depth):
    """16 bits; zero stays zero, for none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png_bytes(np.where(depth > 0, uint16_from_depth(depth), 0).astype(np.uint16)))


def store_npy(path, depth):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(npy_bytes(depth))


@pytest.fixture
def depths():
    """Three dense depth maps, metres, exact in steps of 1/256."""
    generator = np.random.default_rng(0)
    return {f"{i:03d}": (generator.integers(600, 9000, SIZE) / 256).astype(np.float32) for i in range(3)}


@pytest.fixture
def folders(depths, tmp_path):
    """Measured: a fifth of the pixels, as PNG. Predicted: twice the depth, as .npy."""
    seen = np.random.default_rng(1).random(SIZE) < 0.2
    for name, depth in depths.items():
        store_png(tmp_path / "measured" / f"{name}.png", depth * seen)
        store_npy(tmp_path / "predicted" / f"{name}.npy", depth * 2)
    return ["--predictions", tmp_path / "predicted", "--measured", tmp_path / "measured"]


def test_doubled_depth_is_wrong_in_metres_and_right_up_to_scale(folders, tmp_path, capsys):
    for protocol, abs_rel in (("kitti_metric", 1.0), ("metric", 1.0), ("kitti_eigen", 0.0)):
        file = tmp_path / "results" / f"{protocol}.json"
        assert evaluate(*folders, "--protocol", protocol, "--json", file) == 0
        result = json.loads(file.read_text())
        assert result["metrics"]["abs_rel"] == pytest.approx(abs_rel, abs=1e-6)
        assert result["num_images"] == 3
        assert result["protocol"] == json.loads(json.dumps(PROTOCOLS[protocol].as_dict())) | {
            "description": PROTOCOLS[protocol].description()
        }
        assert 0.2 < result["baseline"]["abs_rel"] < 2
        out = capsys.readouterr()
        assert PROTOCOLS[protocol].description() in out.out
        assert "constant depth" in out.out
        assert "3 images" in out.out
        assert "note:" not in out.out
        assert list(file.parent.glob(".*")) == []


def test_a_prediction_may_be_a_png_in_a_subfolder_named_as_predict_names_it(depths, tmp_path):
    for name, depth in depths.items():
        store_npy(tmp_path / "measured" / "day" / f"{name}.npy", depth)
        store_png(tmp_path / "predicted" / "day" / f"{name}_depth.png", depth)
        (tmp_path / "predicted" / "day" / f"{name}_inverse_depth.png").touch()
    file = tmp_path / "out.json"
    given = ["--predictions", tmp_path / "predicted", "--measured", tmp_path / "measured"]
    assert evaluate(*given, "--protocol", "metric", "--json", file) == 0
    assert json.loads(file.read_text())["metrics"]["rmse"] < 1e-4


def test_an_image_without_measured_depth_is_counted_and_named(folders, tmp_path, capsys):
    store_png(tmp_path / "measured" / "001.png", np.zeros(SIZE, np.float32))
    assert evaluate(*folders, "--protocol", "metric", "--json", tmp_path / "out.json") == 0
    result = json.loads((tmp_path / "out.json").read_text())
    assert (result["num_images"], result["num_skipped"], result["skipped"]) == (2, 1, ["001"])
    assert "001" in capsys.readouterr().out


def corrupt(tmp_path, what, depths):
    """Spoil one of the files."""
    predicted, measured = tmp_path / "predicted", tmp_path / "measured"
    holed = depths["000"].copy()
    holed[10:40] = 0
    actions = {
        "missing prediction": lambda: (predicted / "001.npy").unlink(),
        "extra prediction": lambda: store_npy(predicted / "other.npy", depths["000"]),
        "size": lambda: store_npy(predicted / "001.npy", depths["001"][:, :-1]),
        "not a positive": lambda: store_npy(predicted / "000.npy", holed),
        "nan": lambda: store_npy(predicted / "000.npy", depths["000"] * np.nan),
        "truncated": lambda: (predicted / "002.npy").write_bytes(b"\x93NUMPY\x01"),
        "pickle": lambda: np.save(predicted / "002.npy", np.array([{}], dtype=object), allow_pickle=True),
        "whole numbers": lambda: store_npy(predicted / "002.npy", depths["002"].astype(np.int32)),
        "eight bits": lambda: Image.new("L", SIZE[::-1]).save(measured / "000.png"),
        "empty": lambda: shutil.rmtree(predicted),
    }
    actions[what]()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("missing prediction", "no prediction for 001"),
        ("extra prediction", "no measured depth for other.npy"),
        ("size", "199x60 against 200x60"),
        ("not a positive", "not positive at a measured pixel, in"),
        ("nan", "not positive at a measured pixel, in"),
        ("truncated", "not a NumPy file"),
        ("pickle", "not a NumPy file"),
        ("whole numbers", "int32"),
        ("eight bits", "16-bit"),
        ("empty", "no depth map"),
    ],
)
def test_bad_files_are_refused_in_one_line_and_nothing_is_written(
    what, message, folders, depths, tmp_path, capsys
):
    corrupt(tmp_path, what, depths)
    assert evaluate(*folders, "--protocol", "metric", "--json", tmp_path / "out.json") == 3
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize("hole", [np.nan, np.inf, 0, -1])
def test_a_hole_where_nothing_was_measured_does_no_harm(hole, depths, tmp_path):
    sparse = depths["000"].copy()
    sparse[:, 100:] = 0
    holed = depths["000"].copy()
    holed[:, 100:] = hole
    store_npy(tmp_path / "measured" / "a.npy", sparse)
    store_npy(tmp_path / "predicted" / "a.npy", holed)
    given = ["--predictions", tmp_path / "predicted", "--measured", tmp_path / "measured"]
    assert evaluate(*given, "--protocol", "metric", "--json", tmp_path / "out.json") == 0
    assert json.loads((tmp_path / "out.json").read_text())["metrics"]["rmse"] < 1e-4


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--protocol", "kitti_egen"], 2, "did you mean kitti_eigen"),
        ([], 2, "--protocol"),
        (["--protocol", "metric", "--checkpoint", "x"], 2, "either --checkpoint"),
        (["--protocol", "metric", "--data.root", "x"], 2, "--data.root goes with --checkpoint"),
        (["--protocol", "metric", "--config", "x"], 2, "--config goes with --checkpoint"),
        (["--protocol", "metric", "--jason", "x"], 2, "did you mean --json"),
        (["--protocol", "metric", "--json", "{}/file/out.json"], 6, "choose another --json"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(arguments, code, message, folders, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert evaluate(*folders, *(argument.format(tmp_path) for argument in arguments)) == code
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert message in lines[0]


def test_other_kinds_and_halves_are_refused(capsys):
    assert main(["evaluate", "dept"]) == 2
    assert "did you mean depth" in capsys.readouterr().err
    assert evaluate("--protocol", "metric") == 2
    assert "give either" in capsys.readouterr().err
    assert evaluate("--protocol", "metric", "--measured", "x") == 2
    assert "go together" in capsys.readouterr().err
    assert main(["evaluate", "--help"]) == evaluate("--help") == 0
    assert PROTOCOLS["metric"].description() in capsys.readouterr().out


def test_a_missing_prediction_is_refused_or_counted(folders, tmp_path, capsys):
    (tmp_path / "predicted/001.npy").unlink()
    assert evaluate(*folders, "--protocol", "metric") == 3
    assert "no prediction for 001" in capsys.readouterr().err
    store_npy(tmp_path / "predicted/002.npy", np.full(SIZE, -1, np.float32))
    file = tmp_path / "out.json"
    assert evaluate(*folders, "--protocol", "metric", "--on-missing", "skip", "--json", file) == 0
    result = json.loads(file.read_text())
    assert (result["num_images"], result["num_left_out"]) == (1, 2)
    assert "001" in result["left_out"][0]
    assert "not positive" in result["left_out"][1]
    assert "2 frames left out" in capsys.readouterr().out


def test_a_stack_of_inverse_depth_is_evaluated_like_the_maps(depths, folders, tmp_path):
    stack, truth = tmp_path / "stack.npy", tmp_path / "truth.npz"
    np.save(stack, 1 / (2 * np.stack([depths[name] for name in sorted(depths)])))
    stored = [tmp_path / f"measured/{name}.png" for name in sorted(depths)]
    np.savez(truth, *(np.asarray(Image.open(file), np.float32) / 256 for file in stored))
    results = []
    for pair in (folders, ["--predictions", stack, "--measured", truth]):
        assert evaluate(*pair, "--protocol", "kitti_metric", "--json", tmp_path / "out.json") == 0
        results.append(json.loads((tmp_path / "out.json").read_text())["metrics"])
    assert results[1] == pytest.approx(results[0], rel=1e-5)
    np.save(stack, np.ones((2, 4, 8), np.float32))
    assert evaluate("--predictions", stack, "--measured", truth, "--protocol", "metric") == 3


def test_objects_in_an_archive_are_not_opened(tmp_path, capsys):
    canary = tmp_path / "canary"

    class Payload:
        def __reduce__(self):
            return (canary.touch, ())

    archive = tmp_path / "gt_depths.npz"
    np.savez(archive, data=np.array([Payload(), 1], dtype=object))
    np.save(tmp_path / "stack.npy", np.ones((1, 4, 8), np.float32))
    command = ["--predictions", tmp_path / "stack.npy", "--measured", archive, "--protocol", "metric"]
    assert evaluate(*command) == 3
    assert "np.savez(FILE, *maps)" in capsys.readouterr().err
    assert not canary.exists()
