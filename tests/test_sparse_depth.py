"""Measured depth as a term: what it counts, and how it comes from the data."""

from __future__ import annotations

import math

import data_trees
import numpy as np
import pytest
import torch
from torch import Tensor

from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.data.kitti_raw import KittiRaw
from selfsup_depth.data.stereo_pairs import StereoPairs
from selfsup_depth.errors import ConfigError
from selfsup_depth.losses.sparse_depth import SparseDepth
from selfsup_depth.structures import Batch, DepthEstimate, View


def value_of(inverse_depth: Tensor, measured: Tensor, image: Tensor | None = None, **options) -> Tensor:
    image = torch.zeros(1, 3, *measured.shape[-2:]).double() if image is None else image
    batch = Batch(View(image, torch.eye(3)[None]), [], [], [], [measured])
    return SparseDepth(**options)(batch, [DepthEstimate(0, inverse_depth, [], [], [], [])])


def measured_at(*points: tuple[int, int, float]) -> Tensor:
    depth = torch.zeros(1, 1, 8, 12).double()
    for row, column, metres in points:
        depth[0, 0, row, column] = metres
    return depth


def everywhere(depth: float) -> Tensor:
    return torch.full((1, 1, 8, 12), 1 / depth).double()


def test_only_measured_pixels_count():
    measured = measured_at((2, 3, 5.0), (4, 6, 8.0))
    both = value_of(everywhere(5.0), measured)
    torch.testing.assert_close(both.item(), 2 * math.log(4.0) / 2)  # along x and along y
    plain = value_of(everywhere(5.0), measured, kind="inverse_l1")
    torch.testing.assert_close(plain.item(), (1 / 5 - 1 / 8) / 2)


@pytest.mark.parametrize("kind", ["log_l1", "inverse_l1"])
def test_nothing_measured_is_zero_and_teaches_nothing(kind):
    rho = everywhere(5.0).requires_grad_()
    value = value_of(rho, torch.zeros(1, 1, 8, 12).double(), kind=kind)
    value.backward()
    assert value == 0
    assert not rho.grad.any()


def test_a_point_at_an_edge_of_the_image_counts_less():
    measured = measured_at((2, 5, 8.0))
    image = torch.zeros(1, 3, 8, 12).double()
    image[..., 6:] = 0.5  # an edge to the right of the point, none below it
    counted = value_of(everywhere(5.0), measured, image, edge_sharpness=2.0)
    torch.testing.assert_close(counted.item(), math.log(4.0) * (1 + math.exp(-1.0)))
    assert value_of(everywhere(5.0), measured, image, edge_sharpness=0.0).item() == pytest.approx(
        2 * math.log(4.0)
    )


def test_a_coarse_level_is_judged_at_the_size_of_the_measurement():
    coarse = torch.full((1, 1, 4, 6), 1 / 5).double()
    measured = measured_at((2, 3, 5.0), (4, 6, 8.0))
    torch.testing.assert_close(value_of(coarse, measured), value_of(everywhere(5.0), measured))


def test_without_measured_depth_it_is_refused():
    batch = Batch(View(torch.zeros(1, 3, 8, 12), torch.eye(3)[None]), [], [], [])
    with pytest.raises(ConfigError, match=r"--data\.sparse_depth=true"):
        SparseDepth()(batch, [DepthEstimate(0, everywhere(5.0), [], [], [], [])])


def data_of(layout, root, **options) -> DepthDataModule:
    sides = {"height": 20, "width": 30, "batch_size": 1, "num_workers": 0, "colour_jitter": 0}
    data = DepthDataModule(
        layout, root, **(sides | {"video": [], "sparse_depth": True, "zoom": 1.3} | options)
    )
    data.prepare_data()
    data.setup("fit")
    return data


@pytest.mark.parametrize("layout", ["kitti_raw", "kitti_stereo"])
def test_measured_depth_is_framed_like_its_image(layout, tmp_path):
    """Of mirrored and zoomed examples, too: what is measured is what the framing makes of the file."""
    root = getattr(data_trees, layout)(tmp_path)
    data = data_of({"kitti_raw": KittiRaw, "kitti_stereo": StereoPairs}[layout](), root)
    assert data.knows_measured
    examples = data.train_dataloader().dataset
    flips = set()
    for epoch in range(8):
        batch = examples[epoch, 0]
        framing, _ = examples.augmentation.draw(examples.size, examples.seed, epoch, 0)
        (measured,) = batch.measured
        expected = framing.depth(examples.examples[0].frame.measured.read())
        assert measured.shape == (1, 20, 30)
        assert (measured > 0).any()
        assert np.array_equal(measured[0].numpy(), expected)
        flips.add(framing.flip)
    assert flips == {True, False}


def test_a_frame_without_measured_depth_is_still_an_example(tmp_path):
    root = data_trees.kitti_raw(tmp_path)
    next(iter(sorted(root.glob("**/velodyne_points/data/*.bin")))).unlink()
    data = data_of(KittiRaw(), root)
    (batch,) = [data.train_dataloader().dataset[0, 0]]
    assert not batch.measured[0].any()
    assert data.knows_measured


def test_measured_depth_is_collated_only_where_it_is_asked_for(tmp_path):
    root = data_trees.kitti_raw(tmp_path)
    with_depth, without = (
        next(iter(data_of(KittiRaw(), root, sparse_depth=on, batch_size=2).train_dataloader()))
        for on in (True, False)
    )
    assert with_depth.measured[0].shape == (2, 1, 20, 30)
    assert len(without.measured) == 0
    assert not data_of(KittiRaw(), root, sparse_depth=False).knows_measured
