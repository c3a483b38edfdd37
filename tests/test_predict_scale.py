"""A scale found after training: from what is measured, wrong points among it, into the checkpoint and out."""

from __future__ import annotations

import numpy as np
import pytest
import stored_networks
import torch
from known_network import SIZE as KNOWN_SIZE
from known_network import Brightness, predict
from PIL import Image

import selfsup_depth
from selfsup_depth.commands.predict_scale import find_scale, parse_scale_source
from selfsup_depth.errors import CheckpointError, ConfigError, DataError
from selfsup_depth.evaluation.ground_plane import height_above_ground
from selfsup_depth.evaluation.robust_fit import robust_fit
from selfsup_depth.training.checkpoint import RECORD, load_checkpoint
from selfsup_depth.training.checkpoint_io import read_sealed, write_sealed
from selfsup_depth.training.prediction import Predictor
from selfsup_depth.training.rescaling import Rescaling

K = np.array([[90.0, 0, 74.5], [0, 80, 24.5], [0, 0, 1]])
FACTOR, SHIFT = 2.5, 0.004
WRONG = 0.3  # share of the points


@pytest.mark.parametrize("num", [20, 300])
@pytest.mark.parametrize("offset", [0.0, 0.05])
def test_points_that_are_wrong_in_one_direction_pull_nothing(num, offset):
    draw = np.random.default_rng(0)
    predicted = draw.uniform(0.02, 0.6, num)
    measured = (0.4 * predicted + offset) * np.exp(draw.normal(0, 0.01, num))
    measured[: round(WRONG * num)] *= draw.uniform(1.3, 5, round(WRONG * num))
    fit = robust_fit(predicted, measured, with_offset=offset > 0)
    assert fit.slope == pytest.approx(0.4, rel=0.02)
    assert fit.offset == pytest.approx(offset, abs=0.002)
    assert fit.share == pytest.approx(1 - WRONG, abs=0.06)
    plain = np.polyfit(predicted, measured, 1) if offset else [predicted @ measured / (predicted @ predicted)]
    assert abs(plain[0] / 0.4 - 1) > 0.1  # the task is one


def test_where_all_points_are_good_little_is_lost_against_least_squares():
    draw = np.random.default_rng(1)
    errors = []
    for _ in range(30):
        predicted = draw.uniform(0.02, 0.6, 60)
        ratio = 1 + draw.normal(0, 0.05, 60)  # predicted over measured
        fit = robust_fit(predicted, 0.4 * predicted / ratio)
        errors.append([fit.slope / 0.4 - 1, ratio.sum() / (ratio @ ratio) - 1])
    robust, plain = np.sqrt(np.square(errors).mean(axis=0))
    assert robust < 1.15 * plain  # the median's would be 1.25 times as large


@pytest.fixture
def run(tmp_path):
    """A checkpoint of unknown scale, with a network of motion, and a picture."""
    net = {**stored_networks.BATCH_NORM, "norm": "group"}
    pose = {"class_path": "PoseNet", "width": 0.125, "norm": "group", "first_motion": [0.0, 0.0, 1.0]}
    file = stored_networks.checkpoint(tmp_path / "run" / "checkpoints" / "best.ckpt", net, pose)
    content = read_sealed(file)
    content[RECORD]["scale"]["kind"] = "relative"
    write_sealed(content, file)
    noise = np.random.default_rng(2).integers(0, 255, (6, 12, 3), dtype=np.uint8)
    (tmp_path / "in").mkdir()
    Image.fromarray(noise).resize((128, 64)).save(tmp_path / "in" / "a street.png")
    return tmp_path / "run"


def picture_of(run):
    return Image.open(run.parent / "in" / "a street.png")


def measure(run, true_inverse_depth, wrong=WRONG):
    """A file of measured points, the first of which are much too near."""
    draw = np.random.default_rng(3)
    lines = ["# image column row metres"]
    for number in range(60):
        column, row = draw.integers(0, 128), draw.integers(0, 64)
        metres = 1 / true_inverse_depth[row, column]
        metres *= draw.uniform(0.3, 0.7) if number < wrong * 60 else draw.normal(1, 0.002)
        lines.append(f"a street.png {column} {row} {metres:.6f}")
    file = run.parent / "points.txt"
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.mark.parametrize("shift", [0.0, SHIFT])
def test_a_scale_found_from_points_is_in_the_checkpoint(run, tmp_path, shift, capsys):
    weights = read_sealed(run / "checkpoints" / "best.ckpt")["state_dict"]
    before = selfsup_depth.load(run, device="cpu").predict(picture_of(run))
    assert before.scale == "relative"
    assert np.ptp(np.log(before.depth)) > 0.02
    truth = before.inverse_depth / FACTOR + shift
    points = measure(run, truth)
    given = ["--checkpoint", run, "--input", tmp_path / "in", "--output", tmp_path / "out", "--npy"]
    clue = ["--scale-from", f"points={points}", *["--scale-shift"] * bool(shift)]
    assert predict(*given, *clue) == 0
    told = capsys.readouterr().out
    assert "scale found by points: 60 lengths, 70% of them agree" in told
    assert {path.name for path in (tmp_path / "out").glob("*.npy")} == {"a street.npy"}
    after = selfsup_depth.load(run, device="cpu").predict(picture_of(run))
    assert after.scale == "metric"
    np.testing.assert_allclose(after.inverse_depth, truth, rtol=0.003)
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "a street.npy"), after.depth)
    content = read_sealed(run / "checkpoints" / "best.ckpt")
    found = content[RECORD]["scale"]
    expected_range = [1 / (1 / (limit * found["factor"]) + found["shift"]) for limit in before.depth_range]
    np.testing.assert_allclose(after.depth_range, expected_range)
    assert content[RECORD]["scale"]["from"].startswith("points: 60 lengths")
    assert all(torch.equal(content["state_dict"][name], tensor) for name, tensor in weights.items())
    # Once more, from the same points: nothing is left to find.
    assert predict(*given, *clue) == 0
    again = selfsup_depth.load(run, device="cpu").predict(picture_of(run))
    np.testing.assert_allclose(again.inverse_depth, after.inverse_depth, rtol=1e-4)


def test_what_evaluates_and_what_moves_hears_the_scale_too(run, tmp_path):
    image = torch.rand(2, 3, *stored_networks.SIZE)

    def said():
        module = load_checkpoint(run).module
        with torch.inference_mode():
            T = module.pose_net(image[:1], image[1:]).T_first_to_second
            return module.predict_inverse_depth(image), T

    before, motion = said()
    points = measure(
        run, selfsup_depth.load(run, device="cpu").predict(picture_of(run)).inverse_depth / FACTOR
    )
    given = ["--checkpoint", run, "--input", tmp_path / "in", "--output", tmp_path / "out"]
    assert predict(*given, "--scale-from", f"points={points}") == 0
    after, scaled = said()
    torch.testing.assert_close(after, before / FACTOR, rtol=0.003, atol=0)
    torch.testing.assert_close(scaled[:, :3, 3], motion[:, :3, 3] * FACTOR, rtol=0.003, atol=0)
    torch.testing.assert_close(scaled[:, :3, :3], motion[:, :3, :3])


def test_points_of_which_most_disagree_are_refused_and_nothing_is_written(run, tmp_path, capsys):
    draw = np.random.default_rng(4)
    points = measure(run, np.exp(draw.normal(0, 1.5, (64, 128))), wrong=0)
    before = (run / "checkpoints" / "best.ckpt").read_bytes()
    given = ["--checkpoint", run, "--input", tmp_path / "in", "--output", tmp_path / "out"]
    assert predict(*given, "--scale-from", f"points={points}") == 3
    assert "60 lengths scatter by" in capsys.readouterr().err
    assert (run / "checkpoints" / "best.ckpt").read_bytes() == before
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "clue", ["height=2", "points=", "camera_height=-1", "baseline=0.5", "baseline=x:right"]
)
def test_a_clue_that_is_none_is_refused(clue):
    with pytest.raises(ConfigError):
        parse_scale_source(clue)


def test_options_that_contradict_each_other_are_refused(run, tmp_path, capsys):
    given = ["--checkpoint", run, "--input", tmp_path / "in", "--output", tmp_path / "out"]
    assert predict(*given, "--scale", 2, "--scale-from", "points=p.txt") == 2
    assert predict(*given, "--scale-shift") == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_record_with_a_scale_that_is_none_is_refused(run):
    file = run / "checkpoints" / "best.ckpt"
    content = read_sealed(file)
    for factor in (-1.0, float("nan"), "big"):
        content[RECORD]["scale"]["factor"] = factor
        write_sealed(content, file)
        with pytest.raises(CheckpointError, match="a scale that is none"):
            load_checkpoint(run)


def test_two_scales_after_each_other_are_one():
    first, second = Rescaling(2.0, 0.01), Rescaling(3.0, 0.002)
    depth = 7.0
    assert first.then(second).of_depth(depth) == pytest.approx(second.of_depth(first.of_depth(depth)))


@pytest.fixture
def known(tmp_path):
    """A network that says what the red of the picture says, and a place for pictures."""

    def scale_of(clue, pixels, with_shift=False):
        Image.fromarray(pixels).save(tmp_path / "left.png")
        predictor = Predictor(Brightness(), KNOWN_SIZE, "relative")
        source = parse_scale_source(clue)
        found, _ = find_scale(source, with_shift, predictor, [tmp_path / "left.png"], [lambda size: K])
        return found.factor

    return scale_of


def wall(inverse_depth, texture=0):
    """Red that Brightness takes for a wall straight ahead; the texture is in green."""
    pixels = np.zeros((50, 150, 3), np.uint8)
    pixels[..., 0] = round((inverse_depth - 0.02) * 2 * 255)
    pixels[..., 1] = texture
    return pixels


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("left.png 3 4", "expected 3 numbers, found 2"),
        ("b.png 3 4 5", "no image of --input is named b.png, in"),
        ("left.png 150 4 5", "pixel 150 4 lies outside 150x50"),
        ("left.png 3 4 0", "0 metres"),
        ("left.png 3 4 near", "not a finite number"),
    ],
)
def test_a_bad_line_is_named(known, tmp_path, line, message):
    (tmp_path / "points.txt").write_text(f"left.png 1 1 5\n{line}\n")
    with pytest.raises(DataError, match=f"{message}.*points.txt:2"):
        known(f"points={tmp_path / 'points.txt'}", wall(0.25))


def test_a_measured_distance_on_a_wall_tells_the_scale(known, tmp_path):
    metres = FACTOR / 0.25 * np.hypot(60 / 90, 20 / 80)
    (tmp_path / "tape.txt").write_text(f"left.png 20 10 80 30 {metres}\n")
    assert known(f"distances={tmp_path / 'tape.txt'}", wall(0.25)) == pytest.approx(FACTOR, rel=0.02)


def test_the_cameras_height_tells_the_scale(known):
    row = np.arange(50)[:, None].repeat(150, axis=1)
    ground = np.clip((row - 24.5) / (80 * 0.6), 0.02, None)  # 0.6 units below the camera
    pixels = wall(0.1)
    pixels[..., 0] = ((ground - 0.02) * 2 * 255).clip(0, 255).round()
    assert known("camera_height=1.5", pixels) == pytest.approx(1.5 / 0.6, rel=0.03)
    with pytest.raises(DataError, match="no level ground"):
        known("camera_height=1.5", wall(0.1))


def test_the_baseline_of_a_pair_tells_the_scale(known, tmp_path):
    texture = np.asarray(
        Image.fromarray(np.random.default_rng(5).integers(0, 255, (13, 40), dtype=np.uint8)).resize((160, 50))
    )
    disparity, metres = 6, 0.5
    (tmp_path / "right").mkdir()
    Image.fromarray(wall(0.25, texture[:, disparity : disparity + 150])).save(tmp_path / "right" / "left.png")
    left = wall(0.25, texture[:, :150])
    true_depth = 90 * metres / disparity
    assert known(f"baseline={metres}:{tmp_path / 'right'}", left) == pytest.approx(
        true_depth * 0.25, rel=0.02
    )
    Image.fromarray(left).save(tmp_path / "right" / "left.png")
    with pytest.raises(DataError, match="no corner was found"):
        known(f"baseline={metres}:{tmp_path / 'right'}", left)


def test_a_slope_counts_as_ground_and_cars_on_it_do_not_raise_it():
    draw = np.random.default_rng(6)
    x, z = draw.uniform(-3, 3, 500), draw.uniform(4, 15, 500)
    y = 1.2 / np.cos(0.2) - z * np.tan(0.2)
    y[:150] -= draw.uniform(0.3, 1.5, 150)
    assert height_above_ground(np.stack([x, y, z], axis=1)) == pytest.approx(1.2, rel=0.01)
    assert np.isnan(height_above_ground(np.stack([x, z, np.full(500, 8.0)], axis=1)))
    assert np.isnan(height_above_ground(np.stack([x, -y - 8, z], axis=1)[:40]))
