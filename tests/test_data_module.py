"""From a layout to batches: which frames are examples, what is in them, and what is refused."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import data_trees as trees
import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from scenes import shared

from selfsup_depth.data import example_motions
from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.data.examples import MeasuredExamples, TrainingExamples
from selfsup_depth.data.images import read_rgb
from selfsup_depth.data.kitti_odometry import KittiOdometry
from selfsup_depth.data.kitti_raw import KittiRaw
from selfsup_depth.data.layout import Layout
from selfsup_depth.data.loading import on_device
from selfsup_depth.data.selection import hold_out
from selfsup_depth.data.splits import read_split
from selfsup_depth.data.stereo_pairs import StereoPairs
from selfsup_depth.data.two_view_motion import PairMotions
from selfsup_depth.errors import ConfigError, DataError

PLAIN: dict[str, Any] = {"flip": False, "colour_jitter": 0.0, "num_workers": 0, "height": 20, "width": 30}


def data(layout: Layout, root: Path | None, **options: Any) -> DepthDataModule:
    module = DepthDataModule(layout, root, **(PLAIN | {"batch_size": 1} | options))
    module.prepare_data()
    module.setup("fit")
    return module


def training(module: DepthDataModule) -> TrainingExamples:
    examples = module.train_dataloader().dataset
    assert isinstance(examples, TrainingExamples)
    return examples


def targets(module: DepthDataModule) -> list[int]:
    return [example.frame_index for example in training(module).examples]


def refusal(error: type[Exception], *arguments: Any, **options: Any) -> str:
    with pytest.raises(error) as caught:
        data(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def leaves(item: Any) -> list[torch.Tensor]:
    return [item] if isinstance(item, torch.Tensor) else [leaf for part in item for leaf in leaves(part)]


# --- which frames


def test_without_a_split_every_frame_with_its_neighbours_is_a_target(tmp_path):
    module = data(KittiRaw(), trees.kitti_raw(tmp_path))
    assert targets(module) == [1, 2, 3, 4]
    assert targets(data(KittiRaw(), tmp_path, video=[1])) == [0, 1, 2, 3, 4]
    assert targets(data(KittiRaw(), tmp_path, video=[])) == [0, 1, 2, 3, 4, 5]
    assert targets(data(KittiRaw(), tmp_path, video=[-2, 1])) == [2, 3, 4]


def test_a_gap_takes_the_frames_that_need_it(tmp_path, caplog):
    root = trees.kitti_raw(tmp_path, num_frames=8)
    (root / trees.DRIVE / "image_02/data/0000000003.png").unlink()
    (root / trees.DRIVE / "image_03/data/0000000006.png").unlink()
    caplog.set_level("INFO")
    assert targets(data(KittiRaw(), root)) == [1, 5]
    assert "5 left out, the first because frame -1 is not in" in caplog.text


def test_both_cameras_can_be_targets_and_each_has_the_other_as_source(tmp_path):
    module = data(KittiRaw(), trees.kitti_raw(tmp_path), sides=["l", "r"])
    examples = training(module)
    assert len(examples) == 8
    left, right = examples[0, 0], examples[0, 4]
    assert left.stereo[0].T_target_to_source[0, 3] == -trees.BASELINE
    assert right.stereo[0].T_target_to_source[0, 3] == trees.BASELINE
    torch.testing.assert_close(left.target.image, right.stereo[0].view.image)


def test_held_out_frames_are_not_even_neighbours(tmp_path):
    module = data(KittiRaw(), trees.kitti_raw(tmp_path, num_frames=10), hold_out=0.3)
    assert targets(module) == [1, 2, 3, 4, 5]
    assert [example.frame_index for example in module.val_dataloader().dataset.examples] == [7, 8, 9]
    assert "not trained on" in module.validation_note
    whole = data(KittiRaw(), tmp_path)
    assert len(whole.val_dataloader()) == 10
    assert "trained on, without their depth" in whole.validation_note


def test_only_measured_frames_are_for_validation(tmp_path):
    root = trees.kitti_raw(tmp_path)
    for index in (0, 3, 4):
        (root / trees.DRIVE / f"velodyne_points/data/{index:010d}.bin").unlink()
    measured = data(KittiRaw(), root).val_dataloader().dataset
    assert [example.frame_index for example in measured.examples] == [1, 2, 5]


def test_pairs_are_held_out_as_a_whole(tmp_path):
    recordings = StereoPairs().recordings(trees.plain_pairs(tmp_path, num_pairs=5))
    kept, held = hold_out(recordings, 0.4)
    assert [recording.name for recording in kept] == ["pair0", "pair1", "pair2"]
    assert [recording.name for recording in held] == ["pair3", "pair4"]


def test_a_split_says_which_frames(tmp_path):
    root = trees.kitti_raw(tmp_path / "data")
    split = tmp_path / "split"
    trees.write(split / "train.txt", f"{trees.DRIVE} 0000000002 r\n\n{trees.DRIVE} 3 l\n")
    trees.write(split / "val.txt", f"{trees.DRIVE} 0 l\n")
    trees.write(split / "test.txt", f"{trees.DRIVE} 5 r\n")
    module = data(KittiRaw(), root, split=str(split))
    assert [example[1:] for example in training(module).examples] == [("r", 2), ("l", 3)]
    assert [example[1:] for example in module.val_dataloader().dataset.examples] == [("l", 0)]
    module.setup("test")
    assert [example[1:] for example in module.test_dataloader().dataset.examples] == [("r", 5)]
    assert targets(data(KittiRaw(), root, split=str(split), sides=["l"])) == [3]


def test_a_split_may_lie_in_the_data_and_write_sequence_09_as_9(tmp_path):
    root = trees.kitti_odometry(tmp_path)
    trees.write(root / "splits/train.txt", "9 2 l\n09 3 r\n")
    module = data(KittiOdometry(), root, split="splits")
    assert [example[1:] for example in training(module).examples] == [("l", 2), ("r", 3)]
    assert module.val_dataloader() == []
    assert not module.has_measured


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (f"{trees.DRIVE} 99 l", "frame 99 is not in"),
        (f"{trees.DRIVE} 5 l", "frame 6 is not in"),
        (f"{trees.DRIVE.replace('0001', '0002')} 1 l", f"did you mean {trees.DRIVE}?"),
        (f"{trees.DRIVE} 1", 'expected "folder frame side"'),
        (f"{trees.DRIVE} one l", 'expected "folder frame side"'),
        (f"{trees.DRIVE} -1 l", 'expected "folder frame side"'),
        (f"{trees.DRIVE} ١ l", 'expected "folder frame side"'),
        (f"{trees.DRIVE} 1 q", 'expected "folder frame side"'),
        ("../../etc 1 l", "leaves the data root"),
        ("/etc 1 l", "leaves the data root"),
    ],
)
def test_a_line_that_cannot_be_used_is_refused_with_its_place(tmp_path, line, told):
    root = trees.kitti_raw(tmp_path / "data")
    split = tmp_path / "split"
    trees.write(split / "train.txt", f"{trees.DRIVE} 1 l\n{line}\n")
    message = refusal(DataError, KittiRaw(), root, split=str(split))
    assert told in message
    assert f"{split}/train.txt:2" in message


def test_lines_of_absent_data_can_be_skipped_and_are_counted(tmp_path, caplog):
    root = trees.kitti_raw(tmp_path / "data")
    split = tmp_path / "split"
    trees.write(split / "train.txt", f"{trees.DRIVE} 1 l\nnone 1 l\n{trees.DRIVE} 5 l\n")
    caplog.set_level("INFO")
    assert targets(data(KittiRaw(), root, split=str(split), on_missing="skip")) == [1]
    assert "2 left out, the first because there is no recording none" in caplog.text


@pytest.mark.parametrize(("content", "told"), [(b"\n\n", "empty"), (b"\xff\xfe\x00", "UTF-8")])
def test_an_empty_or_binary_list_is_refused(tmp_path, content, told):
    path = tmp_path / "train.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"{told}.*train\.txt"):
        read_split(path)


def test_frames_that_come_twice_are_used_once(tmp_path, caplog):
    trees.write(tmp_path / "train.txt", "a 1 l\na 2 l\na 1 l\na 1 r\n")
    assert [line[:3] for line in read_split(tmp_path / "train.txt")] == [
        ("a", 1, "l"),
        ("a", 2, "l"),
        ("a", 1, "r"),
    ]
    assert "1 frames come more than once" in caplog.text


def test_the_lists_of_the_field_are_complete():
    lists = Path(__file__).parents[1] / "data_splits"
    counts = {
        "eigen/test": 697,
        "eigen_benchmark/test": 652,
        "eigen_full/train": 45200,
        "eigen_full/val": 1776,
        "eigen_zhou/train": 39810,
        "eigen_zhou/val": 4424,
        "odom/train": 36671,
        "odom/val": 4075,
        "odom/test_09": 1590,
        "odom/test_10": 1200,
    }
    assert {name: len(read_split(lists / f"{name}.txt")) for name in counts} == counts


# --- what is in a batch


def test_a_batch_holds_the_views_with_time_and_distance(tmp_path):
    module = data(KittiRaw(), trees.kitti_raw(tmp_path), batch_size=2)
    batch = next(iter(module.train_dataloader()))
    assert batch.target.image.shape == (2, 3, 20, 30)
    assert (batch.target.image.dtype, batch.target.K.dtype) == (torch.uint8, torch.float32)
    before, after = batch.video
    torch.testing.assert_close(before.seconds, torch.tensor([-0.1, -0.1]))
    torch.testing.assert_close(after.travelled, torch.tensor([1.0, 1.0]))
    assert before.T_geometric.isnan().all()
    assert len(batch.stereo) == 1
    assert batch.jitter == []
    assert module.knows_travelled
    by_hand = training(module).examples[0].frame.image.read().resize((30, 20), Image.Resampling.BILINEAR)
    expected = torch.from_numpy(np.array(by_hand)).permute(2, 0, 1)
    torch.testing.assert_close(training(module)[0, 0].target.image, expected, rtol=0, atol=1)


def test_neighbours_are_the_neighbours(tmp_path):
    examples = training(data(KittiRaw(), trees.kitti_raw(tmp_path), video=[-1, 2]))
    target, ahead = examples[0, 0], examples[0, 2]
    torch.testing.assert_close(target.video[1].view.image, ahead.target.image)
    torch.testing.assert_close(ahead.video[0].view.image, examples[0, 1].target.image)


def test_measured_depth_keeps_its_own_resolution(tmp_path):
    module = data(KittiRaw(), trees.kitti_raw(tmp_path), batch_size=2, flip=True, zoom=1.15)
    measured = list(module.val_dataloader())
    assert len(measured) == 6
    assert measured[0].view.image.shape == (1, 3, 20, 30)
    assert measured[0].depth.shape == (1, 1, *trees.SIZE)
    assert measured[0].view.K[0, 0, 0] == trees.FOCAL / 2


@pytest.mark.parametrize("num_workers", [1, 2])
def test_batches_are_the_same_for_any_number_of_workers(tmp_path, num_workers):
    root = trees.kitti_raw(tmp_path, num_frames=7)
    options = {"batch_size": 2, "flip": True, "colour_jitter": 0.2, "zoom": 1.15}
    epochs = []
    for workers in (0, num_workers):
        loader = data(KittiRaw(), root, num_workers=workers, **options).train_dataloader()
        loaded = []
        for _ in range(2):
            loaded += [leaf for batch in loader for leaf in leaves(batch)]
        epochs.append(loaded)
    assert len(epochs[0]) == len(epochs[1]) > 0
    assert all(torch.equal(a, b) for a, b in zip(*epochs, strict=True) if not a.isnan().any())
    half = len(epochs[0]) // 2
    assert not torch.equal(epochs[0][0], epochs[0][half])


def test_examples_travel_to_worker_processes(tmp_path):
    module = data(KittiRaw(), trees.kitti_raw(tmp_path))
    there = pickle.loads(pickle.dumps(training(module)))
    assert torch.equal(there[0, 1].target.image, training(module)[0, 1].target.image)
    measured = pickle.loads(pickle.dumps(MeasuredExamples(training(module).examples, (20, 30))))
    assert (measured[0].depth > 0).any()


def test_two_view_motion_points_from_the_target_to_its_neighbour(tmp_path, monkeypatch):
    """The camera is said to move one unit forward from each frame to the next."""
    forward = np.eye(4)
    forward[:3, 3] = [0.1, 0, -1]
    asked = []

    def fake(pairs: Any, cache: Path) -> Any:
        asked.extend(pairs)
        found = PairMotions([])
        found.T = np.stack([forward * np.nan if i == 0 else forward for i in range(len(pairs))])
        return found

    monkeypatch.setattr(example_motions, "pair_motions", fake)
    root = trees.kitti_raw(tmp_path)
    module = data(KittiRaw(), root, two_view_motion=True, flip=True, motion_cache=tmp_path / "motions.npz")
    assert len(asked) == 5
    assert all(pair.first.path.name < pair.second.path.name for pair in asked)
    examples = training(module)
    assert examples[0, 0].video[0].T_geometric.isnan().all()
    seen = set()
    for epoch in range(8):
        batch = examples[epoch, 1]
        before, after = (view.T_geometric[:3, 3].tolist() for view in batch.video)
        flipped = batch.stereo[0].T_target_to_source[0, 3] > 0
        seen.add(bool(flipped))
        x = -0.1 if flipped else 0.1
        assert after == pytest.approx([x, 0, -1])
        assert before == pytest.approx([-x, 0, 1])
    assert seen == {True, False}


def test_images_travel_as_bytes_and_are_seen_as_colours(tmp_path):
    root = trees.kitti_raw(tmp_path)
    for precision, dtype in (("32-true", torch.float32), ("64-true", torch.float64)):
        module = data(KittiRaw(), root, batch_size=2, stereo=True)
        recorder, given = Recorder(), next(iter(module.train_dataloader()))
        Trainer(
            max_steps=1,
            accelerator="cpu",
            precision=precision,
            limit_val_batches=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        ).fit(recorder, datamodule=data(KittiRaw(), root, batch_size=2, stereo=True))
        (seen,) = recorder.seen
        assert seen.dtype == dtype
        torch.testing.assert_close(seen.float(), given.target.image / 255, rtol=0, atol=0)
        moved = on_device(given, torch.device("cpu"))
        sources = [source.view.image for source in (*moved.video, *moved.stereo)]
        raw = [source.view.image for source in (*given.video, *given.stereo)]
        assert len(sources) == 3
        assert all(torch.equal(one, other / 255) for one, other in zip(sources, raw, strict=True))
    measured = next(iter(module.val_dataloader()))
    seen = on_device(measured, torch.device("cpu"))
    assert torch.equal(seen.view.image, measured.view.image / 255)
    assert torch.equal(seen.depth, measured.depth)


# --- training goes on where it stopped


class Recorder(LightningModule):
    """Learns nothing and remembers what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen: list[torch.Tensor] = []

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        self.seen.append(batch.target.image.clone())
        return self.weight.sum()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Only so that there is a validation to save after."""

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def trainer(folder: Path, steps: int, save_after_validation: bool) -> Trainer:
    every = None if save_after_validation else 1
    return Trainer(
        max_steps=steps,
        val_check_interval=1,
        check_val_every_n_epoch=None,
        accelerator="cpu",
        logger=False,
        callbacks=[ModelCheckpoint(folder, every_n_train_steps=every, save_last=True)],
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        use_distributed_sampler=False,
    )


@pytest.mark.parametrize("save_after_validation", [False, True])
@pytest.mark.parametrize("stop", [2, 3, 4])
def test_a_resumed_run_sees_what_the_whole_run_saw(tmp_path, stop, save_after_validation):
    """Epochs of three batches, stopped within, at the end and at the start of one."""
    root = trees.kitti_raw(tmp_path, num_frames=8)

    def fresh() -> DepthDataModule:
        return data(KittiRaw(), root, batch_size=2, flip=True)

    whole, first, second = Recorder(), Recorder(), Recorder()
    trainer(tmp_path / "whole", 7, save_after_validation).fit(whole, datamodule=fresh())
    trainer(tmp_path / "begun", stop, save_after_validation).fit(first, datamodule=fresh())
    last = tmp_path / "begun" / "last.ckpt"
    resumed = trainer(tmp_path / "resumed", 7, save_after_validation)
    resumed.fit(second, datamodule=fresh(), ckpt_path=last, weights_only=True)
    assert len(whole.seen) == 7
    assert len(first.seen) == stop
    seen = first.seen + second.seen
    assert [torch.equal(a, b) for a, b in zip(seen, whole.seen, strict=True)] == [True] * 7


def test_a_loader_goes_on_within_an_epoch_but_begins_a_new_one_otherwise(tmp_path):
    def fresh() -> Any:
        return data(KittiRaw(), trees.kitti_raw(tmp_path, num_frames=8), batch_size=2).train_dataloader()

    def seen(loader: Any) -> list[torch.Tensor]:
        return [batch.target.image for batch in loader]

    whole = fresh()
    first, second = seen(whole), seen(whole)
    assert not torch.equal(torch.cat(first), torch.cat(second))
    for num_given, expected in ((1, first[1:]), (3, second)):
        resumed = fresh()
        resumed.load_state_dict({"epoch": 0, "num_given": num_given})
        assert torch.equal(torch.cat(seen(resumed)), torch.cat(expected))
    left_early = fresh()
    next(iter(left_early))
    assert left_early.state_dict() == {"epoch": 0, "num_given": 1}
    assert torch.equal(torch.cat(seen(left_early)), torch.cat(second))


# --- refusals


def test_a_missing_right_camera_is_refused_where_stereo_is_asked_for(tmp_path):
    root = trees.kitti_raw(tmp_path, sides="l")
    message = refusal(DataError, KittiRaw(), root)
    assert "camera r of" in message
    assert "--data.stereo=false" in message
    assert targets(data(KittiRaw(), root, stereo=False)) == [1, 2, 3, 4]


def test_single_pairs_have_no_neighbours(tmp_path):
    message = refusal(DataError, StereoPairs(), trees.plain_pairs(tmp_path))
    assert "--data.video=[]" in message
    assert len(training(data(StereoPairs(), tmp_path, video=[]))) == 3


@pytest.mark.parametrize(("baseline", "told"), [(0.0, "no baseline"), (-0.5, "stands left of the left")])
def test_a_rig_without_baseline_or_with_swapped_cameras_is_refused(tmp_path, baseline, told):
    root = trees.kitti_raw(tmp_path)
    trees.write(root / trees.DAY / "calib_cam_to_cam.txt", trees.cam_to_cam(baseline=baseline))
    assert told in refusal(DataError, KittiRaw(), root)


def test_too_few_examples_for_a_batch_are_refused(tmp_path):
    assert "4 examples do not fill a batch of 8" in refusal(
        DataError, KittiRaw(), trees.kitti_raw(tmp_path), batch_size=8
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"video": [0]}, "not 0"),
        ({"video": [1, 1]}, "differ"),
        ({"video": [], "stereo": False}, "no source"),
        ({"height": 0}, "height is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"num_workers": 1000}, "num_workers is 1000; give --data.num_workers between 0 and 256"),
        ({"hold_out": 1.0}, "hold_out is 1.0"),
        ({"colour_jitter": math.nan}, "colour_jitter is nan"),
        ({"zoom": 0.9}, "zoom is 0.9"),
        ({"split": "eigen_zhuo"}, "did you mean eigen_zhou?"),
        ({"split": "eigen"}, "no train.txt"),
        ({"split": "odom", "hold_out": 0.1}, "hold_out is for data without a split"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path, options, told):
    message = refusal(ConfigError, KittiRaw(), trees.kitti_raw(tmp_path), **options)
    assert told in message.replace("none 0", "not 0")


def test_a_layout_without_its_own_data_needs_a_root():
    assert "--data.root" in refusal(ConfigError, KittiRaw(), None)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_an_unreadable_image_is_one_line_with_its_name_from_any_process(tmp_path, num_workers):
    root = trees.kitti_raw(tmp_path)
    path = root / trees.DRIVE / "image_02/data/0000000003.png"
    path.write_bytes(path.read_bytes()[:600])
    module = data(KittiRaw(), root, num_workers=num_workers)
    with pytest.raises(DataError) as caught:
        list(module.train_dataloader())
    assert str(caught.value).startswith("image cannot be decoded")
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_image_of_another_size_in_a_sequence_is_refused(tmp_path):
    root = trees.kitti_raw(tmp_path)
    trees.save(trees.picture(0, (20, 30)), root / trees.DRIVE / "image_02/data/0000000003.png")
    with pytest.raises(DataError, match=r"30x20.*0000000003\.png"):
        list(data(KittiRaw(), root).train_dataloader())


# --- images


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1"])
def test_every_8_bit_mode_becomes_rgb(tmp_path, mode):
    suffix = "tif" if mode == "CMYK" else "png"
    trees.picture(0).convert("RGB").convert(mode if mode != "LA" else "L").convert(mode).save(
        tmp_path / f"image.{suffix}"
    )
    picture = read_rgb(tmp_path / f"image.{suffix}")
    assert (picture.mode, picture.size) == ("RGB", trees.SIZE[::-1])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not a"),
        (b"<html>moved</html>", "not a"),
        (b"\0" * 500, "not a"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a"),
    ],
)
def test_what_is_no_image_is_refused(tmp_path, content, told):
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(DataError, match=rf"{told}.*x\.png"):
        read_rgb(tmp_path / "x.png")


def test_missing_deep_turned_and_huge_images_are_refused(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"^image is missing"):
        read_rgb(tmp_path / "none.png")
    Image.fromarray(np.full((4, 4), 1000, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(DataError, match=r"not 8-bit.*deep\.png"):
        read_rgb(tmp_path / "deep.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    trees.picture(0).save(tmp_path / "turned.jpg", exif=exif)
    with pytest.raises(DataError, match=r"turned.*turned\.jpg"):
        read_rgb(tmp_path / "turned.jpg", turn=False)
    assert read_rgb(tmp_path / "turned.jpg").size == trees.SIZE
    monkeypatch.setattr("selfsup_depth.data.images.MAX_PIXELS", 2000)
    trees.picture(0).save(tmp_path / "huge.png")
    with pytest.raises(DataError, match=r"megapixels.*huge\.png"):
        read_rgb(tmp_path / "huge.png")


# --- real data


def test_real_drives_give_the_examples_they_have():
    module = data(KittiRaw(), shared("data/kitti_raw_0013"), stereo=False)
    assert len(training(module)) == 83
    assert len(module.val_dataloader()) == 9
    stereo = data(StereoPairs(), shared("data/kitti_stereo_2015"), video=[])
    assert len(training(stereo)) == len(stereo.val_dataloader()) == 8
    odometry = data(KittiOdometry(), shared("data/kitti_odometry_06"))
    assert len(training(odometry)) == 49
    assert odometry.val_dataloader() == []
    grey = training(odometry)[0, 0].target.image
    assert torch.equal(grey[0], grey[2])
