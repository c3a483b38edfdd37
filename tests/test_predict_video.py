"""Videos: every frame's depth, and one video that shows them beside the input."""

from __future__ import annotations

import av
import numpy as np
import pytest
from known_network import expected, predict
from PIL import Image
from videos import SIZE, moving_pattern, write_video

from selfsup_depth.training import predicting_video

HEIGHT, WIDTH = SIZE
TIMES = [0, 100, 200, 450, 500]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def brightening(num_frames):
    """A grey wall that becomes brighter: nearer, for a network that says so."""
    for i in range(num_frames):
        yield np.full((*SIZE, 3), 40 + 30 * i, np.uint8)


def test_a_video_becomes_depth_of_every_frame_and_a_video_beside_it(checkpoint, tmp_path, capsys):
    write_video(tmp_path / "drive.mp4", brightening(5), milliseconds=TIMES)
    arguments = ["--input", tmp_path / "drive.mp4", "--output", tmp_path / "out", "--batch-size", 2, "--npy"]
    assert predict(*checkpoint("metric"), *arguments) == 0
    names = [f"{i:06d}{end}" for i in range(5) for end in (".npy", "_depth.png", "_inverse_depth.png")]
    assert sorted(path.name for path in (tmp_path / "out" / "drive").iterdir()) == names
    for number, image in enumerate(brightening(5)):
        depth = np.load(tmp_path / "out" / "drive" / f"{number:06d}.npy")
        np.testing.assert_allclose(1 / depth, expected(Image.fromarray(image)), atol=0.006)
    with av.open(str(tmp_path / "out" / "drive_side_by_side.mp4")) as container:
        shown = list(container.decode(video=0))
    assert [round(1000 * frame.time) for frame in shown] == TIMES
    halves = np.array([np.hsplit(frame.to_ndarray(format="rgb24").astype(float), 2) for frame in shown])
    assert halves.shape == (5, 2, HEIGHT, WIDTH, 3)
    inputs = [image.mean() for image in brightening(5)]
    np.testing.assert_allclose(halves[:, 0].mean((1, 2, 3)), inputs, atol=6)
    # One scale of colours, which ends at the median frame: until there, nearer is brighter.
    brightness = halves[:, 1].mean((1, 2, 3))
    assert (np.diff(brightness[:3]) > 10).all()
    np.testing.assert_allclose(brightness[2:], brightness[2], atol=2)
    assert "frame/s" in capsys.readouterr().err


def test_a_damaged_video_is_named_and_leaves_nothing_half_written(checkpoint, tmp_path, capsys):
    whole = write_video(tmp_path / "a.mp4", moving_pattern(3))
    (tmp_path / "b.mp4").write_bytes(whole.read_bytes()[:400])
    Image.new("RGB", (60, 40)).save(tmp_path / "c.png")
    out = tmp_path / "out"
    assert predict(*checkpoint("relative"), "--input", tmp_path, "--output", out) == 3
    told = capsys.readouterr()
    assert "b.mp4" in told.err.splitlines()[-2]
    assert "2 of 3 images and videos predicted" in told.out
    top = {"a", "a_side_by_side.mp4", "c_inverse_depth.png", "c_relative_depth.png"}
    assert {path.name for path in out.iterdir()} == top
    assert len(list((out / "a").glob("*_relative_depth.png"))) == 3


def test_an_interrupted_video_leaves_no_part_of_it(checkpoint, tmp_path, monkeypatch):
    whole, calls = predicting_video.side_by_side, []

    def stop(*given):
        calls.append(1)
        if len(calls) == 50:  # what the encoder holds back has reached the file
            raise KeyboardInterrupt
        return whole(*given)

    write_video(tmp_path / "a.mp4", moving_pattern(60))
    monkeypatch.setattr(predicting_video, "side_by_side", stop)
    given = [*checkpoint("metric"), "--input", tmp_path / "a.mp4", "--output", tmp_path / "out"]
    assert predict(*given) == 130
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a"}
