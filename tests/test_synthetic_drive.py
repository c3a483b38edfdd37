"""The synthetic drive: what it says about itself is true, and it is KITTI raw to its readers."""

from __future__ import annotations

import dataclasses
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pykitti
import pytest
import torch
from PIL import Image

from selfsup_depth.data.synthetic_drive import SyntheticDrive, drive_name, synthesize
from selfsup_depth.data.synthetic_options import SyntheticOptions
from selfsup_depth.data.synthetic_recorder import Recorder, hidden
from selfsup_depth.data.synthetic_world import DriveWorld
from selfsup_depth.errors import ConfigError, DataError, StorageError
from selfsup_depth.geometry.view_synthesis import synthesize as synthesize_view
from selfsup_depth.structures import PosedView, Synthesis, View

OPTIONS = SyntheticOptions(drives=2, frames=4, height=80, width=256, held_out_drives=1)
TINY = SyntheticOptions(drives=2, frames=3, height=24, width=64, held_out_drives=1)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("synthetic") / "drives"
    synthesize(root, OPTIONS, progress=False)
    return root


@pytest.fixture(scope="module")
def drive(root):
    return root / drive_name(OPTIONS, 0)


@pytest.fixture(scope="module")
def kitti(drive):
    """The drive as pykitti reads it."""
    return pykitti.raw(str(drive.parents[1]), drive.parent.name, "0000")


def pixels(drive: Path, folder: str, index: int) -> np.ndarray:
    return np.array(Image.open(drive / folder / f"{index:010d}.png"))


def picture(drive: Path, camera: str, index: int) -> torch.Tensor:
    return torch.from_numpy(pixels(drive, f"image_{camera}/data", index)).permute(2, 0, 1)[None] / 255


def measured(drive: Path, index: int) -> np.ndarray:
    return pixels(drive, "proj_depth/groundtruth/image_02", index) / 256


def poses(drive: Path) -> np.ndarray:
    rows = np.loadtxt(drive / "poses" / "image_02.txt").reshape(-1, 3, 4)
    return np.concatenate([rows, np.broadcast_to([[[0, 0, 0, 1.0]]], (len(rows), 1, 4))], axis=1)


def rebuilt(
    kitti, drive: Path, index: int, source: torch.Tensor, T: np.ndarray
) -> tuple[Synthesis, np.ndarray]:
    """The left picture from a source at true depth; and where that can be compared."""
    depth = torch.from_numpy(measured(drive, index)).float()
    K = torch.from_numpy(kitti.calib.K_cam2).float()[None]
    inverse_depth = torch.where(depth > 0, 1 / depth.clamp(min=0.01), 0.001)[None, None]
    posed = PosedView(View(source, K), torch.from_numpy(T).float()[None])
    synthesis = synthesize_view(View(picture(drive, "02", index), K), posed, inverse_depth)
    return synthesis, synthesis.valid[0, 0].numpy() & (depth > 0).numpy()


def median_error(first: torch.Tensor, second: torch.Tensor, where: np.ndarray) -> float:
    return (first - second).abs().mean(dim=1)[0][torch.from_numpy(where)].median().item()


@pytest.mark.parametrize("index", [1, 2])
def test_the_right_picture_rebuilds_the_left_one(kitti, drive, index):
    T = kitti.calib.T_cam3_velo @ np.linalg.inv(kitti.calib.T_cam2_velo)
    synthesis, comparable = rebuilt(kitti, drive, index, picture(drive, "03", index), T)
    seen = comparable & (pixels(drive, "occlusion/image_02", index) == 0)
    target = picture(drive, "02", index)
    assert seen.mean() > 0.4
    assert median_error(synthesis.image, target, seen) < 0.006
    assert median_error(synthesis.source, target, seen) > 0.04


@pytest.mark.parametrize("neighbour", [0, 2])
def test_the_neighbours_in_time_rebuild_what_stands_still(kitti, drive, neighbour):
    T = np.linalg.inv(poses(drive)[neighbour]) @ poses(drive)[1]
    synthesis, comparable = rebuilt(kitti, drive, 1, picture(drive, "02", neighbour), T)
    still = comparable & (pixels(drive, "motion/image_02", 1) == 0)
    target = picture(drive, "02", 1)
    assert median_error(synthesis.image, target, still) < 0.012
    assert median_error(synthesis.source, target, still) > 0.04


def test_a_car_that_keeps_the_speed_does_not_move_in_the_picture(kitti, drive):
    moving = pixels(drive, "motion/image_02", 1) > 0
    ahead = moving & (np.abs(measured(drive, 1) - 9) < 2.5)  # its rear is 7 to 8.5 m away
    assert ahead.mean() > 0.01
    T = np.linalg.inv(poses(drive)[2]) @ poses(drive)[1]
    synthesis, comparable = rebuilt(kitti, drive, 1, picture(drive, "02", 2), T)
    target = picture(drive, "02", 1)
    unmoved = median_error(synthesis.source, target, comparable & ahead)
    assert 2 * unmoved < median_error(synthesis.image, target, comparable & ahead)


def test_depth_pose_and_calibration_agree_on_where_the_ground_is(kitti, drive):
    depth = measured(drive, 2)
    rows, columns = np.nonzero(depth)
    rays = np.linalg.inv(kitti.calib.K_cam2) @ np.stack([columns, rows, np.ones_like(rows)])
    T_world_from_camera = kitti.oxts[2].T_w_imu @ np.linalg.inv(kitti.calib.T_cam2_imu)
    height = (T_world_from_camera[:3, :3] @ (rays * depth[rows, columns]) + T_world_from_camera[:3, 3:])[2]
    # The inertial unit, where the world begins, is above the road by a height of its own.
    road = np.median(height[height < np.quantile(height, 0.3)])
    assert T_world_from_camera[2, 3] - road == pytest.approx(1.65, abs=0.02)
    assert height.min() > road - 0.1
    assert np.mean(np.abs(height - road) < 0.03) > 0.2


def test_laser_points_lie_on_the_depth_map(kitti, drive):
    points = kitti.get_velo(1)
    in_camera = kitti.calib.T_cam2_velo[:3] @ np.c_[points[:, :3], np.ones(len(points))].T
    u, v, _ = kitti.calib.K_cam2 @ in_camera / in_camera[2]
    column, row = np.rint(u).astype(int), np.rint(v).astype(int)
    depth = measured(drive, 1)
    inside = (column >= 0) & (column < depth.shape[1]) & (row >= 0) & (row < depth.shape[0])
    inside[inside] &= depth[row[inside], column[inside]] > 0
    ratio = in_camera[2, inside] / depth[row[inside], column[inside]]
    assert inside.sum() > 5000
    assert abs(np.median(ratio) - 1) < 0.002
    assert np.mean(np.abs(ratio - 1) < 0.05) > 0.85  # the rest is seen past an edge by one of the two


def test_oxts_gives_the_true_poses_and_speed(kitti, drive):
    T_camera_from_imu = kitti.calib.T_cam2_imu
    cameras = [packet.T_w_imu @ np.linalg.inv(T_camera_from_imu) for packet in kitti.oxts]
    first_from_camera = [np.linalg.inv(cameras[0]) @ T for T in cameras]
    np.testing.assert_allclose(first_from_camera, poses(drive), atol=1e-5)
    travelled = np.linalg.norm(poses(drive)[2, :3, 3] - poses(drive)[0, :3, 3])
    assert kitti.oxts[1].packet.vf == pytest.approx(travelled / 0.2, rel=0.01)
    assert 6 < kitti.oxts[1].packet.vf < 14


def test_pykitti_reads_all_of_it(kitti):
    assert (
        len(kitti)
        == len(kitti.cam2_files)
        == len(kitti.cam3_files)
        == len(kitti.velo_files)
        == OPTIONS.frames
    )
    assert kitti.get_cam2(0).size == (OPTIONS.width, OPTIONS.height)
    assert kitti.calib.b_rgb == pytest.approx(OPTIONS.baseline)
    assert (kitti.timestamps[1] - kitti.timestamps[0]).total_seconds() == pytest.approx(0.1)


def test_the_layout_renders_once_and_reads_what_it_rendered(root):
    layout = SyntheticDrive(OPTIONS)
    image = root / drive_name(OPTIONS, 0) / "image_02/data/0000000000.png"
    before = image.stat().st_mtime_ns
    layout.prepare(root)
    assert image.stat().st_mtime_ns == before
    recording = layout.recordings(root)[0]
    truth = np.linalg.norm(poses(root / recording.name)[2, :3, 3] - poses(root / recording.name)[1, :3, 3])
    assert recording.travelled("l", 1, 2) == pytest.approx(truth, rel=0.01)
    frame = recording.cameras["l"].frames[1]
    np.testing.assert_allclose(frame.measured.read(), measured(root / recording.name, 1))


def test_whole_drives_are_held_out(root):
    lists = {
        name: (root / "splits" / f"{name}.txt").read_text().splitlines() for name in ("train", "val", "test")
    }
    assert lists["train"] == [f"{drive_name(OPTIONS, 0)} {index} l" for index in (1, 2)]
    assert lists["val"] == lists["test"] == [f"{drive_name(OPTIONS, 1)} {index} l" for index in (1, 2)]


def test_drives_do_not_look_alike(root):
    first, second = (picture(root / drive_name(OPTIONS, number), "02", 0) for number in (0, 1))
    assert (first - second).abs().mean() > 0.1


def digests(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def set_num_threads():
    num_threads = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(num_threads)


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_cores(tmp_path, set_num_threads):
    set_num_threads(3)
    synthesize(tmp_path / "first", TINY, progress=False)
    with ThreadPoolExecutor(1) as later:  # a new thread takes over what torch was last told
        assert later.submit(torch.get_num_threads).result() == 3
    set_num_threads(1)
    synthesize(tmp_path / "second", TINY, progress=False)
    synthesize(tmp_path / "other", dataclasses.replace(TINY, seed=1), progress=False)
    assert digests(tmp_path / "first") == digests(tmp_path / "second")
    image = f"{drive_name(TINY, 0)}/image_02/data/0000000000.png"
    assert digests(tmp_path / "first")[image] != digests(tmp_path / "other")[image]


def test_each_rig_has_a_day_a_size_and_a_focal_length_of_its_own(tmp_path):
    options = dataclasses.replace(TINY, focal_lengths=(0.5, 1.0), baseline=0.3)
    synthesize(tmp_path / "drives", options, progress=False)
    first, second = SyntheticDrive(options).recordings(tmp_path / "drives")
    assert first.name.split("/")[0] != second.name.split("/")[0]
    assert first.cameras["l"].K[0, 0] == pytest.approx(0.5 * 64)
    assert second.cameras["l"].K[0, 0] == pytest.approx(1.0 * 72)
    assert second.cameras["r"].frames[0].image.read().size == (72, 27)
    assert second.cameras["l"].T_rig_to_camera[0, 3] - second.cameras["r"].T_rig_to_camera[
        0, 3
    ] == pytest.approx(0.3)


def test_a_stopped_camera_sees_no_change_but_that_of_light_and_cars(tmp_path):
    options = dataclasses.replace(
        TINY, drives=1, held_out_drives=0, frames=9, stopped=0.4, lighting_change=0.3
    )
    synthesize(tmp_path / "drives", options, progress=False)
    drive = tmp_path / "drives" / drive_name(options, 0)
    np.testing.assert_allclose(poses(drive)[4], poses(drive)[5], atol=1e-9)
    assert np.linalg.norm(poses(drive)[1, :3, 3]) > 0.5
    still = (pixels(drive, "motion/image_02", 4) == 0) & (pixels(drive, "motion/image_02", 5) == 0)
    before, after = (picture(drive, "02", index)[0][:, torch.from_numpy(still)] for index in (4, 5))
    dark = (before < 0.6) & (before > 0.2) & (after < 0.9)  # not clipped, and little rounded
    ratio = (after / before)[dark]
    assert ratio.std() < 0.02
    assert abs(ratio.mean() - 1) > 0.03
    speed = float((drive / "oxts/data/0000000004.txt").read_text().split()[8])
    assert abs(speed) < 1e-6


def test_without_moving_cars_nothing_moves_and_plain_walls_are_plain():
    options = dataclasses.replace(TINY, moving_cars=False, textureless_walls=True)
    quads = DriveWorld(options, 0, options.width).at(0.1).quads
    assert not quads.mover.any()
    assert not any(name.startswith(("facade", "brick")) for name in quads.tile)
    assert DriveWorld(TINY, 0, TINY.width).at(0.1).quads.mover.any()


def test_hidden_is_what_a_nearer_thing_covers_in_the_other_picture():
    left = torch.full((1, 40), 1 / 20)
    left[:, 20:25] = 1 / 5  # a post at 5 m before a wall at 20 m; focal * baseline = 40
    right = torch.full((1, 40), 1 / 20)
    right[:, 12:17] = 1 / 5  # disparity 8; that of the wall is 2
    columns = torch.nonzero(hidden(left, right, 40.0)[0]).flatten().tolist()
    assert columns == [0, 1, *range(14, 19)]
    assert torch.nonzero(hidden(right, left, -40.0)[0]).flatten().tolist() == [*range(18, 23), 38, 39]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("drives", 0),
        ("frames", 2),
        ("height", 8),
        ("width", 5000),
        ("baseline", 0.0),
        ("speed", float("nan")),
        ("focal_lengths", ()),
        ("focal_lengths", (0.58, -1.0)),
        ("held_out_drives", 6),
        ("lighting_change", 1.0),
        ("stopped", -0.1),
        ("seed", -1),
    ],
)
def test_options_out_of_range_are_refused(name, value):
    with pytest.raises(ConfigError, match=rf"{name}.* is .*; give a value from"):
        SyntheticOptions(**{name: value})


def test_another_set_or_a_foreign_folder_is_refused(root, tmp_path):
    with pytest.raises(DataError, match=r"rendered with seed \d+, not 7, in .*options.json; "):
        synthesize(root, dataclasses.replace(OPTIONS, seed=7), progress=False)
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(DataError, match="not a synthetic drive"):
        synthesize(tmp_path, OPTIONS, progress=False)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch, error):
    def fail(self, drive, index):
        raise error

    monkeypatch.setattr(Recorder, "record", fail)
    with pytest.raises(StorageError if isinstance(error, OSError) else KeyboardInterrupt):
        synthesize(tmp_path / "drives", TINY, progress=False)
    assert list(tmp_path.iterdir()) == []
