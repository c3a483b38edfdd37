"""Frames of a video written out: the folder is the video, in another form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from videos import moving_pattern, write_video

from selfsup_depth.cli import main
from selfsup_depth.data.frame_folder import FrameFolder
from selfsup_depth.data.video_file import VideoFile

TIMES = [0, 40, 70, 300, 333, 1000, 1100, 1250, 1300, 1500, 1700, 1720]


@pytest.fixture
def video(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "drive.camera.yaml").write_text("focal: 70\ncx: 41\nwidth: 80\nheight: 48\n")
    (tmp_path / "drive.speed.csv").write_text("0,5\n1,7\n2,6\n")
    return write_video(tmp_path / "drive.mp4", moving_pattern(12), milliseconds=TIMES)


def extract(video: Path, output: Path, *options: str) -> int:
    return main(["data", "from-video", str(video), f"--output={output}", *options])


def test_the_folder_is_the_video_to_the_last_bit(video, tmp_path, capsys):
    assert extract(video, tmp_path / "frames") == 0
    assert "(12 frames)" in capsys.readouterr().out
    ((film,), (folder,)) = VideoFile().recordings(video), FrameFolder().recordings(tmp_path / "frames")
    from_video, from_folder = film.cameras["l"], folder.cameras["l"]
    np.testing.assert_array_equal(from_video.K, from_folder.K)
    assert from_video.K[0].tolist() == [70, 0, 41]
    assert from_video.frames.keys() == from_folder.frames.keys()
    for index, frame in from_video.frames.items():
        np.testing.assert_array_equal(frame.image.read(), from_folder.frames[index].image.read())
        assert frame.seconds == from_folder.frames[index].seconds
    assert [film.travelled("l", i, i + 1) for i in range(11)] == [
        folder.travelled("l", i, i + 1) for i in range(11)
    ]


def test_a_part_can_be_taken_thinned_out_and_resized(video, tmp_path):
    assert extract(video, tmp_path / "frames", "--every=2", "--start=0.05", "--end=1.3", "--size=40x24") == 0
    (folder,) = FrameFolder().recordings(tmp_path / "frames")
    camera = folder.cameras["l"]
    seconds = [frame.seconds for frame in camera.frames.values()]
    np.testing.assert_allclose(seconds, [0.07, 0.333, 1.1], atol=1e-3)
    assert camera.size == (24, 40)
    assert camera.K[0, 0] == 35
    assert camera.K[0, 2] == 20.25


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--size=40"], 2, "WIDTHxHEIGHT"),
        (["--every=0"], 2, "every is 0"),
        (["--start=5"], 3, "no frame in that time"),
        (["--strat=5"], 2, "--start"),
    ],
)
def test_a_slip_is_refused_and_leaves_nothing(video, tmp_path, capsys, options, code, told):
    assert extract(video, tmp_path / "frames", *options) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
    assert not [path for path in tmp_path.iterdir() if "frames" in path.name]


def test_nothing_is_overwritten_and_nothing_half_written_stays(video, tmp_path, monkeypatch):
    assert extract(video, tmp_path / "frames") == 0
    before = sorted(path.stat().st_mtime_ns for path in (tmp_path / "frames").iterdir())
    assert extract(video, tmp_path / "frames", "--every=2") == 2
    assert sorted(path.stat().st_mtime_ns for path in (tmp_path / "frames").iterdir()) == before
    video.write_bytes(video.read_bytes()[:-700])
    assert extract(video, tmp_path / "others") == 3
    assert not [path for path in tmp_path.iterdir() if "others" in path.name]
