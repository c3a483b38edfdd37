"""Data that is there and cannot be used: refused before the first step, or left out and counted."""

from __future__ import annotations

import io
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import data_trees as trees
import numpy as np
import pytest
import torch
from faults.damages import dangle, loop
from PIL import Image

from selfsup_depth.cli import main
from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.data.images import read_rgb
from selfsup_depth.data.kitti_raw import KittiRaw
from selfsup_depth.errors import DataError
from selfsup_depth.training.checkpoint_io import read_sealed, tensors_in
from selfsup_depth.training.pictures import Pictures

NUM_FRAMES = 110
LEFT = f"{trees.DRIVE}/image_02/data"
OPTIONS = {"height": 20, "width": 30, "batch_size": 2, "num_workers": 0, "video": []}


@pytest.fixture(scope="session")
def long_drive(tmp_path_factory) -> Path:
    return trees.kitti_raw(tmp_path_factory.mktemp("long"), num_frames=NUM_FRAMES, scans=False)


@pytest.fixture
def root(long_drive, tmp_path) -> Path:
    return Path(shutil.copytree(long_drive, tmp_path / "root"))


def image(root: Path, index: int) -> Path:
    return root / LEFT / f"{index:010d}.png"


def module(root: Path, **options) -> DepthDataModule:
    data = DepthDataModule(KittiRaw(), root, **(OPTIONS | options))
    data.setup("fit")
    return data


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:600])


def save_as(kind: str, **options) -> Callable[[Path], None]:
    return lambda path: trees.picture(0).save(path, kind, **options)


def save_deep(path: Path) -> None:
    """Three channels of 16 bits, which Pillow calls RGB as it calls three of 8."""
    pixels = np.zeros((*trees.SIZE, 6), np.uint8)
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels))
    header = struct.pack(">IIBBBBB", *trees.SIZE[::-1], 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    write_png(path, chunks)


def write_png(path: Path, chunks) -> None:
    body = b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def note_bomb(path: Path) -> None:
    """A picture with a note of 200 MB, packed into 200 kB."""
    note = (b"zTXt", b"note\0\0" + zlib.compress(b"\0" * 200_000_000, 1))
    write_png(path, ((b"IHDR", struct.pack(">IIBBBBB", *trees.SIZE[::-1], 8, 2, 0, 0, 0)), note))


def lead_out(path: Path) -> None:
    outside = path.parents[6] / "outside.png"
    shutil.move(path, outside)
    path.symlink_to(outside)


SEEN_IN_THE_HEADER = {
    "empty": (lambda path: path.write_bytes(b""), "not a PNG"),
    "web page": (lambda path: path.write_text("<html>not found</html>"), "download it again"),
    "another size": (lambda path: trees.picture(0, (20, 30)).save(path), "30x20.*60x40"),
    "16 bits": (lambda path: Image.fromarray(np.zeros(trees.SIZE, np.uint16)).save(path), "not 8-bit"),
    "3 x 16 bits": (save_deep, "not 8-bit"),
    "note bomb": (note_bomb, "too large"),
    "dangling": (dangle, "link to nowhere.png"),
    "loop": (loop, "where no file is"),
    "outside": (lead_out, "leads out of the data root"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "Is a directory"),
}


@pytest.mark.parametrize(("damage", "told"), SEEN_IN_THE_HEADER.values(), ids=SEEN_IN_THE_HEADER)
def test_what_a_header_shows_is_refused_before_the_first_step(root, damage, told):
    damage(image(root, 5))
    with pytest.raises(DataError, match=rf"{told}.*{image(root, 5).name}|{image(root, 5).name}.*{told}"):
        module(root)
    left = module(root, on_bad_data="skip")
    assert [e.frame_index for e in left.train_dataloader().dataset.examples] == [
        index for index in range(NUM_FRAMES) if index != 5
    ]


def test_a_bad_first_image_is_one_bad_image(root):
    truncate(image(root, 0))
    image(root, 0).write_bytes(b"")
    assert len(module(root, on_bad_data="skip").train_dataloader().dataset) == NUM_FRAMES - 1


def test_links_may_lead_out_if_that_is_said(root):
    lead_out(image(root, 5))
    assert len(module(root, follow_symlinks=True).train_dataloader().dataset) == NUM_FRAMES


def test_the_root_itself_may_be_a_link(root):
    (root.parent / "link").symlink_to(root)
    assert len(module(root.parent / "link").train_dataloader().dataset) == NUM_FRAMES


def test_no_pixel_is_decoded_to_look_at_headers(root, monkeypatch):
    monkeypatch.setattr(Image.Image, "load", None)
    truncate(image(root, 5))
    assert len(module(root).train_dataloader().dataset) == NUM_FRAMES


def test_what_is_left_out_is_said_and_the_other_camera_counts(root, caplog):
    truncate(root / trees.DRIVE / "image_03/data/0000000007.png")
    caplog.set_level("INFO")
    data = module(root, on_bad_data="skip")
    assert 7 not in [example.frame_index for example in data.train_dataloader().dataset.examples]
    assert f"1 of {NUM_FRAMES} are bad and left out, the first because image cannot be decoded" in caplog.text
    (reason,) = data.bad_data
    assert f"in {trees.DRIVE}/image_03/data/0000000007.png;" in reason
    assert len(module(root, on_bad_data="skip", stereo=False, video=[1]).bad_data) == 0


def test_more_than_one_in_a_hundred_is_refused(root):
    truncate(image(root, 5))
    truncate(image(root, 6))
    with pytest.raises(DataError, match=rf"2 of {NUM_FRAMES} examples are bad, more than 1%.*0000000005.png"):
        module(root, on_bad_data="skip")


def test_listed_frames_that_are_missing_count_as_bad(root, tmp_path):
    lines = "".join(f"{trees.DRIVE} {index} l\n" for index in range(NUM_FRAMES + 1))
    trees.write(tmp_path / "split/train.txt", lines)
    options = {"split": str(tmp_path / "split"), "on_bad_data": "skip"}
    assert "frame 110 is not in" in module(root, **options).bad_data[0]
    trees.write(tmp_path / "split/train.txt", lines + f"{trees.DRIVE} {NUM_FRAMES + 1} l\n")
    with pytest.raises(DataError, match="2 of 112 examples"):
        module(root, **options)
    assert not module(root, on_missing="skip", **options).bad_data


def test_measured_depth_is_looked_at_too(root):
    path = root / trees.DRIVE / "proj_depth/groundtruth/image_02"
    for index in range(NUM_FRAMES):
        trees.save(Image.fromarray(np.full(trees.SIZE, 256, np.uint16)), path / f"{index:010d}.png")
    trees.picture(0).convert("L").save(path / "0000000003.png")
    with pytest.raises(DataError, match=r"not a 16-bit PNG.*0000000003\.png"):
        module(root)
    data = module(root, on_bad_data="skip")
    assert len(data.val_dataloader()) == NUM_FRAMES - 1
    assert len(data.train_dataloader().dataset) == NUM_FRAMES


def test_half_a_laser_point_is_refused_before_the_first_step(tmp_path):
    root = trees.kitti_raw(tmp_path)
    scan = root / trees.DRIVE / "velodyne_points/data/0000000003.bin"
    scan.write_bytes(scan.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"not a multiple of 16.*0000000003\.bin"):
        module(root)


def test_a_jpeg_that_is_stored_turned_is_refused_and_turned_for_prediction(tmp_path):
    root = trees.kitti_raw(tmp_path, suffix="jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    path = root / LEFT / "0000000003.jpg"
    trees.picture(3).save(path, exif=exif)
    with pytest.raises(DataError, match=r"stored turned.*0000000003\.jpg"):
        module(root)
    assert read_rgb(path).size == trees.SIZE


def test_one_frame_in_two_formats_is_refused(tmp_path):
    root = trees.kitti_raw(tmp_path)
    trees.picture(3).save(root / LEFT / "0000000003.jpg")
    with pytest.raises(DataError, match=r"0000000003\.jpg and 0000000003\.png are one frame"):
        module(root)


def test_frames_of_two_lists_are_said(tmp_path, caplog):
    root = trees.kitti_raw(tmp_path / "root")
    trees.write(tmp_path / "split/train.txt", "".join(f"{trees.DRIVE} {i} l\n" for i in range(4)))
    trees.write(tmp_path / "split/test.txt", "".join(f"{trees.DRIVE} {i} l\n" for i in range(3, 6)))
    module(root, split=str(tmp_path / "split"))
    assert "1 frames are both trained on and in the list for test" in caplog.text


# --- the command


def train(folder: Path, tiny: Path, root: Path, *options: str) -> int:
    files = ["--config=method/monodepth2_stereo.yaml", "--config=data/kitti_raw.yaml", f"--config={tiny}"]
    return main(["train", *files, f"--data.root={root}", f"--run={folder}", *options])


@pytest.fixture
def short(monkeypatch):
    """Without what costs time and has its own tests: pictures, and the table at the end."""
    monkeypatch.setattr(Pictures, "_draw", lambda *_: None)
    monkeypatch.setattr("selfsup_depth.training.run.evaluate_and_report", lambda *_: None)


def test_a_run_writes_down_what_it_left_out_and_goes_on_only_without_it(root, tiny, tmp_path, capfd, short):
    whole = image(root, 5).read_bytes()
    truncate(image(root, 5))
    run, options = tmp_path / "run", ["--on-bad-data=skip", "--trainer.limit_val_batches=0"]
    assert train(run, tiny, root, *options, "--trainer.max_steps=1") == 0
    assert f"1 of {NUM_FRAMES} are bad and left out" in capfd.readouterr().err
    assert f"{LEFT}/0000000005.png" in (run / "bad_data.txt").read_text()
    assert main(["train", "--resume", str(run), "--trainer.max_steps=2"]) == 0
    image(root, 5).write_bytes(whole)
    capfd.readouterr()
    assert main(["train", "--resume", str(run), "--trainer.max_steps=3"]) == 3
    assert "other files are bad than when the run began" in capfd.readouterr().err
    assert (run / "checkpoints/last.ckpt").is_file()


def test_a_run_that_leaves_out_bad_data_goes_on_bitwise(root, tiny, tmp_path, short):
    truncate(image(root, 5))
    whole, broken_off = tmp_path / "whole", tmp_path / "broken_off"
    options = ["--on-bad-data=skip", "--trainer.limit_val_batches=0", "--optimizer.milestones=[]"]
    assert train(whole, tiny, root, *options, "--trainer.max_steps=3") == 0
    assert train(broken_off, tiny, root, *options, "--trainer.max_steps=1") == 0
    assert main(["train", f"--resume={broken_off}", "--trainer.max_steps=3"]) == 0
    ends = [read_sealed(run / "checkpoints/last.ckpt") for run in (whole, broken_off)]
    for key in ("state_dict", "optimizer_states"):
        first, second = (dict(tensors_in(end[key])) for end in ends)
        assert first
        assert first.keys() == second.keys()
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_picture_without_its_last_bytes_is_whole(tmp_path):
    file = io.BytesIO()
    trees.picture(1).save(file, "PNG")
    (tmp_path / "x.png").write_bytes(file.getvalue()[:-20])
    assert np.array_equal(read_rgb(tmp_path / "x.png"), trees.picture(1))
