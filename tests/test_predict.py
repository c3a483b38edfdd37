"""Prediction: the same depth however a picture is given, honest files, bad images passed over."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from known_network import SIZE, Brightness, expected, predict
from PIL import Image

import selfsup_depth
from selfsup_depth.cli import main
from selfsup_depth.errors import ConfigError, DataError
from selfsup_depth.training.prediction import Predictor


@pytest.fixture
def picture():
    """A ramp from left to right in red, other colours elsewhere; not of the training size."""
    red = np.arange(150, dtype=np.uint8)[None].repeat(50, axis=0)
    return Image.fromarray(np.stack([red, 255 - red, red // 2], axis=-1))


@pytest.fixture(params=["metric", "relative"])
def scale(request):
    return request.param


def test_prediction_has_the_pictures_own_resolution_and_place(picture):
    predicted = Predictor(Brightness(), SIZE, "metric").predict(picture)
    assert predicted.depth.shape == predicted.inverse_depth.shape == (50, 150)
    assert predicted.depth.dtype == predicted.inverse_depth.dtype == np.float32
    assert predicted.scale == "metric"
    np.testing.assert_allclose(predicted.inverse_depth, expected(picture), atol=0.006)
    # Away from the borders a ramp survives shrinking and enlarging: half a pixel's shift would not.
    error = predicted.inverse_depth - expected(picture)
    assert abs(error[:, 6:75].mean()) < 0.0001
    assert abs(error[:, 75:-6].mean()) < 0.0001
    np.testing.assert_allclose(predicted.depth * predicted.inverse_depth, 1, rtol=1e-6)


def test_however_a_picture_is_given_its_depth_is_the_same(picture):
    predictor = Predictor(Brightness(), SIZE, "metric")
    array = np.asarray(picture)
    tensor = torch.from_numpy(array.copy()).permute(2, 0, 1)
    reference = predictor.predict(picture).depth
    for same in (
        array,
        array / 255,
        (array / 255).astype(np.float32),
        tensor,
        tensor / 255,
        picture.convert("RGBA"),
    ):
        np.testing.assert_array_equal(predictor.predict(same, K=np.eye(3)).depth, reference)
    for stack in (np.stack([array, array[:, ::-1]]), torch.stack([tensor, tensor.flip(-1)])):
        first, mirrored = predictor.predict(stack).depth
        np.testing.assert_array_equal(first, reference)
        np.testing.assert_allclose(mirrored, reference[:, ::-1], rtol=1e-2)


def test_grey_is_three_equal_channels(picture):
    predictor = Predictor(Brightness(), SIZE, "metric")
    red = np.asarray(picture)[..., 0]
    np.testing.assert_array_equal(predictor.predict(red).depth, predictor.predict(Image.fromarray(red)).depth)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((3, 20, 30)), "shape"),
        (torch.zeros(20, 30, 3), "shape"),
        (np.zeros((0, 30, 3)), "shape"),
        (np.full((20, 30, 3), 200.0), "outside 0 to 1"),
        (np.full((20, 30, 3), np.nan), "outside 0 to 1"),
        (np.full((20, 30, 3), 60000, np.uint16), "outside 0 to 255"),
    ],
)
def test_what_is_no_image_is_refused(image, message):
    with pytest.raises(DataError, match=message):
        Predictor(Brightness(), SIZE, "metric").predict(image)


def test_load_is_public_and_the_package_stays_light(checkpoint, picture):
    _, path = checkpoint("relative")
    predicted = selfsup_depth.load(path, device="cpu").predict(picture)
    assert predicted.scale == "relative"
    with pytest.raises(ConfigError, match="no device warp"):
        selfsup_depth.load(path, device="warp")
    code = "import sys, selfsup_depth; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_files_of_a_prediction_read_back(checkpoint, picture, tmp_path, scale, capsys):
    (tmp_path / "in").mkdir()
    picture.save(tmp_path / "in" / "street.png")
    assert predict(*checkpoint(scale), "--input", tmp_path / "in", "--output", tmp_path / "out", "--npy") == 0
    relative = "" if scale == "metric" else "_relative"
    names = {f"street{relative}_depth.png", "street_inverse_depth.png", f"street{relative}.npy"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    depth = np.load(tmp_path / "out" / f"street{relative}.npy", allow_pickle=False)
    np.testing.assert_array_equal(depth, Predictor(Brightness(), SIZE, scale).predict(picture).depth)
    stored = Image.open(tmp_path / "out" / f"street{relative}_depth.png")
    assert stored.mode == "I;16"
    np.testing.assert_allclose(np.asarray(stored) / 256, depth, atol=1 / 512)
    shown = np.asarray(Image.open(tmp_path / "out" / "street_inverse_depth.png")).astype(int)
    assert shown.shape == (50, 150, 3)
    assert (np.diff(shown.sum(-1)[25]) >= -1).all()  # nearer is brighter
    out = capsys.readouterr()
    assert f"scale: {scale}" in out.out
    assert "frame/s" in out.err


def test_depth_beyond_16_bits_is_the_farthest_and_never_none():
    depth = np.array([[0.0001, 1.0, 255.9, 1e5]], np.float32)
    stored = prediction_files_uint16(depth)
    assert stored.tolist() == [[1, 256, 65510, 65535]]


def prediction_files_uint16(depth):
    from selfsup_depth.training.prediction_files import uint16_from_depth

    return uint16_from_depth(depth)


def test_a_bad_image_is_named_and_the_others_are_done(checkpoint, picture, tmp_path, capsys):
    for name in ("a.png", "c.jpg"):
        picture.save(tmp_path / name)
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:100])
    assert predict(*checkpoint("metric"), "--input", tmp_path, "--output", tmp_path / "out") == 3
    assert {path.name.split("_")[0] for path in (tmp_path / "out").iterdir()} == {"a", "c"}
    out = capsys.readouterr()
    assert "b.png" in out.err
    assert out.err.count("error:") == 1
    assert out.err.strip().splitlines()[-1].startswith("error: 1 of 3 images")
    assert "2 of 3 images predicted" in out.out


def test_a_pattern_keeps_the_folders_apart(checkpoint, picture, tmp_path):
    for folder in ("one", "two"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        picture.save(tmp_path / "in" / folder / "0.png")
    pattern = tmp_path / "in" / "*" / "*.png"
    assert predict(*checkpoint("metric"), "--input", pattern, "--output", tmp_path / "out") == 0
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*_depth.png")}
    assert {"one/0_depth.png", "two/0_depth.png"} <= found


def refused(arguments, code, message, capsys):
    assert predict(*arguments) == code
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert message in lines[0]


def test_bad_arguments_are_refused_before_any_work(checkpoint, picture, tmp_path, capsys):
    given = checkpoint("metric")
    (tmp_path / "in").mkdir()
    (tmp_path / "file").touch()
    out = ["--output", tmp_path / "out"]
    refused([*given, "--input", tmp_path / "in", *out], 3, "no image", capsys)
    refused([*given, "--input", tmp_path / "nowhere", *out], 3, "no such image", capsys)
    picture.save(tmp_path / "in" / "a.png")
    name = ["--input", tmp_path / "in"]
    refused([*given, *name, "--output", tmp_path / "in"], 2, "choose another --output", capsys)
    refused([*given, *name, "--output", tmp_path / "file" / "out"], 6, "cannot write", capsys)
    refused([*given, *name], 2, "--output", capsys)
    refused([*given, *name, *out, "--npz"], 2, "did you mean --npy", capsys)
    refused([*given, *name, *out, "--device", "warp"], 2, "no device warp", capsys)
    refused([*given, *name, *out, "--batch-size", "0"], 2, "give 1 or more", capsys)
    refused([*given, *name, *out, "--scale", "-1"], 2, "--scale is -1", capsys)
    refused([*given, *name, *out, "--max-depth", "40"], 2, "give --ply, too", capsys)
    refused([*given, *name, *out, "--fov", "180"], 2, "between 0 and 180", capsys)
    refused([*given, *name, *out, "--fov", "80", "--K", "K.txt"], 2, "leave out one", capsys)
    assert not list((tmp_path / "out").glob("*"))


def test_images_that_would_write_the_same_file_keep_their_endings(checkpoint, picture, tmp_path, capsys):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    # The picture of a's inverse depth is called like the depth of a_inverse.
    for name in ("a.png", "a.jpg", "b.png", "c.png", "c_inverse.png"):
        picture.save(folder / name)
    assert predict(*checkpoint("metric"), "--input", folder, "--output", out) == 0
    capsys.readouterr()
    found = sorted(path.name for path in out.iterdir())
    stems = ("a.jpg", "a.png", "b", "c.png", "c_inverse.png")
    assert found == sorted(f"{stem}_{kind}depth.png" for stem in stems for kind in ("", "inverse_"))
    picture.save(folder / "a.png.jpg")
    again = [*checkpoint("metric"), "--input", folder, "--output", tmp_path / "again"]
    refused(again, 3, "a.png would be written to the same files", capsys)
    assert not (tmp_path / "again").exists()


def test_a_missing_checkpoint_is_exit_4(picture, tmp_path, capsys):
    picture.save(tmp_path / "a.png")
    where = ["--checkpoint", tmp_path / "none", "--input", tmp_path / "a.png", "--output", tmp_path / "out"]
    refused(where, 4, "give a .ckpt file", capsys)


@pytest.mark.parametrize(
    ("cameras", "told"),
    [
        ([], "no camera is recorded for --ply"),
        (
            [{"K": [[40, 0, 20], [0, 40, 40], [0, 0, 1]], "size": [80, 40]}],
            "images are 150x50, the camera is for 40x80",
        ),
    ],
)
def test_a_cloud_without_a_camera_is_refused_before_anything_is_written(
    checkpoint, picture, tmp_path, capfd, cameras, told
):
    picture.save(tmp_path / "a.png")
    known = checkpoint("metric", cameras=cameras)
    output = tmp_path / "new" / "out"
    more = ["--input", str(tmp_path / "a.png"), "--output", str(output), "--ply"]
    assert main(["predict", *known, *more]) == 2
    *_, line = capfd.readouterr().err.strip().splitlines()
    assert line.startswith("error: ")
    assert told in line
    assert "give --K FILE or --fov DEGREES" in line
    assert not output.parent.exists()


def test_a_folder_that_was_there_stays(checkpoint, picture, tmp_path):
    picture.save(tmp_path / "a.png")
    (tmp_path / "out").mkdir()
    more = ["--input", str(tmp_path / "a.png"), "--output", str(tmp_path / "out"), "--ply"]
    assert main(["predict", *checkpoint("metric"), *more]) == 2
    assert (tmp_path / "out").is_dir()


@pytest.mark.parametrize(
    ("suffix", "kind"), [("onnx", "an ONNX graph"), ("pt2", "an exported program of torch")]
)
def test_an_exported_network_is_no_checkpoint(tmp_path, picture, capfd, suffix, kind):
    picture.save(tmp_path / "a.png")
    file = tmp_path / f"network.{suffix}"
    file.write_bytes(b"anything")
    more = ["--input", str(tmp_path / "a.png"), "--output", str(tmp_path / "out")]
    assert main(["predict", f"--checkpoint={file}", *more]) == 4
    assert capfd.readouterr().err == (
        f"error: {kind} for other programs, not a checkpoint, in {file}; "
        "give the run or the .ckpt that it was exported from\n"
    )
    assert not (tmp_path / "out").exists()
