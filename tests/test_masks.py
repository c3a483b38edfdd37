"""Pixels that are to teach nothing: the mask follows the image, and the photometric error heeds it."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import data_trees as trees
import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import default_collate
from videos import moving_pattern, write_video

from selfsup_depth.cli import main
from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.data.frame_folder import FrameFolder
from selfsup_depth.data.loading import on_device
from selfsup_depth.data.video_file import VideoFile
from selfsup_depth.errors import DataError
from selfsup_depth.losses.photometric import Photometric
from selfsup_depth.modules.view_synthesis import ViewSynthesis
from selfsup_depth.networks.depth import DepthNet
from selfsup_depth.networks.pose import PoseNet
from selfsup_depth.structures import Batch

SIZE = (64, 96)  # height, width


def folder(root: Path, mask: np.ndarray | None) -> Path:
    """Frames that are black where they are masked and bright elsewhere."""
    root.mkdir(exist_ok=True)
    for number in range(5):
        image = 60 + np.asarray(trees.picture(number, SIZE)) // 2
        image = image if mask is None else np.where(mask[..., None], image, 0)
        Image.fromarray(image.astype(np.uint8)).save(root / f"{number}.png")
    if mask is not None:
        Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(root / "mask.png")
    return root


def bonnet() -> np.ndarray:
    """The lower left corner does not count."""
    mask = np.ones(SIZE, bool)
    mask[40:, :50] = False
    return mask


def examples_of(root: Path, **options):
    told = {"batch_size": 1, "num_workers": 0, "stereo": False, "fov": 80.0} | options
    data = DepthDataModule(FrameFolder(10), root, *SIZE, **told)
    data.setup("fit")
    return data.train_dataloader().dataset


@pytest.mark.parametrize("flip", [False, True])
def test_the_mask_is_cut_and_mirrored_with_the_image(tmp_path, flip):
    examples = examples_of(folder(tmp_path / "a", bonnet()), zoom=1.4)
    draws = ((epoch, examples.augmentation.draw(SIZE, 0, epoch, 0)[0]) for epoch in count())
    epoch = next(epoch for epoch, framing in draws if framing.flip == flip and framing.zoom > 1.2)
    batch = examples[epoch, 0]
    (counted,) = batch.counted
    bright = batch.target.image.amin(dim=0) > 38
    dark = batch.target.image.amax(dim=0) < 13
    assert not counted[0][dark].any()
    assert counted[0][bright].float().mean() > 0.97
    assert 0.1 < dark.float().mean() < 0.9


def test_scenes_with_and_without_a_mask_are_one_batch(tmp_path):
    folder(tmp_path / "a", bonnet())
    folder(tmp_path / "b", None)
    examples = examples_of(tmp_path)
    batch = default_collate([examples[0, index] for index in range(len(examples))])
    (counted,) = batch.counted
    assert counted.shape == (6, 1, *SIZE)
    assert counted.flatten(1).all(1).sum() == 3


def test_without_a_mask_nothing_travels(tmp_path):
    assert list(examples_of(folder(tmp_path / "a", None))[0, 0].counted) == []


@pytest.mark.parametrize("pyramid", ["full", "native"])
def test_nothing_is_learned_where_no_pixel_counts(tmp_path, pyramid):
    torch.manual_seed(0)
    root = folder(tmp_path / "a", None)
    mask = bonnet()
    Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(root / "mask.png")
    examples = examples_of(root, flip=False, colour_jitter=0)
    batch = on_device(default_collate([examples[0, 0], examples[0, 1]]), torch.device("cpu"))
    narrow = {"width": 0.125, "norm": "group"}
    module = ViewSynthesis(DepthNet(**narrow), {}, PoseNet(**narrow), pyramid=pyramid)

    def slope(seen: Batch) -> torch.Tensor:
        estimates = module.estimate(seen)[:1]
        estimates[0].inverse_depth.retain_grad()
        Photometric(auto_mask=False)(seen, estimates).backward()
        return estimates[0].inverse_depth.grad.abs().sum(dim=(0, 1))

    # Each pixel's error is of a window, which reaches a pixel beyond it.
    inside = torch.zeros(SIZE, dtype=torch.bool)
    inside[42:, :48] = True
    masked, whole = slope(batch), slope(batch._replace(counted=[]))
    assert masked[inside].max() == 0
    assert whole[inside].max() > 0
    assert masked[:38].max() > 0
    torch.testing.assert_close(masked[:38], whole[:38])


def test_a_run_heeds_masks_or_refuses_them(tmp_path, tiny, capfd):
    root = folder(tmp_path / "a", bonnet())
    told = [f"--config={tiny}", f"--data.root={root}", "--data.fov=80", "--data.two_view_motion=false"]
    mono = ["train", "--config=data/frame_folder.yaml", "--config=method/monodepth2_mono.yaml", *told]
    mono += ["--data.batch_size=2", "--trainer.max_steps=1", "--model.geometric_start.steps=0"]
    mono += ["--data.height=32", "--data.width=64", "--model.geometric_start.teaching_steps=0"]
    assert main([*mono, f"--run={tmp_path / 'run'}"]) == 0
    assert main([*mono, f"--run={tmp_path / 'other'}", "--model.losses.photometric.padding=border"]) == 2
    assert "--model.losses.photometric.padding=masked" in capfd.readouterr().err


def test_a_video_has_its_mask_beside_it(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    video = write_video(tmp_path / "drive.mp4", moving_pattern(4))
    Image.fromarray(np.full((48, 80), 255, np.uint8)).save(tmp_path / "drive.mask.png")
    (recording,) = VideoFile().recordings(video)
    assert recording.cameras["l"].mask == tmp_path / "drive.mask.png"


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        (np.zeros(SIZE, np.uint8), "black all over"),
        (np.full((10, 10), 255, np.uint8), "mask is 10x10, the images are 96x64"),
        (None, "mask.png"),
    ],
)
def test_masks_that_cannot_be_are_refused(tmp_path, mask, told):
    root = folder(tmp_path / "a", None)
    if mask is None:
        (root / "mask.png").write_text("no picture")
    else:
        Image.fromarray(mask).save(root / "mask.png")
    with pytest.raises(DataError) as refusal:
        FrameFolder(10).recordings(root)
    assert told in str(refusal.value)
