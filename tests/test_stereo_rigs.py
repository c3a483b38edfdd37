"""Rigs of one's own: what their files say, and that the true depth explains one image by the other."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from scenes import photograph_wall
from videos import write_video

from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.data.loading import on_device
from selfsup_depth.data.stereo_pairs import StereoPairs
from selfsup_depth.errors import ConfigError, DataError
from selfsup_depth.geometry.view_synthesis import synthesize
from selfsup_depth.structures import PosedView, View

SIZE = (96, 128)  # height, width
DISTANCE = 4.0
LEFT = {"fx": 110.0, "fy": 108.0, "cx": 60.0, "cy": 50.0}
TURN = cv2.Rodrigues(np.array([0.02, -0.03, 0.01]))[0]

# What the file says beside the left camera; what is true of the right one (K, R, T).
RIGS = {
    "horizontal": ("baseline: 0.3\n", LEFT, np.eye(3), (-0.3, 0, 0)),
    "doffs": ("baseline: 0.3\ndoffs: 7\n", LEFT | {"cx": 67.0}, np.eye(3), (-0.3, 0, 0)),
    "vertical": ("T: 0 -0.3 0\n", LEFT, np.eye(3), (0, -0.3, 0)),
    "another lens": (
        "baseline: 0.3\nright_fx: 120\nright_fy: 118\nright_cx: 66\nright_cy: 46\n",
        {"fx": 120.0, "fy": 118.0, "cx": 66.0, "cy": 46.0},
        np.eye(3),
        (-0.3, 0, 0),
    ),
    "turned": (f"R: {' '.join(map(str, TURN.ravel()))}\nT: -0.25 0.1 0.05\n", LEFT, TURN, (-0.25, 0.1, 0.05)),
}


def matrix(camera: dict[str, float]) -> torch.Tensor:
    K = [[camera["fx"], 0, camera["cx"]], [0, camera["fy"], camera["cy"]], [0, 0, 1]]
    return torch.tensor([K], dtype=torch.float64)


def photographs(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Both cameras' pictures of a wall, 8 bits."""
    _, right, R, t = RIGS[name]
    T = torch.eye(4, dtype=torch.float64)[None].clone()
    T[0, :3, :3], T[0, :3, 3] = torch.from_numpy(R), torch.tensor(t, dtype=torch.float64)
    cameras = ((LEFT, torch.eye(4, dtype=torch.float64)[None]), (right, T))
    images = [photograph_wall(matrix(camera), SIZE, pose, DISTANCE) for camera, pose in cameras]
    left, right_image = (
        np.round(image[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8) for image in images
    )
    return left, right_image


def write_camera(folder: Path, name: str) -> None:
    own = "".join(f"{key}: {value}\n" for key, value in LEFT.items())
    (folder / "camera.yaml").write_text(own + RIGS[name][0])


def rig(root: Path, name: str, num_pairs: int = 1) -> Path:
    for side, image in zip(("left", "right"), photographs(name), strict=True):
        (root / side).mkdir()
        for number in range(num_pairs):
            Image.fromarray(image).save(root / side / f"{number}.png")
    write_camera(root, name)
    return root


def errors_by_depth(root: Path, layout: StereoPairs, flip: bool) -> dict[float, float]:
    """Mean error of the left image as the right one shows it, by the factor on the true depth."""
    data = DepthDataModule(layout, root, *SIZE, 1, 0, video=[], colour_jitter=0)
    data.prepare_data()
    data.setup("fit")
    examples = data.train_dataloader().dataset
    draws = ((epoch, examples.augmentation.draw(SIZE, 0, epoch, 0)[0]) for epoch in count())
    epoch = next(epoch for epoch, framing in draws if framing.flip == flip)
    batch = on_device(examples[epoch, 0], torch.device("cpu"))
    target, source = (View(*(part[None] for part in view)) for view in (batch.target, batch.stereo[0].view))
    posed = PosedView(source, batch.stereo[0].T_target_to_source[None])
    errors = {}
    for factor in (0.8, 0.95, 1.0, 1.05, 1.25):
        inverse_depth = torch.full((1, 1, *SIZE), 1 / (DISTANCE * factor))
        synthesis = synthesize(target, posed, inverse_depth)
        valid = synthesis.valid.expand_as(target.image)
        assert valid.float().mean() > 0.5
        errors[factor] = float((synthesis.image - target.image).abs()[valid].mean())
    return errors


def assert_truth_is_best(errors: dict[float, float], limit: float) -> None:
    assert min(errors, key=errors.__getitem__) == 1.0, errors
    assert errors[1.0] < limit
    assert errors[1.0] < 0.5 * min(errors[0.95], errors[1.05])


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("name", RIGS)
def test_the_true_depth_explains_the_other_camera(name, flip, tmp_path):
    assert_truth_is_best(errors_by_depth(rig(tmp_path, name), StereoPairs(), flip), limit=0.004)


@pytest.mark.parametrize(
    ("halves", "axis", "name"), [("side_by_side", 1, "doffs"), ("stacked", 0, "vertical")]
)
def test_a_video_of_both_is_a_rig(halves, axis, name, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # In grey: encoders keep a colour for four pixels only.
    greys = [np.repeat(image.mean(2, keepdims=True), 3, 2) for image in photographs(name)]
    both = np.concatenate(greys, axis=axis).astype(np.uint8)
    video = write_video(tmp_path / "rig.mp4", [both] * 3, options={"crf": "4"})
    write_camera(tmp_path, name)
    layout = StereoPairs(halves=halves)
    assert_truth_is_best(errors_by_depth(video, layout, flip=False), limit=0.01)
    (recording,) = layout.recordings(video)
    assert recording.cameras["l"].size == recording.cameras["r"].size == SIZE
    left = np.asarray(recording.cameras["l"].frames[0].image.read(), int)
    assert np.abs(left - greys[0]).mean() < 3
    assert "half of frame 2" in str(recording.cameras["r"].frames[2].image)


def test_a_video_with_an_odd_width_has_no_halves(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    video = write_video(tmp_path / "rig.mp4", [np.zeros((32, 66, 3), np.uint8)] * 2)
    with pytest.raises(DataError, match=r"33x32.* have no two halves|principal point"):
        StereoPairs(focal=30, baseline=1, cx=40).recordings(video)


def test_a_sequence_of_pairs_is_stereo_video(tmp_path):
    root = rig(tmp_path, "horizontal", num_pairs=12)
    (root / "left/7.png").unlink()
    (root / "timestamps.txt").write_text("".join(f"{number / 20}\n" for number in range(12)))
    (root / "speed.csv").write_text("0,4\n1,4\n")
    (recording,) = StereoPairs(sequence=True).recordings(root)
    assert list(recording.cameras["r"].frames) == list(range(12))
    assert 7 not in recording.cameras["l"].frames
    assert recording.cameras["l"].frames[11].seconds == pytest.approx(0.55)
    assert recording.travelled("l", 9, 10) == pytest.approx(0.2)
    data = DepthDataModule(StereoPairs(sequence=True), root, *SIZE, 1, 0, video=[-1, 1])
    data.setup("fit")
    assert [example.frame_index for example in data.train_dataloader().dataset.examples] == [
        1,
        2,
        3,
        4,
        5,
        9,
        10,
    ]


def test_cameras_for_larger_images_are_resized(tmp_path):
    root = rig(tmp_path, "doffs")
    (root / "camera.yaml").write_text(
        "width: 256\nheight: 192\nfocal: 220\ncx: 120.5\ncy: 100.5\ndoffs: 14\nbaseline: 0.3\n"
    )
    cameras = StereoPairs().recordings(root)[0].cameras
    np.testing.assert_allclose(cameras["l"].K[0], [110, 0, 60])
    np.testing.assert_allclose(cameras["r"].K[0], [110, 0, 67])


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("focal: 100\nbaseline: 0.3\nT: -0.3 0 0\n", "baseline and T say the same"),
        ("focal: 100\nT: -0.3 0\n", "T has 2 numbers"),
        ("focal: 100\nT: -0.3 0 0\nR: 1 0 0 0 1 0 0 0 2\n", "no rotation"),
        ("focal: 100\nbaseline: 0.3\ndistortion: -0.2 0.1 0 0\n", "selfsup-depth data rectify"),
        ("focal: 100\nbaseline: 0.3\nwidth: 640\nheight: 480\ncx: 700\n", "principal point"),
        ("focal: 100\nbaseline: 0.3\nwidth: 640\nheight: 640\n", "images are 128x96"),
        ("focal: 100\nbaseline: 2e9\n", "nowhere near"),
        ("focal: 100\nbaselin: 0.3\n", "unknown baselin"),
    ],
)
def test_cameras_that_cannot_be_are_refused(lines, told, tmp_path):
    root = rig(tmp_path, "horizontal")
    (root / "camera.yaml").write_text(lines)
    with pytest.raises(DataError, match=told) as refusal:
        StereoPairs().recordings(root)
    assert "\n" not in str(refusal.value)


def test_a_rig_whose_right_camera_is_on_the_left_is_refused(tmp_path):
    root = rig(tmp_path, "horizontal")
    (root / "camera.yaml").write_text("focal: 110\nT: 0.3 0 0\n")
    data = DepthDataModule(StereoPairs(), root, *SIZE, 1, 0, video=[])
    with pytest.raises(DataError, match="stands left of the left one"):
        data.setup("fit")


def test_a_rig_without_baseline_is_refused(tmp_path):
    root = rig(tmp_path, "horizontal")
    (root / "camera.yaml").write_text("focal: 110\n")
    with pytest.raises(ConfigError, match=r"--data\.layout\.init_args\.baseline"):
        StereoPairs().recordings(root)
