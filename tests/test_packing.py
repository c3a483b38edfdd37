"""Packed frames are those that would be read, to the last bit, and are read no more."""

from __future__ import annotations

import csv
import errno
import os
from pathlib import Path

import data_trees as trees
import pytest
import torch
from torch.utils.data import DataLoader
from videos import moving_pattern, write_video

from selfsup_depth.cli import main
from selfsup_depth.data import packed_shards, packing
from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.data.frame_folder import FrameFolder
from selfsup_depth.data.images import ImageFile
from selfsup_depth.data.kitti_raw import KittiRaw
from selfsup_depth.data.layout import Layout
from selfsup_depth.data.video_file import VideoFile
from selfsup_depth.errors import ConfigError, DataError, StorageError
from selfsup_depth.structures import Batch

SIZE = (32, 64)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path) -> Path:
    for number in range(6):
        trees.save(trees.picture(number), tmp_path / "frames" / f"{number}.png")
    return tmp_path / "frames"


def examples_of(layout: Layout, root: Path, **options):
    data = DepthDataModule(layout, root, *SIZE, 1, 0, **options)
    data.prepare_data()
    data.setup("fit")
    return data.train_dataloader().dataset


def frames_of(root: Path, packed: bool = True):
    return examples_of(FrameFolder(10), root, stereo=False, fov=60, packed=packed)


def assert_equal(first: Batch, second: Batch) -> None:
    views = [
        [batch.target, *(source.view for source in [*batch.video, *batch.stereo])]
        for batch in (first, second)
    ]
    for one, other in zip(*views, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def count_reads(monkeypatch) -> list[Path]:
    """The files that are decoded from now on."""
    pixels, paths = ImageFile.pixels, []
    monkeypatch.setattr(
        ImageFile, "pixels", lambda image, *told: (paths.append(image.path), pixels(image, *told))[1]
    )
    return paths


def test_packed_examples_are_the_same_to_the_last_bit(drive):
    plain, packed = (examples_of(KittiRaw(), drive, packed=packed) for packed in (False, True))
    flips = set()
    for index in range(len(plain)):
        for epoch in range(3):
            assert_equal(plain[epoch, index], packed[epoch, index])
            flips.add(plain.augmentation.draw(SIZE, 0, epoch, index)[0].flip)
    assert flips == {False, True}


def test_a_video_can_be_packed(tmp_path):
    video = write_video(tmp_path / "v.mp4", moving_pattern(7))
    plain, packed = (
        examples_of(VideoFile(), video, stereo=False, fov=60, packed=packed) for packed in (False, True)
    )
    for index in range(len(plain)):
        assert_equal(plain[0, index], packed[0, index])


def test_packed_frames_are_decoded_once(folder, monkeypatch):
    paths = count_reads(monkeypatch)
    examples = frames_of(folder)
    assert len(paths) == 6
    for epoch in range(2):
        for index in range(len(examples)):
            examples[epoch, index]
    again = frames_of(folder)
    assert_equal(examples[0, 1], again[0, 1])
    assert len(paths) == 6


def test_processes_that_read_see_the_same(folder):
    examples = frames_of(folder)
    keys = [(0, index) for index in range(len(examples))]
    loader = DataLoader(examples, batch_size=None, sampler=keys, num_workers=1)
    for key, batch in zip(keys, loader, strict=True):
        assert_equal(examples[key], batch)


def test_a_frame_that_has_changed_is_packed_anew(folder, cache):
    before = frames_of(folder)[0, 1].target.image.clone()
    trees.save(trees.picture(99), folder / "2.png")
    after = frames_of(folder)[0, 1].target.image
    assert not torch.equal(before, after)
    assert torch.equal(after, frames_of(folder, packed=False)[0, 1].target.image)
    assert len(list(cache.rglob("*.npy"))) == 1


def test_what_was_interrupted_goes_on(folder, cache, monkeypatch):
    monkeypatch.setattr(packed_shards, "_FRAMES_PER_SHARD", 2)
    good = (folder / "4.png").read_bytes()
    (folder / "4.png").write_bytes(good[: len(good) // 2])
    with pytest.raises(DataError, match=r"4\.png"):
        frames_of(folder)
    assert len(list(cache.rglob("*.npy"))) == 2
    assert not list(cache.rglob(".*"))
    (folder / "4.png").write_bytes(good)
    paths = count_reads(monkeypatch)
    frames_of(folder)
    assert sorted(path.name for path in paths) == ["4.png", "5.png"]


def test_a_frame_that_was_not_needed_is_read_when_it_is(folder, cache):
    """What could not be read and nobody wanted must not be trained on as black."""
    good = (folder / "5.png").read_bytes()
    (folder / "5.png").write_bytes(good[: len(good) // 2])
    plain = frames_of(folder, packed=False)
    told = plain.needs, SIZE, cache
    assert len(packing.pack(plain.examples[:2], *told)) == 6
    with pytest.raises(DataError, match=r"5\.png"):
        packing.pack(plain.examples, *told)


@pytest.mark.parametrize("cut", [0, 1000, -1])
def test_a_shard_that_is_not_whole_is_made_anew(folder, cache, cut):
    whole = frames_of(folder)[0, 1].target.image.clone()
    (file,) = cache.rglob("*.npy")
    file.write_bytes(file.read_bytes()[:cut])
    packed_shards.opened.cache_clear()
    assert torch.equal(whole, frames_of(folder)[0, 1].target.image)


def test_what_a_killed_process_left_is_removed(folder, cache):
    frames_of(folder)
    (file,) = cache.rglob("*.npy")
    old, new = (file.with_name(f".{file.name}.{number}") for number in (1, 2))
    for part in (old, new):
        part.touch()
    os.utime(old, (0, 0))
    frames_of(folder)
    assert [part.name for part in file.parent.glob(".*")] == [new.name]


def test_a_shard_that_goes_while_it_is_used_is_said(folder, cache):
    examples = frames_of(folder)
    (file,) = cache.rglob("*.npy")
    file.unlink()
    with pytest.raises(DataError, match=r"cannot be read.*\.npy; start the run anew"):
        examples[0, 1]


def test_processes_that_pack_together_share_the_work(folder, cache, monkeypatch):
    """The second packs everything while the first has just begun with its own share."""
    monkeypatch.setattr(packed_shards, "_FRAMES_PER_SHARD", 2)
    data = frames_of(folder, packed=False)
    write, written = packing.write, []

    def recorded(shard: packed_shards.Shard, needed: set[packed_shards.Place], title: str) -> None:
        rank = 0 if written else 1
        written.append(shard.places[0][2])
        if rank:
            packing.pack(data.examples, data.needs, SIZE, cache / "shared", 1, 2)
        write(shard, needed, title)

    monkeypatch.setattr(packing, "write", recorded)
    packing.pack(data.examples, data.needs, SIZE, cache / "shared", 0, 2)
    assert written == [0, 2, 0, 4]
    assert len(list((cache / "shared").glob("*.npy"))) == 3


def test_a_full_disk_is_said(folder, cache, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"No space left.*free space"):
        frames_of(folder)
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_two_sizes_and_two_data_sets_share_a_folder(folder, tmp_path):
    shared = tmp_path / "shared"
    for number in range(4):
        trees.save(trees.picture(number), tmp_path / f"others/frames/{number}.png")
    told = {"stereo": False, "fov": 60, "packed": True, "packed_folder": shared}
    for root in (folder, tmp_path / "others/frames"):
        for size in ((32, 64), (48, 96)):
            DepthDataModule(FrameFolder(10), root, *size, 1, 0, **told).setup("fit")
    assert len(list(shared.rglob("*.npy"))) == 4


def test_fewer_frames_than_a_batch_are_packed(folder, tmp_path, tiny, capfd):
    told = [f"--config={tiny}", f"--data.root={folder}", "--data.fov=60", "--data.batch_size=50"]
    pack = ["data", "pack", "--config=method/monodepth2_mono.yaml", "--config=data/frame_folder.yaml", *told]
    assert main([*pack, f"--data.packed_folder={tmp_path / 'kept'}"]) == 0
    said = capfd.readouterr().out
    assert said.startswith("6 frames of ")
    assert str(tmp_path / "kept") in said
    assert len(list((tmp_path / "kept").rglob("*.npy"))) == 1


def test_a_place_that_cannot_be_written_is_said(folder, cache):
    cache.write_text("no folder")
    with pytest.raises(StorageError, match="packed_folder"):
        frames_of(folder)


def test_frames_that_are_each_cut_in_their_own_way_are_not_packed(folder):
    with pytest.raises(ConfigError, match="zoom"):
        DepthDataModule(FrameFolder(10), folder, *SIZE, 1, 0, zoom=1.2, packed=True)


def test_frames_are_not_strewn_over_the_working_folder(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="packed_folder is the working folder"):
        DepthDataModule(FrameFolder(10), folder, *SIZE, 1, 0, packed=True, packed_folder=Path(""))


def losses_of(run: Path) -> list[str]:
    with (run / "metrics.csv").open() as file:
        return [row["loss/total"] for row in csv.DictReader(file) if row.get("loss/total")]


def test_a_packed_run_is_the_same_run(train, drive, tiny, tmp_path, monkeypatch, capfd):
    assert train(tmp_path / "plain", "--trainer.max_steps=2") == 0
    files = ["--config=method/monodepth2_stereo.yaml", "--config=data/kitti_raw.yaml", f"--config={tiny}"]
    assert main(["data", "pack", *files, f"--data.root={drive}"]) == 0
    assert "--data.packed=true" in capfd.readouterr().out
    monkeypatch.setattr(packing, "write", None)  # nothing is left to be packed
    assert train(tmp_path / "packed", "--trainer.max_steps=2", "--data.packed=true") == 0
    assert losses_of(tmp_path / "packed") == losses_of(tmp_path / "plain")
    assert len(losses_of(tmp_path / "plain")) == 2
