"""Real photographs, measured depth and true motion through our own readers and warper.

If any convention is wrong (a sign, a direction, half a pixel, the laser's projection), the true
motion does not explain the photographs better than none at all.
"""

from __future__ import annotations

from itertools import count

import cv2
import numpy as np
import pytest
import torch
from scenes import shared
from torch import Tensor

from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.data.kitti_odometry import KittiOdometry
from selfsup_depth.data.kitti_raw import KittiRaw
from selfsup_depth.data.recording import Camera, Matrix
from selfsup_depth.data.selection import Example
from selfsup_depth.data.stereo_pairs import StereoPairs
from selfsup_depth.data.transforms import Framing, in_unit_range
from selfsup_depth.geometry.view_synthesis import synthesize
from selfsup_depth.structures import PosedView, View

# Half of KITTI's: a quarter of the time, and the resize is put to the test as well.
SIZE = (188, 621)

FRAMING = Framing(SIZE)


def batched(view: View) -> View:
    return View(in_unit_range(view.image)[None], view.K[None])


def view_of(camera: Camera, index: int) -> View:
    return batched(FRAMING.view(camera.frames[index].image.pixels(camera.size), camera.K))


def grey_levels(target: View, source: View, T: Tensor, depth: np.ndarray) -> float:
    """Mean absolute difference at the measured pixels between the target and the warped source."""
    measured = torch.from_numpy(depth)[None, None]
    inverse_depth = torch.where(measured > 0, 1 / measured, torch.zeros(()))
    synthesis = synthesize(target, PosedView(source, T[None]), inverse_depth)
    counted = (measured > 0) & synthesis.valid
    assert counted.sum() > 1000
    return 255 * float((synthesis.image - target.image).abs().mean(1, keepdim=True)[counted].mean())


def measured_pairs(camera: Camera) -> list[tuple[int, int]]:
    """A frame with measured depth and one of its neighbours, each."""
    return [
        (index, neighbour)
        for index, frame in camera.frames.items()
        if frame.measured is not None
        for neighbour in (index - 1, index + 1)
        if neighbour in camera.frames
    ]


def drive() -> Camera:
    (recording,) = KittiRaw().recordings(shared("data/kitti_raw_0013"))
    return recording.cameras["l"]


def T_between(camera: Camera, target: int, source: int) -> Matrix:
    T_world_from = {index: camera.frames[index].T_world_from_camera for index in (target, source)}
    return np.linalg.inv(T_world_from[source]) @ T_world_from[target]


def test_laser_depth_and_gps_pose_explain_the_neighbouring_photographs():
    """In every single pair: below no motion, and below the inverted motion."""
    camera = drive()
    errors = []
    for target, source in measured_pairs(camera):
        T = torch.from_numpy(T_between(camera, target, source)).float()
        views = view_of(camera, target), view_of(camera, source)
        depth = FRAMING.depth(camera.frames[target].measured.read())
        errors.append(
            [grey_levels(*views, motion, depth) for motion in (T, torch.eye(4), torch.linalg.inv(T))]
        )
    true, unmoved, inverted = np.array(errors).T
    assert len(errors) >= 15
    assert (true < unmoved).all()
    assert (true < inverted).all()
    assert true.mean() < 0.65 * unmoved.mean()
    assert unmoved.mean() < inverted.mean()


def carried_to_right(depth: np.ndarray, focal: float, baseline: float) -> np.ndarray:
    """A left view's depth map as the right camera of a rectified rig sees it."""
    row, column = np.nonzero(depth)
    z = depth[row, column]
    to_column = np.round(column - focal * baseline / z).astype(int)
    inside = to_column >= 0
    carried = np.full_like(depth, np.inf)
    np.minimum.at(carried, (row[inside], to_column[inside]), z[inside])
    carried[np.isinf(carried)] = 0
    return carried


def depth_of(example: Example) -> np.ndarray:
    left = example.recording.cameras["l"]
    depth = left.frames[example.frame_index].measured.read()
    if example.side == "l":
        return depth
    baseline = -example.recording.T_between("l", "r")[0, 3]
    return carried_to_right(depth, left.K[0, 0], baseline)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("side", ["l", "r"])
def test_true_disparity_explains_the_other_photograph(side, flip):
    """All four cases of side and mirroring, cut and enlarged, as the data module gives them."""
    root = shared("data/kitti_stereo_2015")
    data = DepthDataModule(StereoPairs(), root, *SIZE, 1, 0, video=[], sides=[side], zoom=1.15)
    data.prepare_data()
    data.setup("fit")
    examples = data.train_dataloader().dataset
    errors = []
    for index, example in enumerate(examples.examples):
        framings = (examples.augmentation.draw(examples.size, 0, epoch, index)[0] for epoch in count())
        epoch, framing = next((i, framing) for i, framing in enumerate(framings) if framing.flip == flip)
        batch = examples[epoch, index]
        (source,) = batch.stereo
        T = source.T_target_to_source
        views = batched(batch.target), batched(source.view)
        depth = framing.depth(depth_of(example))
        errors.append(
            [grey_levels(*views, motion, depth) for motion in (T, torch.eye(4), torch.linalg.inv(T))]
        )
    true, unmoved, inverted = np.array(errors).T
    assert len(errors) == 8
    assert (true < 0.7 * unmoved).all()
    assert (true < 0.7 * inverted).all()
    assert true.mean() < 0.5 * unmoved.mean()


def test_true_pose_explains_grey_stereo_video():
    """Odometry has no measured depth: the depth is matched between the two cameras, by OpenCV."""
    (recording,) = KittiOdometry().recordings(shared("data/kitti_odometry_06"))
    left, right = recording.cameras["l"], recording.cameras["r"]
    matcher = cv2.StereoSGBM.create(0, 96, 5, 8 * 25, 32 * 25, 1, 0, 10, 100, 2)
    errors = []
    for target in range(0, 50, 10):
        greys = [np.asarray(camera.frames[target].image.read().convert("L")) for camera in (left, right)]
        disparity = matcher.compute(*greys).astype(np.float32) / 16
        focal_times_baseline = left.K[0, 0] * -recording.T_between("l", "r")[0, 3]
        depth = np.where(disparity > 1, focal_times_baseline / np.maximum(disparity, 1), 0).astype(np.float32)
        T = torch.from_numpy(T_between(left, target, target + 1)).float()
        views = view_of(left, target), view_of(left, target + 1)
        depth = FRAMING.depth(depth)
        errors.append(
            [grey_levels(*views, motion, depth) for motion in (T, torch.eye(4), torch.linalg.inv(T))]
        )
    true, unmoved, inverted = np.array(errors).T
    assert (true < 0.7 * unmoved).all()
    assert (true < 0.7 * inverted).all()
