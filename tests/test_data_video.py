"""Videos: any frame is what decoding in order gives, times and turns are the stream's, damage is refused."""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset
from videos import SIZE, decoded_in_order, moving_pattern, write_sound, write_video

from selfsup_depth.cli import main
from selfsup_depth.data import video_file, video_reader, video_scan, video_stream
from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.data.intrinsics import intrinsics_from_fov
from selfsup_depth.data.recording import Camera
from selfsup_depth.data.user_cache import user_cache
from selfsup_depth.data.video_file import VideoFile
from selfsup_depth.data.video_reader import NUM_KEPT_FRAMES, VideoReader, upright
from selfsup_depth.errors import ConfigError, DataError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def only(root: Path) -> Camera:
    (recording,) = VideoFile().recordings(root)
    return recording.cameras["l"]


def pixels(camera: Camera, number: int) -> np.ndarray:
    return np.asarray(camera.frames[number].image.read())


def refusal(root: Path, error: type[Exception] = DataError) -> str:
    with pytest.raises(error) as caught:
        VideoFile().recordings(root)
    message = str(caught.value)
    assert "\n" not in message
    assert root.name in message
    assert "; " in message
    return message


# --- random access

UNEVEN = [0, 40, 70, 300, 333, 1000, *range(1017, 1017 + 23 * 34, 23)]

KINDS = {
    "b_frames.mp4": {},
    "one_key_frame.mp4": {"gop": 250},
    "open_groups.mp4": {"options": {"x264-params": "open-gop=1:bframes=3:b-pyramid=normal"}},
    "no_key_frames.mp4": {"b_frames": 0, "options": {"x264-params": "intra-refresh=1"}},
    "uneven.mp4": {"milliseconds": UNEVEN},
    "uneven.mkv": {"milliseconds": UNEVEN},
    "plain.mov": {},
    "b_frames.mkv": {},
    "vp8.webm": {"codec": "libvpx"},
    "plain.avi": {"codec": "mpeg4", "b_frames": 0},
    "every_frame.avi": {"codec": "mjpeg", "b_frames": 0, "gop": 1},
}


@pytest.mark.parametrize("name", KINDS)
def test_any_frame_is_what_decoding_in_order_gives(tmp_path, name):
    path = write_video(tmp_path / name, moving_pattern(40), **KINDS[name])
    expected = decoded_in_order(path)
    camera = only(path)
    assert len(camera.frames) == len(expected) == 40
    for number in np.random.default_rng(0).permutation(40).tolist():
        np.testing.assert_array_equal(pixels(camera, number), expected[number])


def test_frames_differ_so_that_a_neighbour_would_be_noticed():
    first, second = (image.astype(int) for image in list(moving_pattern(40))[17:19])
    assert abs(first - second).mean() > 3


def test_a_key_frame_that_does_not_bring_back_every_pixel_is_not_believed(tmp_path, monkeypatch):
    """Decoding begins at earlier key frames then, and in the end at the beginning."""
    path = write_video(tmp_path / "v.mp4", moving_pattern(60))
    index = video_file.video_index(path)
    expected = decoded_in_order(path)[50]
    sought, doubts = [], iter([False] * 3 + [True])
    seek = video_stream.VideoStream.seek
    monkeypatch.setattr(
        video_stream.VideoStream, "seek", lambda stream, pts: (sought.append(pts), seek(stream, pts))
    )
    is_right = VideoReader._is_right
    monkeypatch.setattr(VideoReader, "_is_right", lambda *given: next(doubts) and is_right(*given))
    reader = VideoReader(index)
    np.testing.assert_array_equal(upright(reader.frame(50), index), expected)
    assert sought == index.key_pts[index.pts[50] >= index.key_pts][::-1][:3].tolist()
    assert next(doubts, None) is None


def test_a_target_and_its_neighbours_are_decoded_once(tmp_path, monkeypatch):
    index = video_file.video_index(write_video(tmp_path / "v.mp4", moving_pattern(40), gop=250))
    reader = VideoReader(index)
    reader.frame(29)
    sought = []
    monkeypatch.setattr(video_stream.VideoStream, "seek", lambda stream, pts: sought.append(pts))
    for number in (29 - NUM_KEPT_FRAMES + 1, 28, 30, 33):
        reader.frame(number)
    assert not sought


class Read(Dataset):
    """Sums of the pixels of a video's frames, and who read them."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera

    def __len__(self) -> int:
        return len(self.camera.frames)

    def __getitem__(self, number: int) -> tuple[int, int]:
        return int(pixels(self.camera, number).astype(int).sum()), os.getpid()


def test_forked_workers_read_what_their_parent_reads(tmp_path):
    path = write_video(tmp_path / "v.mp4", moving_pattern(40), gop=250)
    camera = only(path)
    pixels(camera, 20)  # the parent has it open at some place in the file
    sums, readers = zip(*DataLoader(Read(camera), batch_size=None, num_workers=2, shuffle=False), strict=True)
    assert list(sums) == [int(image.astype(int).sum()) for image in decoded_in_order(path)]
    assert len(set(readers)) == 2
    assert os.getpid() not in readers


def test_many_videos_are_not_all_open_at_a_time(tmp_path, monkeypatch):
    closed = []
    close = VideoReader.close
    monkeypatch.setattr(VideoReader, "close", lambda reader: (closed.append(reader), close(reader)))
    for number in range(video_reader.MAX_OPEN + 2):
        write_video(tmp_path / f"{number}.mp4", moving_pattern(3))
    recordings = VideoFile().recordings(tmp_path)
    for _ in range(2):
        for recording in recordings:
            pixels(recording.cameras["l"], 1)
    assert len(closed) >= len(recordings) + 2


def test_a_video_that_changes_while_it_is_used_is_refused(tmp_path):
    path = write_video(tmp_path / "v.mp4", moving_pattern(20))
    camera = only(path)
    write_video(path, (255 - image for image in moving_pattern(20)))
    with pytest.raises(DataError, match=r"frame 7 is another than before, in .*v\.mp4; start"):
        pixels(camera, 7)


# --- what the stream tells


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv"])
def test_times_are_those_of_the_stream(tmp_path, name):
    path = write_video(tmp_path / name, moving_pattern(40), milliseconds=[500 + t for t in UNEVEN])
    seconds = [frame.seconds for frame in only(path).frames.values()]
    np.testing.assert_allclose(seconds, np.array(UNEVEN) / 1000, atol=1e-3)


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_frames_stand_upright_and_so_does_their_camera(tmp_path, rotation, turns):
    path = write_video(tmp_path / "v.mp4", moving_pattern(5), rotation=rotation)
    camera = only(path)
    expected = np.rot90(decoded_in_order(path)[3], turns)
    np.testing.assert_array_equal(pixels(camera, 3), expected)
    assert camera.size == expected.shape[:2]


def test_a_folder_has_a_recording_for_each_video_in_natural_order(tmp_path):
    for name in ("b/take10.mp4", "b/take9.MP4", "a.mkv", ".hidden.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_video(tmp_path / "v.mp4", moving_pattern(2)).rename(tmp_path / name)
    (tmp_path / "notes.txt").touch()
    names = [recording.name for recording in VideoFile().recordings(tmp_path)]
    assert names == ["a.mkv", "b/take9.MP4", "b/take10.mp4"]


# --- the index is kept


def test_a_video_is_indexed_once_and_anew_when_it_changes(tmp_path, monkeypatch, caplog):
    path = write_video(tmp_path / "v.mp4", moving_pattern(20), gop=5)
    first = only(path)
    scans = []
    index_video = video_scan.index_video
    monkeypatch.setattr(video_file, "index_video", lambda path: scans.append(path) or index_video(path))
    again = only(path)
    assert not scans
    assert [frame.seconds for frame in again.frames.values()] == [
        frame.seconds for frame in first.frames.values()
    ]
    np.testing.assert_array_equal(pixels(again, 13), pixels(first, 13))
    os.utime(path, (1, 1))
    only(path)
    assert len(scans) == 1
    user_cache("video", path).write_bytes(b"PK damaged")
    only(path)
    assert len(scans) == 2
    assert "cannot be read" in caplog.text


def test_a_cache_that_cannot_be_written_is_no_hindrance(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(only(write_video(tmp_path / "v.mp4", moving_pattern(3))).frames) == 3
    assert "cannot be kept" in caplog.text


# --- what is refused


def cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    return path


def test_half_a_video_is_refused(tmp_path):
    assert "Invalid data" in refusal(cut(write_video(tmp_path / "half.mp4", moving_pattern(40)), 0.5))
    fast = write_video(tmp_path / "fast.mp4", moving_pattern(40), fast_start=True)
    assert "of 40 frames can be decoded" in refusal(cut(fast, 0.6))
    assert "of 4.0 seconds" in refusal(cut(write_video(tmp_path / "half.mkv", moving_pattern(40)), 0.5))


def test_a_scratch_is_said_and_a_hole_is_refused(tmp_path, caplog):
    def damaged(name: str, length: int) -> Path:
        path = write_video(tmp_path / name, moving_pattern(200), b_frames=0, gop=1)
        with av.open(str(path)) as container:
            places = [packet.pos for packet in container.demux(video=0) if packet.size]
        data = bytearray(path.read_bytes())
        for begin in places[10 : 10 + length]:
            data[begin : begin + 50] = b"\xff" * 50
        path.write_bytes(data)
        return path

    camera = only(damaged("scratch.mov", 1))
    assert len(camera.frames) == 199
    assert "only 199 of 200 frames" in caplog.text
    assert "only 195 of 200 frames" in refusal(damaged("hole.mov", 5))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.mp4", b""),
        ("zeros.mp4", bytes(2000)),
        ("page.mp4", b"<!DOCTYPE html><html></html>"),
        ("list.mp4", b"#EXTM3U\n#EXTINF:10,\nother.mp4\n"),
        ("concat.mp4", b"ffconcat version 1.0\nfile other.mp4\n"),
    ],
)
def test_what_is_no_video_is_refused_and_leads_to_no_other_file(tmp_path, name, content):
    write_video(tmp_path / "other.mp4", moving_pattern(5))
    (tmp_path / name).write_bytes(content)
    assert "not an mp4, mov, mkv, webm or avi video" in refusal(tmp_path / name)


def test_a_name_is_never_given_to_the_library(tmp_path, monkeypatch):
    """It would take "concat:a|b" and "http://..." for what they say."""
    path = write_video(tmp_path / "v.mp4", moving_pattern(3))
    given = []
    opened = video_stream.av.open
    monkeypatch.setattr(
        video_stream.av, "open", lambda file, *rest, **more: given.append(file) or opened(file, *rest, **more)
    )
    only(path)
    assert given
    assert all(hasattr(file, "read") for file in given)


def test_a_file_with_sound_alone_is_refused(tmp_path):
    assert "no video stream" in refusal(write_sound(tmp_path / "sound.mp4"))


def test_limits_hold_before_anything_is_decoded(tmp_path, monkeypatch):
    path = write_video(tmp_path / "v.mp4", moving_pattern(30))
    monkeypatch.setattr(video_scan, "MAX_FRAMES", 20)
    assert "more than 20 frames" in refusal(path)
    monkeypatch.setattr(video_stream, "MAX_PIXELS", SIZE[0] * SIZE[1] - 1)
    monkeypatch.setattr(video_stream.VideoStream, "decode", None)
    assert "megapixels" in refusal(path)


def test_a_missing_root_and_a_root_without_videos_are_refused(tmp_path):
    assert "missing" in refusal(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    assert "no video" in refusal(tmp_path / "empty")


@pytest.mark.parametrize("seed", range(4))
def test_damage_anywhere_is_refused_or_harmless(tmp_path, seed):
    """Never another exception than a refusal; what is accepted can be read."""
    rng = np.random.default_rng(seed)
    for number, suffix in enumerate((".mp4", ".mkv", ".mov") * 4):
        path = write_video(tmp_path / f"{number}{suffix}", moving_pattern(12), fast_start=suffix == ".mp4")
        data = bytearray(path.read_bytes())
        for place in rng.integers(0, len(data), rng.integers(1, 20)):
            data[place] = rng.integers(256)
        path.write_bytes(data[: rng.integers(len(data) // 2, 2 * len(data))])
        try:
            camera = only(path)
            for frame in camera.frames.values():
                assert math.isfinite(frame.seconds)
                frame.image.read()
        except DataError as error:
            assert str(path) in str(error)  # noqa: PT017 (either is right)


def test_of_many_videos_a_bad_one_is_left_out_if_asked_for(tmp_path, caplog):
    whole = write_video(tmp_path / "video_000.mp4", moving_pattern(3))
    for number in range(1, 100):
        shutil.copy(whole, tmp_path / f"video_{number:03d}.mp4")
    cut(write_video(tmp_path / "bad.mp4", moving_pattern(3)), 0.5)
    with pytest.raises(DataError, match=r"bad\.mp4"):
        data(tmp_path, fov=80.0)
    caplog.set_level("INFO")
    module = data(tmp_path, fov=80.0, on_bad_data="skip")
    assert len(module.train_dataloader().dataset) == 100
    (reason,) = module.bad_data
    assert "in bad.mp4;" in reason
    assert "1 of 101 recordings are bad and left out, the first because video cannot be read" in caplog.text
    whole.write_bytes(b"")
    with pytest.raises(DataError, match=r"2 of 101 recordings are bad, more than 1%.*bad\.mp4"):
        data(tmp_path, fov=80.0, on_bad_data="skip")


# --- intrinsics


def data(root: Path, **options) -> DepthDataModule:
    module = DepthDataModule(VideoFile(), root, stereo=False, num_workers=0, batch_size=1, **options)
    module.prepare_data()
    module.setup("fit")
    return module


def test_the_field_of_view_reaches_from_edge_to_edge():
    K = intrinsics_from_fov(90, (48, 80))
    # Rays to the outer edges of the outer pixels are 45 degrees to both sides.
    left, right = (np.linalg.solve(K, [x, 0, 1])[0] for x in (-0.5, 79.5))
    assert (left, right) == (pytest.approx(-1), pytest.approx(1))
    assert K[1, 1] == K[0, 0]
    assert intrinsics_from_fov(90, (48, 80), pixel_aspect=2.0)[1, 1] == 2 * K[0, 0]


def test_the_field_of_view_is_that_of_every_camera(tmp_path):
    write_video(tmp_path / "a.mp4", moving_pattern(5))
    write_video(tmp_path / "b.mp4", moving_pattern(5, (64, 32)))
    examples = data(tmp_path, fov=90.0, height=32, width=64).train_dataloader().dataset.examples
    focal = {example.recording.name: example.camera.K[0, 0] for example in examples}
    assert focal == {"a.mp4": pytest.approx(40), "b.mp4": pytest.approx(16)}


def test_an_unknown_camera_is_a_first_guess_unless_a_file_knows_it(tmp_path):
    write_video(tmp_path / "a.mp4", moving_pattern(5))
    write_video(tmp_path / "b.mp4", moving_pattern(5))
    (tmp_path / "b.camera.yaml").write_text("width: 80\nheight: 48\nfx: 61\nfy: 61\ncx: 39.5\ncy: 23.5\n")
    examples = data(tmp_path, fov="unknown", height=32, width=64).train_dataloader().dataset.examples
    focal = {example.recording.name: example.camera.K[0, 0] for example in examples}
    assert focal == {"a.mp4": pytest.approx(0.7 * 80), "b.mp4": pytest.approx(61)}


def test_without_intrinsics_nothing_is_trained(tmp_path):
    path = write_video(tmp_path / "v.mp4", moving_pattern(5))
    with pytest.raises(DataError, match=r"intrinsics are not known, of v\.mp4, in .*; .* --data\.fov"):
        data(path)
    with pytest.raises(ConfigError, match=r"fov is 200.0; give --data\.fov"):
        data(path, fov=200.0)


# --- training


def test_a_video_trains(tmp_path, tiny, capsys):
    path = write_video(tmp_path / "drive.mp4", moving_pattern(12, (64, 128)))
    files = ["method/monodepth2_mono.yaml", "data/video.yaml", str(tiny)]
    configs = [f"--config={file}" for file in files]
    run = tmp_path / "run"
    options = [f"--data.root={path}", "--data.fov=80", f"--run={run}", "--trainer.max_steps=4"]
    assert main(["train", *configs, *options]) == 0
    assert (run / "checkpoints" / "last.ckpt").exists()
    capsys.readouterr()
    cut(path, 0.5)
    assert main(["train", *configs, *options[:-2], f"--run={tmp_path / 'other'}"]) == 3
    lines = capsys.readouterr().err.splitlines()
    assert [line[:6] for line in lines] == ["error:"]
    assert not (tmp_path / "other").exists()


def test_workers_and_this_process_see_the_same_video(tmp_path):
    path = write_video(tmp_path / "v.mp4", moving_pattern(12))
    batches = []
    for num_workers in (0, 2):
        module = DepthDataModule(VideoFile(), path, 32, 64, 2, num_workers, stereo=False, fov=70.0)
        module.setup("fit")
        batches.append([batch.target.image for batch in module.train_dataloader()])
    for alone, helped in zip(*batches, strict=True):
        torch.testing.assert_close(alone, helped, rtol=0, atol=0)
