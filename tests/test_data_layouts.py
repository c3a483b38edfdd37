"""Layouts on disk: what is found, in which units, and what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import data_trees as trees
import numpy as np
import pykitti
import pytest
from PIL import Image
from scenes import shared

from selfsup_depth.data.depth_files import DepthPng, DisparityPng
from selfsup_depth.data.kitti_odometry import KittiOdometry
from selfsup_depth.data.kitti_raw import KittiRaw
from selfsup_depth.data.layout import Layout
from selfsup_depth.data.recording import Recording
from selfsup_depth.data.stereo_pairs import StereoPairs
from selfsup_depth.data.velodyne import VelodyneDepth, read_scan
from selfsup_depth.errors import ConfigError, DataError


def only(layout: Layout, root: Path) -> Recording:
    (recording,) = layout.recordings(root)
    return recording


def refusal(layout: Layout, root: Path, error: type[Exception] = DataError) -> str:
    with pytest.raises(error) as caught:
        layout.recordings(root)
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- KITTI raw


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_drive_is_found_with_its_cameras_in_metres(tmp_path, suffix):
    recording = only(KittiRaw(), trees.kitti_raw(tmp_path, suffix=suffix))
    assert recording.name == trees.DRIVE
    assert sorted(recording.cameras) == ["l", "r"]
    left = recording.cameras["l"]
    assert sorted(left.frames) == list(range(6))
    assert left.size == trees.SIZE
    np.testing.assert_allclose(left.K, [[trees.FOCAL, 0, trees.CX], [0, trees.FOCAL, trees.CY], [0, 0, 1]])
    # A point one baseline to the right of the left camera is straight ahead of the right one.
    np.testing.assert_allclose(
        recording.T_between("l", "r") @ [trees.BASELINE, 0, 7, 1], [0, 0, 7, 1], atol=1e-12
    )


def test_pose_and_speed_agree_and_the_camera_moves_forward(tmp_path):
    recording = only(KittiRaw(), trees.kitti_raw(tmp_path))
    frames = recording.cameras["l"].frames
    T_0_from_1 = np.linalg.inv(frames[0].T_world_from_camera) @ frames[1].T_world_from_camera
    np.testing.assert_allclose(T_0_from_1[:3, 3], [0, 0, 1.0], atol=1e-6)
    assert frames[3].speed == trees.SPEED
    assert frames[3].seconds == pytest.approx(0.3)
    assert recording.travelled("l", 1, 4) == pytest.approx(3.0)
    assert recording.travelled("l", 4, 1) == pytest.approx(3.0)


def test_speed_goes_before_the_distance_of_poses(tmp_path):
    root = trees.kitti_raw(tmp_path)
    for index in range(6):
        trees.write_oxts(root / trees.DRIVE, index, speed=1.2 * trees.SPEED)
    assert only(KittiRaw(), root).travelled("l", 1, 2) == pytest.approx(1.2)
    trees.write_oxts(root / trees.DRIVE, 2, speed=math.nan)
    assert math.isnan(only(KittiRaw(), root).travelled("l", 1, 2))


def test_the_laser_sees_the_wall_where_it_is(tmp_path):
    frame = only(KittiRaw(), trees.kitti_raw(tmp_path)).cameras["l"].frames[0]
    depth = frame.measured.read()
    assert depth.shape == trees.SIZE
    # The wall is 8 m before the laser, which is 0.3 m behind the camera.
    np.testing.assert_allclose(depth[depth > 0], 7.7, rtol=1e-6)
    assert (depth > 0).sum() > 500
    by_laser = (
        only(KittiRaw(velodyne_depth="velodyne_forward_x"), tmp_path).cameras["l"].frames[0].measured.read()
    )
    np.testing.assert_allclose(by_laser[by_laser > 0], 8.0)


@pytest.mark.parametrize("place", [f"{trees.DRIVE}", f"val/{trees.DRIVE.split('/')[1]}"])
def test_annotated_depth_is_found_in_both_arrangements(tmp_path, place):
    root = trees.kitti_raw(tmp_path)
    metres = np.zeros(trees.SIZE, np.uint16)
    metres[3, 4] = 12.5 * 256
    trees.save(Image.fromarray(metres), root / place / "proj_depth/groundtruth/image_02/0000000002.png")
    left = only(KittiRaw(), root).cameras["l"].frames
    assert left[2].measured.read()[3, 4] == 12.5
    assert left[1].measured is None
    assert isinstance(
        only(KittiRaw(measured="velodyne"), root).cameras["l"].frames[2].measured, VelodyneDepth
    )
    assert isinstance(only(KittiRaw(), root).cameras["r"].frames[2].measured, VelodyneDepth)
    assert only(KittiRaw(measured="annotated"), root).cameras["r"].frames[2].measured is None


def test_a_drive_may_lack_the_right_camera_oxts_laser_and_times(tmp_path, caplog):
    root = trees.kitti_raw(tmp_path, sides="l", oxts=False, scans=False)
    (root / trees.DRIVE / "image_02" / "timestamps.txt").unlink()
    recording = only(KittiRaw(), root)
    assert list(recording.cameras) == ["l"]
    frame = recording.cameras["l"].frames[2]
    assert math.isnan(frame.speed)
    assert frame.T_world_from_camera is None
    assert frame.measured is None
    assert math.isnan(recording.travelled("l", 0, 1))
    assert frame.seconds == pytest.approx(0.2)
    assert "assuming 10 frames per second" in caplog.text


def test_a_packet_that_is_not_finite_counts_as_unknown(tmp_path, caplog):
    root = trees.kitti_raw(tmp_path)
    trees.write_oxts(root / trees.DRIVE, 2, speed=math.nan)
    frames = only(KittiRaw(), root).cameras["l"].frames
    assert math.isnan(frames[2].speed)
    assert frames[3].speed == trees.SPEED
    assert "1 frames are not finite" in caplog.text


def test_a_scan_may_be_missing_for_some_frames(tmp_path):
    root = trees.kitti_raw(tmp_path)
    (root / trees.DRIVE / "velodyne_points/data/0000000001.bin").unlink()
    frames = only(KittiRaw(), root).cameras["l"].frames
    assert [frame.measured is None for frame in frames.values()] == [False, True, False, False, False, False]


CALIB = f"{trees.DAY}/calib_cam_to_cam.txt"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("P_rect_02: 5.0", "P_rect_02: -5.0", "not positive"),
        ("P_rect_02: 5.0", "P_rect_02: 0.0", "not positive"),
        ("P_rect_02: 5.0", "P_rect_02: nan ", "not a finite number"),
        ("P_rect_02: 5.0", "P_rect_02: 7_21 ", "not a finite number"),
        ("P_rect_02: 5.0", "P_rect_02: ٥.0", "not a finite number"),
        ("P_rect_02: 5.0", "P_rect_02: 1e999 ", "not a finite number"),
        ("P_rect_02: 5.000000000000e+01", "P_rect_02:", "11 numbers, not 12"),
        ("P_rect_02:", "P_rect_92:", "no P_rect_02"),
        ("P_rect_02:", "P_rect_02", 'expected "KEY: numbers"'),
        ("S_rect_03:", "S_rect_02:", "second time"),
        ("2.800000000000e+01", "2.800000000000e+02", "principal point"),
        ("corner_dist", "corner\0dist", "NUL"),
    ],
)
def test_a_damaged_calibration_is_refused_with_its_file(tmp_path, old, new, told):
    root = trees.kitti_raw(tmp_path)
    text = (root / CALIB).read_text()
    assert old in text
    (root / CALIB).write_text(text.replace(old, new))
    message = refusal(KittiRaw(), root)
    assert told in message
    assert CALIB in message


def test_blank_lines_and_tabs_in_a_calibration_are_nothing(tmp_path):
    root = trees.kitti_raw(tmp_path)
    text = (root / CALIB).read_text()
    (root / CALIB).write_text(text.replace(" ", "\t  ").replace("\n", "\n\n") + "\n")
    assert only(KittiRaw(), root).cameras["l"].K[0, 0] == trees.FOCAL


@pytest.mark.parametrize("name", ["calib_cam_to_cam.txt", "calib_velo_to_cam.txt", "calib_imu_to_velo.txt"])
def test_a_missing_or_binary_calibration_is_refused(tmp_path, name):
    root = trees.kitti_raw(tmp_path)
    path = root / trees.DAY / name
    path.write_bytes(b"\xff\xfe\x00P")
    assert name in refusal(KittiRaw(), root)
    path.unlink()
    assert name in refusal(KittiRaw(), root)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda line: line + " 1", "expected 30 numbers, found 31"),
        (lambda line: "", "0 lines"),
        (lambda line: "90.5 " + line.split(" ", 1)[1], "latitude"),
    ],
)
def test_a_damaged_packet_is_refused(tmp_path, change, told):
    root = trees.kitti_raw(tmp_path)
    path = root / trees.DRIVE / "oxts/data/0000000003.txt"
    path.write_text(change(path.read_text().strip()))
    message = refusal(KittiRaw(), root)
    assert told in message
    assert path.name in message


def test_times_are_read_to_the_nanosecond_and_counted(tmp_path):
    root = trees.kitti_raw(tmp_path, num_frames=2)
    path = root / trees.DRIVE / "image_02/timestamps.txt"
    path.write_text("2011-09-26 23:59:59.900000001\n2011-09-27 00:00:00.000000003\n")
    assert only(KittiRaw(), root).cameras["l"].frames[1].seconds - 0.9 == pytest.approx(
        0.100000003, abs=1e-10
    )
    path.write_text("2011-09-26 23:59:59.900000001\n")
    assert "1 times for images up to number 1" in refusal(KittiRaw(), root)
    path.write_text("2011-09-26 23:59:59.900000001\nyesterday\n")
    assert f"{path}:2" in refusal(KittiRaw(), root)


def test_images_of_another_size_than_the_calibration_are_refused(tmp_path):
    root = trees.kitti_raw(tmp_path)
    trees.save(trees.picture(0, (20, 30)), root / trees.DRIVE / "image_02/data/0000000000.png")
    assert "30x20" in refusal(KittiRaw(), root)


@pytest.mark.parametrize("level", [trees.DAY, trees.DRIVE, f"{trees.DRIVE}/image_02", ".."])
def test_the_wrong_level_is_refused_and_the_right_one_named(tmp_path, level):
    root = trees.kitti_raw(tmp_path / "kitti")
    message = refusal(KittiRaw(), root / level)
    assert f"did you mean --data.root {root}" in message.replace(f"{root}/..", str(root.parent)).replace(
        "/../", "/"
    )


def test_a_missing_root_and_a_file_as_root_are_refused(tmp_path):
    assert "missing" in refusal(KittiRaw(), tmp_path / "none")
    trees.write(tmp_path / "file", "")
    assert "not a folder" in refusal(KittiRaw(), tmp_path / "file")
    assert "check the path" in refusal(KittiRaw(), tmp_path)


def test_a_scan_of_half_a_point_is_refused(tmp_path):
    path = tmp_path / "scan.bin"
    path.write_bytes(b"\0" * 24)
    with pytest.raises(DataError, match=r"24 bytes.*scan\.bin"):
        read_scan(path)


# --- KITTI odometry


def test_grey_sequences_have_poses_and_one_baseline(tmp_path, caplog):
    recording = only(KittiOdometry(), trees.kitti_odometry(tmp_path))
    assert recording.name == "09"
    assert recording.T_between("l", "r")[0, 3] == pytest.approx(-trees.BASELINE)
    assert recording.travelled("r", 1, 3) == pytest.approx(4.0)
    assert caplog.text.count("assuming 10 frames per second") == 1


@pytest.mark.parametrize(
    ("cameras", "wanted"), [("auto", "image_2"), ("grey", "image_0"), ("colour", "image_2")]
)
def test_colour_is_preferred_and_can_be_chosen(tmp_path, cameras, wanted):
    root = trees.kitti_odometry(tmp_path, keys=("P0", "P1", "P2", "P3"))
    assert only(KittiOdometry(cameras), root).cameras["l"].frames[0].image.collection.name == wanted


def test_times_and_poses_are_optional_but_must_suffice(tmp_path):
    root = trees.kitti_odometry(tmp_path, poses=False)
    trees.write(root / "sequences/09/times.txt", "".join(f"{0.2 * i:e}\n" for i in range(5)))
    frame = only(KittiOdometry(), root).cameras["l"].frames[2]
    assert (frame.seconds, frame.T_world_from_camera) == (pytest.approx(0.4), None)
    trees.write(root / "sequences/09/times.txt", "0\n0.1\n")
    assert "2 times" in refusal(KittiOdometry(), root)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1 0 0 0 0 1 0 0 0 0 1\n", "expected 12 numbers, found 11"),
        ("2 0 0 0 0 1 0 0 0 0 1 0\n", "no rotation"),
        ("1 0 0 0 0 1 0 0 0 0 1 0\n", "1 poses"),
    ],
)
def test_damaged_poses_are_refused(tmp_path, text, told):
    root = trees.kitti_odometry(tmp_path)
    trees.write(root / "poses/09.txt", text)
    message = refusal(KittiOdometry(), root)
    assert told in message
    assert "09.txt" in message


# --- stereo pairs


@pytest.mark.parametrize("shared_calibration", [True, False])
def test_kitti_stereo_pairs_are_recordings_with_disparity(tmp_path, shared_calibration):
    recordings = StereoPairs().recordings(trees.kitti_stereo(tmp_path, shared=shared_calibration))
    assert [recording.name for recording in recordings] == ["000001", "000002"]
    focal = trees.FOCAL + (not shared_calibration)
    left = recordings[1].cameras["l"]
    assert left.K[0, 0] == focal
    depth = left.frames[10].measured.read()
    np.testing.assert_allclose(depth[depth > 0], focal * trees.BASELINE / 5)
    assert (depth > 0).sum() == 100
    assert recordings[1].cameras["r"].frames[10].measured is None


def test_two_calibrations_for_all_are_refused(tmp_path):
    root = trees.kitti_stereo(tmp_path)
    trees.write(root / "calib_cam_to_cam_other.txt", trees.cam_to_cam())
    assert "keep one" in refusal(StereoPairs(), root)


def test_plain_pairs_take_the_camera_from_a_file_or_from_options(tmp_path):
    root = trees.plain_pairs(tmp_path)
    recording = StereoPairs().recordings(root)[0]
    assert recording.cameras["r"].K[0, 2] == trees.CX
    assert recording.T_between("l", "r")[0, 3] == -trees.BASELINE
    assert StereoPairs(baseline=0.2).recordings(root)[0].T_between("l", "r")[0, 3] == -0.2
    (root / "camera.yaml").unlink()
    centred = StereoPairs(focal=70, baseline=0.1).recordings(root)[0].cameras["l"].K
    np.testing.assert_allclose(centred, [[70, 0, 29.5], [0, 70, 19.5], [0, 0, 1]])


def test_plain_pairs_without_a_usable_camera_are_refused(tmp_path):
    root = trees.plain_pairs(tmp_path)
    trees.write(root / "camera.yaml", f"focal: {trees.FOCAL}\nfocus: 3\nbaseline: 1\n")
    assert "unknown focus" in refusal(StereoPairs(), root)
    trees.write(root / "camera.yaml", f"focal: {trees.FOCAL}\n")
    assert "--data.layout.init_args.baseline" in refusal(StereoPairs(), root, ConfigError)
    assert "not positive" in refusal(StereoPairs(focal=-1, baseline=1), root)


# --- depth files


def test_a_picture_of_a_depth_map_is_no_depth_map(tmp_path):
    path = tmp_path / "depth.png"
    trees.picture(0).convert("L").save(path)
    for source in (DepthPng(path), DisparityPng(path, 700, 0.5)):
        with pytest.raises(DataError, match=r"16-bit.*depth\.png"):
            source.read()


# --- real data


def test_real_drives_are_read_as_they_are():
    recording = only(KittiRaw(), shared("data/kitti_raw_0013"))
    left = recording.cameras["l"]
    assert list(recording.cameras) == ["l"]
    assert len(left.frames) == 85
    assert sum(frame.measured is not None for frame in left.frames.values()) == 9
    assert left.K[0].tolist() == [721.5377, 0, 609.5593]
    one = only(KittiRaw(), shared("data/kitti_raw_0005"))
    assert -one.T_between("l", "r")[0, 3] == pytest.approx(0.53273, abs=1e-4)


def test_poses_and_cameras_are_those_of_pykitti():
    root = shared("data/kitti_raw_0005")
    drive = pykitti.raw(str(root), "2011_09_26", "0005")
    camera = only(KittiRaw(), root).cameras["l"]
    np.testing.assert_allclose(camera.K, drive.calib.K_cam2)
    T_world_from_camera = drive.oxts[0].T_w_imu @ np.linalg.inv(drive.calib.T_cam2_imu)
    # Within 4 mm: pykitti leaves out the second and third number of P's last column.
    np.testing.assert_allclose(camera.frames[0].T_world_from_camera, T_world_from_camera, atol=4e-3)


def test_speed_times_interval_and_gps_agree_on_the_way_driven():
    """Over the whole stretch: single steps of the GPS scatter, its packets are not the camera's."""
    recording = only(KittiRaw(), shared("data/kitti_raw_0013"))
    frames = recording.cameras["l"].frames
    by_gps = sum(
        np.linalg.norm((frames[i + 1].T_world_from_camera - frames[i].T_world_from_camera)[:3, 3])
        for i in range(84)
    )
    assert recording.travelled("l", 0, 84) == pytest.approx(by_gps, rel=0.005)


def test_real_odometry_and_stereo_are_read_as_they_are():
    recording = only(KittiOdometry(), shared("data/kitti_odometry_06"))
    assert {side: len(camera.frames) for side, camera in recording.cameras.items()} == {"l": 51, "r": 51}
    assert -recording.T_between("l", "r")[0, 3] == pytest.approx(0.53715, abs=1e-5)
    assert recording.travelled("l", 0, 1) == pytest.approx(1.1994, abs=1e-3)
    pairs = StereoPairs().recordings(shared("data/kitti_stereo_2015"))
    assert len(pairs) == 8
    # SOURCE: depth = 384.38 / disparity; the map's largest disparity of pair 000001 is looked up.
    left = pairs[0].cameras["l"].frames[10]
    disparity = np.asarray(Image.open(left.measured.path)) / 256
    depth = left.measured.read()
    np.testing.assert_allclose((depth * disparity)[depth > 0], 384.38, rtol=1e-4)


@pytest.mark.parametrize("convention", ["camera_z", "velodyne_forward_x"])
@pytest.mark.parametrize("number", [0, 1])
def test_laser_maps_are_the_published_ones(number, convention):
    scan = json.loads(shared("golden/velodyne_projection.json").read_text())["scans"][number]
    recording = only(KittiRaw(velodyne_depth=convention), shared(scan["data_folder"]))
    source = recording.cameras["l"].frames[int(Path(scan["scan"]).stem)].measured
    np.testing.assert_allclose(
        source.P_velodyne_to_image, scan["projection_matrix_velo_to_image"], rtol=1e-9, atol=1e-9
    )
    depth = source.read()
    expected = scan[convention]
    valid = depth > 0
    assert depth.shape == tuple(scan["image_size"])
    assert valid.sum() == expected["nearest_return"]["valid_pixels"]
    assert depth.sum(dtype=np.float64) == pytest.approx(expected["nearest_return"]["sum_depth"], rel=1e-7)
    weighted = (np.nonzero(valid)[1] * depth[valid].astype(np.float64)).sum()
    assert weighted == pytest.approx(expected["nearest_return"]["sum_col_times_depth"], rel=1e-7)
    for row, column, metres in expected["samples_row_col_depth"]:
        assert depth[row, column] == pytest.approx(metres, rel=1e-6)
