"""Frames around which the camera stands still are left out, by the data alone, and listed in the run."""

from __future__ import annotations

import logging
from pathlib import Path

import check_trees as trees
import numpy as np
import pytest
from PIL import Image

from selfsup_depth.cli import main
from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.data.frame_folder import FrameFolder
from selfsup_depth.errors import ConfigError, DataError

# How near the camera has come at each frame: it stands from the third to the sixth, and at the end.
PLACES = (0, 1, 2, 2, 2, 2, 3, 4, 5, 5)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path) -> Path:
    scene = tmp_path / "frames"
    scene.mkdir()
    picture = trees.blocks(0)
    for number, place in enumerate(PLACES):
        seen = trees.with_noise(trees.nearer(picture, 1.02**place), number)
        Image.fromarray(np.clip(seen, 0, 255).astype(np.uint8)).save(scene / f"{number}.png")
    return scene


def targets(folder: Path, **options) -> tuple[list[int], list[str]]:
    data = DepthDataModule(FrameFolder(10), folder, *trees.SIZE, 1, 0, fov=80, stereo=False, **options)
    data.setup("fit")
    return [example.frame_index for example in data.train_dataloader().dataset.examples], data.still_frames


def test_targets_without_parallax_to_any_neighbour_are_left_out(folder):
    kept, left_out = targets(folder, min_parallax=0.5)
    assert kept == [1, 2, 5, 6, 7, 8]
    assert [line.split()[:3] for line in left_out] == [["frames", "l", "3"], ["frames", "l", "4"]]
    assert all(float(line.split()[3]) < 0.2 for line in left_out)


def test_further_neighbours_bring_frames_back(folder):
    assert targets(folder, min_parallax=0.5, video=[-3, 3])[0] == [3, 4, 5, 6]


def test_without_the_option_every_target_stays(folder):
    assert targets(folder) == ([1, 2, 3, 4, 5, 6, 7, 8], [])


def test_the_threshold_is_in_pixels_of_the_training_images(folder):
    assert 6 in targets(folder, min_parallax=1.5)[0]
    data = DepthDataModule(FrameFolder(10), folder, 64, 208, 1, 0, fov=80, stereo=False, min_parallax=1.5)
    with pytest.raises(DataError, match=r"no frame has a parallax of 1.5 px, in .*frames; give a smaller"):
        data.setup("fit")


def test_what_is_kept_is_read_and_gives_the_same(folder, tmp_path, monkeypatch, caplog):
    first = targets(folder, min_parallax=0.5)
    monkeypatch.setattr("selfsup_depth.data.still_frames.frame_motion", None)  # not to be called again
    assert targets(folder, min_parallax=0.5) == first
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (kept,) = (tmp_path / "cache").rglob("*.npz")
    kept.write_bytes(kept.read_bytes()[:100])
    with caplog.at_level(logging.WARNING, "selfsup_depth"):
        assert targets(folder, min_parallax=0.5) == first
    # A picture that is another now is looked at again.
    Image.fromarray(trees.nearer(trees.blocks(0), 1.3)).save(folder / "3.png")
    assert 3 in targets(folder, min_parallax=0.5)[0]


def test_parallax_without_neighbours_is_refused(folder):
    with pytest.raises(ConfigError, match=r"neighbours in --data\.video"):
        DepthDataModule(FrameFolder(10), folder, *trees.SIZE, 1, 0, fov=80, video=[], min_parallax=1)
    with pytest.raises(ConfigError, match="min_parallax is -1"):
        DepthDataModule(FrameFolder(10), folder, *trees.SIZE, 1, 0, fov=80, min_parallax=-1)


def test_a_run_lists_what_it_leaves_out(folder, tiny, tmp_path, capfd):
    run = tmp_path / "run"
    told = ["--config=method/monodepth2_mono.yaml", "--config=data/frame_folder.yaml", f"--config={tiny}"]
    told += [f"--data.root={folder}", "--data.fov=80", "--data.min_parallax=0.1", "--trainer.max_steps=1"]
    assert main(["train", *told, f"--run={run}"]) == 0
    listed = (run / "still_frames.txt").read_text().splitlines()
    assert [line.split()[:3] for line in listed] == [["frames", "l", "3"], ["frames", "l", "4"]]
    # In other frames than before, it is no continuation.
    Image.fromarray(trees.nearer(trees.blocks(0), 1.3)).save(folder / "3.png")
    assert main(["train", f"--resume={run}", "--trainer.max_steps=2"]) == 3
    assert "still_frames.txt" in capfd.readouterr().err
