"""Faults of data are named before training, each with its file and what to do; clean data gets no word."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import check_trees as trees
import data_trees
import numpy as np
import pytest
from PIL import Image
from scenes import shared
from videos import write_video

from selfsup_depth.cli import main
from selfsup_depth.data.check.evidence import DepthRange
from selfsup_depth.data.check.gathering import Report, examine
from selfsup_depth.data.check.kinds import files
from selfsup_depth.data.check.pairs import along_epipolar_lines
from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.data.frame_folder import FrameFolder
from selfsup_depth.data.kitti_odometry import KittiOdometry
from selfsup_depth.data.kitti_raw import KittiRaw
from selfsup_depth.data.stereo_pairs import StereoPairs
from selfsup_depth.data.synthetic_drive import synthesize
from selfsup_depth.data.synthetic_options import SyntheticOptions
from selfsup_depth.data.video_file import VideoFile
from selfsup_depth.errors import DataError

BASELINE = 0.54


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("check") / "drive"
    synthesize(
        root, SyntheticOptions(drives=1, frames=trees.FRAMES, held_out_drives=0, height=128, width=416)
    )
    return root


@pytest.fixture(scope="module")
def K(original) -> np.ndarray:
    return KittiRaw().recordings(original)[0].cameras["l"].K


@pytest.fixture
def drive(original, tmp_path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "drive"))


@pytest.fixture
def folder(original, tmp_path, K) -> Path:
    return trees.frame_folder(original, tmp_path / "folder", K)


@pytest.fixture
def pairs(original, tmp_path, K) -> Path:
    return trees.plain_pairs(original, tmp_path / "pairs", K, BASELINE)


def look(layout, root: Path, depth_range: DepthRange | None = None, **options) -> Report:
    size = {"height": 128, "width": 416}
    data = DepthDataModule(layout, root, **({**size, "batch_size": 2, "num_workers": 0} | options))
    return examine(data, depth_range or DepthRange())


def look_at_drive(root: Path, **options) -> Report:
    return look(KittiRaw(), root, **options)


def look_at_folder(root: Path, **options) -> Report:
    return look(FrameFolder(), root, stereo=False, **options)


def look_at_pairs(root: Path, **options) -> Report:
    return look(StereoPairs(), root, video=[], **options)


def assert_only(
    report: Report, severity: str, heading: str, *words: str, beside: tuple[str, ...] = ()
) -> None:
    """The fault is found, with where it is and what to do; nothing else is said to be wrong."""
    wrong = [(name, found) for name, found in report.findings if found.severity != "fact"]
    told = [found for name, found in wrong if (name, found.severity) == (heading, severity)]
    assert any(all(word in found.line for word in words) for found in told), report.findings
    assert all(found.where and found.fix for found in told)
    assert {name for name, _ in wrong} <= {heading, *beside}, wrong


# Clean trees


@pytest.mark.parametrize("tree", ["drive", "folder", "pairs"])
def test_clean_generated_data_gets_no_word(tree, request):
    report = {"drive": look_at_drive, "folder": look_at_folder, "pairs": look_at_pairs}[tree](
        request.getfixturevalue(tree)
    )
    assert {found.severity for _, found in report.findings} == {"fact"}, report.findings


def test_a_clean_video_gets_no_word(original, tmp_path):
    frames = [np.asarray(Image.open(path)) for path in trees.images_of(next(original.glob("*/*/image_02")))]
    video = write_video(tmp_path / "drive.mp4", frames, options={"crf": "20"})
    report = look(VideoFile(), video, stereo=False, fov=82)
    assert {found.severity for _, found in report.findings} == {"fact"}, report.findings


def head_of_odometry(root: Path, num_frames: int) -> Path:
    """The first frames of the real grey sequence."""
    source, sequence = shared("data/kitti_odometry_06") / "sequences/06", root / "sequences/06"
    for camera in ("image_0", "image_1"):
        (sequence / camera).mkdir(parents=True)
        for image in trees.images_of(source / camera)[:num_frames]:
            shutil.copy(image, sequence / camera)
    shutil.copy(source / "calib.txt", sequence)
    return root


def look_at_real(layout, root: Path, **options) -> Report:
    return look(layout, root, height=192, width=640, batch_size=1, **options)


def test_clean_real_pairs_get_no_word(tmp_path):
    report = look_at_real(KittiOdometry(), head_of_odometry(tmp_path, 4))
    assert {found.severity for _, found in report.findings} == {"fact"}, report.findings


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "layout", "options"),
    [
        ("kitti_raw_0013", KittiRaw(), {"stereo": False}),
        ("kitti_raw_0005", KittiRaw(), {"video": []}),
        ("kitti_odometry_06", KittiOdometry(), {}),
        ("kitti_stereo_2015", StereoPairs(), {"video": []}),
    ],
)
def test_clean_real_data_gets_no_word(name, layout, options):
    report = look_at_real(layout, shared(f"data/{name}"), **options)
    assert {found.severity for _, found in report.findings} == {"fact"}, report.findings


def test_a_clean_real_pair_of_another_camera_gets_no_word(tmp_path):
    source = shared("data/middlebury_cones")
    for side, name in (("left", "im2.png"), ("right", "im6.png")):
        (tmp_path / side).mkdir()
        shutil.copy(source / name, tmp_path / side / "cones.png")
    (tmp_path / "camera.yaml").write_text("focal: 600\nbaseline: 0.16\n")
    report = look(StereoPairs(), tmp_path, video=[], height=352, width=416, batch_size=1)
    assert {found.severity for _, found in report.findings} == {"fact"}, report.findings


# The real pair, with a fault


def test_real_pairs_that_are_swapped(tmp_path):
    sequence = head_of_odometry(tmp_path, 3) / "sequences/06"
    trees.swap(sequence / "image_0", sequence / "image_1")
    assert_only(look_at_real(KittiOdometry(), tmp_path), "error", "left and right", "swapped in 3 of 3 pairs")


def test_a_real_image_that_is_shifted_by_three_rows(tmp_path):
    head_of_odometry(tmp_path, 3)
    trees.change(tmp_path / "sequences/06/image_1", lambda image, _: np.roll(image, 3, axis=0), range(3))
    report = look_at_real(KittiOdometry(), tmp_path)
    assert_only(report, "error", "rows", "image_1", "data rectify")
    told = next(found.what for name, found in report.findings if name == "rows")
    offset = float(told.partition("right minus left: ")[2].partition(" px")[0])
    assert offset == pytest.approx(3, abs=0.35)


# Files and frames


def cameras_of(drive: Path) -> tuple[Path, Path]:
    return next(drive.glob("*/*/image_02")), next(drive.glob("*/*/image_03"))


def test_a_truncated_image(folder):
    bad = trees.images_of(folder)[4]
    bad.write_bytes(bad.read_bytes()[:3000])
    report = look_at_folder(folder)
    assert_only(report, "error", "files", "0004.png", "download it again")
    # Leaving out three of ten targets is refused: that would be no help.
    assert "on_bad_data" not in report.of("error")[0].fix


def test_what_would_be_left_out_is_said_where_that_is_little(folder, monkeypatch):
    bad = trees.images_of(folder)[4]
    bad.write_bytes(bad.read_bytes()[:3000])
    for share, offered in ((0.29, False), (0.31, True)):
        monkeypatch.setattr(files, "MAX_BAD_SHARE", share)
        assert ("--data.on_bad_data=skip" in look_at_folder(folder).of("error")[0].fix) == offered
        assert bool(look_at_folder(folder, on_bad_data="skip").of("error")) != offered


@pytest.mark.parametrize(
    ("frames", "sides", "stereo", "helps"),
    [
        (5, "l", True, ["--data.stereo=false"]),
        (1, "lr", True, ["--data.video=[]"]),
        (1, "l", True, []),
        (1, "l", False, []),
    ],
)
def test_only_what_would_help_is_advised(tmp_path, frames, sides, stereo, helps):
    """One camera, one pair, one picture: what each option leaves can be trained on, or is not named."""
    root = data_trees.kitti_raw(tmp_path, num_frames=frames, sides=sides)
    (found,) = (f for name, f in look_at_drive(root, stereo=stereo).findings if name == "examples")
    assert found.fix == "restore the data" + " or try ".join(["", *helps])
    with pytest.raises(DataError, match=re.escape(found.fix) + "$"):
        DepthDataModule(KittiRaw(), root, batch_size=1, stereo=stereo).setup("fit")
    kept = {"--data.stereo=false": {"stereo": False}, "--data.video=[]": {"video": []}}
    for option in helps:
        DepthDataModule(KittiRaw(), root, batch_size=1, **kept[option]).setup("fit")


def test_an_image_of_another_size(folder):
    bad = trees.images_of(folder)[4]
    Image.open(bad).resize((208, 64)).save(bad)
    assert_only(look_at_folder(folder), "error", "files", "0004.png", "208x64", "416x128")


def test_an_image_of_sixteen_bits(folder):
    bad = trees.images_of(folder)[4]
    Image.fromarray(np.zeros(trees.SIZE, np.uint16)).save(bad)
    assert_only(look_at_folder(folder), "error", "files", "0004.png", "8-bit")


def test_bad_images_that_are_to_be_left_out_are_a_warning_as_long_as_they_are_few(folder):
    bad = trees.images_of(folder)[4]
    bad.write_bytes(bad.read_bytes()[:3000])
    # One of twelve is more than the one in a hundred that training leaves out.
    assert_only(look_at_folder(folder, on_bad_data="skip"), "error", "files", "0004.png")


def test_a_hole_in_the_frames(drive):
    for camera in cameras_of(drive):
        trees.images_of(camera)[5].unlink()
    assert_only(look_at_drive(drive), "warning", "examples", "1 frames are missing", "the first is 5")


def test_frames_of_one_camera_only(drive):
    trees.images_of(cameras_of(drive)[1])[-1].unlink()
    assert_only(look_at_drive(drive), "warning", "examples", "1 frames", "one camera only", "first is 11")


def test_a_recording_that_is_too_short(folder):
    short = folder / "short"
    short.mkdir()
    for image in trees.images_of(folder / "scene")[:2]:
        shutil.copy(image, short)
    assert_only(look_at_folder(folder), "warning", "examples", "no target in short")


def test_too_few_frames_for_a_batch(folder):
    assert_only(
        look_at_folder(folder, batch_size=64), "error", "examples", "10 examples", "--data.batch_size 10"
    )


def test_nothing_but_single_frames(folder):
    for image in trees.images_of(folder)[2:]:
        image.unlink()
    (folder / "scene/timestamps.txt").write_text("0\n0.1\n")
    assert_only(look_at_folder(folder), "error", "examples", "no frame can be trained on")


# Cameras and times


def test_intrinsics_that_are_shares_of_the_width(folder, K):
    trees.write_camera(folder, np.diag([0.58, 1.9, 1.0]) + np.array([[0, 0, 207.5], [0, 0, 63.5], [0, 0, 0]]))
    assert_only(look_at_folder(folder), "error", "cameras", "0.58", "in pixels", beside=("motion",))


def test_a_principal_point_far_from_the_middle(folder, K):
    off = K.copy()
    off[1, 2] = 0.18 * trees.SIZE[0]
    trees.write_camera(folder, off)
    assert_only(look_at_folder(folder), "warning", "cameras", "principal point", "416x128")


def test_pixels_that_are_not_square(folder, K):
    trees.write_camera(
        folder, np.diag([1.0, 2.0, 1.0]) @ K - np.array([[0, 0, 0], [0, 0, K[1, 2]], [0, 0, 0]])
    )
    assert_only(look_at_folder(folder), "warning", "cameras", "not square")


def test_a_time_that_jumps(folder):
    times = [number / 10 + 0.4 * (number > 6) for number in range(trees.FRAMES)]
    (folder / "scene/timestamps.txt").write_text("".join(f"{time:.3f}\n" for time in times))
    assert_only(look_at_folder(folder), "warning", "times", "0007.png", "up to 0.5 s")


def test_times_in_milliseconds(folder):
    (folder / "scene/timestamps.txt").write_text(
        "".join(f"{100 * number}\n" for number in range(trees.FRAMES))
    )
    (folder / "scene/speed.csv").unlink()
    assert_only(look_at_folder(folder), "warning", "times", "0.01 frames a second", "seconds")


def test_images_that_would_be_squeezed(folder):
    assert_only(
        look_at_folder(folder, height=320),
        "warning",
        "image size",
        "drawn out 2.5 times",
        "--data.height 128",
    )


def test_images_that_are_small_and_would_be_squeezed_get_one_advice(folder):
    report = look_at_folder(folder, height=320, width=448)
    wrong = [found.fix for name, found in report.findings if name == "image size"]
    assert wrong == ["give --data.height 128 --data.width 416"] * 2


# Motion


@pytest.mark.parametrize("step", [1.008, 1.003])
def test_steps_that_are_too_small(folder, step):
    first = np.asarray(Image.open(trees.images_of(folder)[0]))
    trees.change(folder, lambda _, number: trees.nearer(first, step**number))
    (folder / "scene/speed.csv").unlink()
    report = look_at_folder(folder)
    assert_only(report, "warning", "motion", "median parallax")
    stride = int(report.of("warning")[0].fix.rpartition(",")[2].rstrip("]"))
    assert stride > 2
    assert stride <= (trees.FRAMES - 1) // 2
    further = look_at_folder(folder, video=[-stride, stride])
    assert not [found for name, found in further.findings if name == "motion" and "further" in found.fix]


def test_a_camera_that_stands_still_at_times(folder):
    files = trees.images_of(folder)
    third = np.asarray(Image.open(files[3]))
    trees.change(folder, lambda _, number: trees.with_noise(third, number), range(3, 8))
    report = look_at_folder(folder)
    assert_only(report, "warning", "motion", "stands still", "0004.png", "min_parallax", beside=("speeds",))


def test_a_camera_that_never_moves(folder):
    first = np.asarray(Image.open(trees.images_of(folder)[0]))
    trees.change(folder, lambda _, number: trees.with_noise(first, number))
    (folder / "scene/speed.csv").unlink()
    assert_only(look_at_folder(folder), "error", "motion", "stands still in 100%")


def test_a_camera_that_only_turns(folder, K):
    first = np.asarray(Image.open(trees.images_of(folder)[0]))
    trees.change(folder, lambda _, number: trees.turned(first, K, 0.8 * number))
    (folder / "scene/speed.csv").unlink()
    assert_only(look_at_folder(folder), "error", "motion", "turns more than it moves")


def test_frames_that_come_twice(folder):
    files = trees.images_of(folder)
    shutil.copy(files[5], files[6])
    report = look_at_folder(folder)
    assert_only(report, "warning", "copies", "1 of 11 frames", "0006.png", beside=("motion", "speeds"))


def test_a_cut(folder, K):
    trees.change(folder, lambda image, _: image[::-1, ::-1], range(6, trees.FRAMES))
    assert_only(look_at_folder(folder), "warning", "continuity", "1 of 11", "0006.png")


def test_a_jump_of_the_exposure(folder):
    trees.change(folder, lambda image, _: image * 0.5, range(6, trees.FRAMES))
    assert_only(look_at_folder(folder), "warning", "exposure", "1 of 11 steps", "0006.png")


def test_dark_frames(folder):
    trees.change(folder, lambda image, _: image * 0.02, [5, 6])
    assert_only(look_at_folder(folder), "warning", "exposure", "next to nothing", "0005.png")


# Speeds


def test_a_gap_in_the_speeds(folder):
    trees.write_speeds(folder / "scene", end=1.01)
    assert_only(look_at_folder(folder), "warning", "speeds", "1 of 11 steps is not known", "0011.png")


def test_speeds_in_kilometres_per_hour(folder):
    trees.write_speeds(folder / "scene", speed=36.0)
    trees.write_poses(folder / "scene", metres=1.0)
    assert_only(look_at_folder(folder), "warning", "speeds", "3.60 times", "km/h")


def test_speeds_on_another_clock(folder):
    trees.write_speeds(folder / "scene", speed=0.0)
    assert_only(look_at_folder(folder), "warning", "speeds", "stands by its speed", "one clock")


def test_poses_out_of_order(folder):
    trees.write_poses(folder / "scene", metres=30.0)
    (folder / "scene/speed.csv").unlink()
    assert_only(look_at_folder(folder), "warning", "speeds", "300 m/s")


# Pairs


def test_left_and_right_swapped(drive):
    trees.swap(*cameras_of(drive))
    assert_only(look_at_drive(drive), "error", "left and right", "swapped in 12 of 12", "exchange")


def test_one_image_for_both(pairs):
    shutil.rmtree(pairs / "right")
    shutil.copytree(pairs / "left", pairs / "right")
    assert_only(look_at_pairs(pairs), "error", "left and right", "one image in 5 of 5")


def test_images_that_have_nothing_in_common(pairs):
    trees.change(pairs / "right", lambda _, number: trees.blocks(number), range(trees.PAIRS))
    assert_only(look_at_pairs(pairs), "error", "left and right", "hardly a point in common")


def test_pairs_of_different_moments(pairs):
    files = trees.images_of(pairs / "right")
    images = [file.read_bytes() for file in files]
    for number, file in enumerate(files):
        file.write_bytes(images[(number + 2) % len(images)])
    report = look_at_pairs(pairs)
    assert "rows" in {name for name, found in report.findings if found.severity == "error"}, report.findings


def test_a_camera_that_is_rolled(pairs, K):
    trees.change(pairs / "right", lambda image, _: trees.turned(image, K, 1.5, axis=2), range(trees.PAIRS))
    assert_only(look_at_pairs(pairs), "error", "rows", "data rectify")


def test_principal_points_that_differ_unsaid(pairs):
    trees.change(pairs / "right", lambda image, _: np.roll(image, 6, axis=1), range(trees.PAIRS))
    assert_only(
        look_at_pairs(pairs), "error", "left and right", "beyond infinity", "doffs", beside=("depth range",)
    )


def test_one_camera_is_brighter(pairs):
    trees.change(pairs / "right", lambda image, _: image * 0.6, range(trees.PAIRS))
    assert_only(look_at_pairs(pairs), "warning", "left and right", "brighter")


def test_a_baseline_in_millimetres(pairs):
    trees.rewrite(pairs / "camera.yaml", "baseline: 0.54", "baseline: 540")
    report = look_at_pairs(pairs)
    assert_only(report, "warning", "rig", "540 m apart", "metres", beside=("depth range",))
    assert_only(report, "error", "depth range", "baseline", beside=("rig",))


def test_a_depth_range_that_does_not_reach(pairs):
    report = look_at_pairs(pairs, depth_range=DepthRange(0.1, 2.0))
    assert_only(report, "error", "depth range", "0.1 to 2 m", "--model.depth_net.max_depth")


def test_a_first_depth_far_from_the_truth(pairs):
    report = look_at_pairs(pairs, depth_range=DepthRange(0.1, 1000.0, first=800.0))
    assert_only(report, "warning", "depth range", "begins at 800 m", "--model.depth_net.first_depth")


# Any rig


def test_points_of_any_rig_lie_on_their_lines_at_their_depth():
    generator = np.random.default_rng(0)
    points = np.column_stack([generator.uniform(-2, 2, (50, 2)), generator.uniform(2, 20, 50)])
    K_left, K_right = (
        np.array([[400.0, 0, 200], [0, 410, 120], [0, 0, 1]]),
        np.array([[390.0, 0, 230], [0, 380, 90], [0, 0, 1]]),
    )
    T = np.eye(4)
    T[:3, :3] = trees.cv2.Rodrigues(np.array([0.05, -0.1, 0.3]))[0]
    T[:3, 3] = (-0.1, 0.3, 0.2)
    moved = points @ T[:3, :3].T + T[:3, 3]
    left, right = ((p @ k.T)[:, :2] / p[:, 2:] for p, k in ((points, K_left), (moved, K_right)))
    across, disparity, depth = along_epipolar_lines(left, right, K_left, K_right, T)
    assert np.abs(across).max() < 1e-9
    assert (disparity > 0).all()
    assert depth == pytest.approx(points[:, 2])


# The command


def test_the_command_prints_a_page_and_ends_with_three(pairs, tmp_path, capfd):
    (pairs / "left").rename(pairs / "aside")
    (pairs / "right").rename(pairs / "left")
    (pairs / "aside").rename(pairs / "right")
    size = [
        "--data.height",
        "128",
        "--data.width",
        "416",
        "--data.batch_size",
        "2",
        "--data.num_workers",
        "0",
    ]
    files = [f"--json={tmp_path / 'check.json'}", f"--html={tmp_path / 'check.html'}"]
    told = [
        "data",
        "check",
        "--config",
        "conf/data/kitti_stereo_2015.yaml",
        f"--data.root={pairs}",
        *size,
        *files,
    ]
    assert main(told) == 3
    out, err = capfd.readouterr()
    assert "ERROR    left and right are swapped" in out
    assert err.startswith("error: left and right are swapped")
    assert err.count("\n") == 1
    found = json.loads((tmp_path / "check.json").read_text())
    assert found["num_errors"] == 1
    assert [f["severity"] for f in found["findings"] if f["check"] == "left and right"] == ["error"]
    page = (tmp_path / "check.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 2
    assert "exchange the two folders" in page


def test_a_recipe_says_which_depths_its_network_knows(pairs, capfd):
    size = ["--data.height=128", "--data.width=416", "--data.batch_size=2"]
    files = ["--config=conf/method/monodepth2_stereo.yaml", "--config=conf/data/kitti_stereo_2015.yaml"]
    told = ["data", "check", *files, f"--data.root={pairs}", *size]
    assert main([*told, "--model.depth_net.max_depth=3", "--model.depth_net.first_depth=2"]) == 3
    assert "the network's depth is 0.1 to 3 m" in " ".join(capfd.readouterr().out.split())
    assert main(told) == 0


def test_a_layout_that_cannot_be_read_is_the_one_finding(tmp_path, capfd):
    assert (
        main(["data", "check", "--config=conf/data/kitti_raw.yaml", f"--data.root={tmp_path / 'none'}"]) == 3
    )
    out, err = capfd.readouterr()
    assert "data root is missing" in err
    assert "ERROR    data root is missing" in out


def test_a_slip_in_an_option_is_no_fault_of_the_data(pairs, capfd):
    assert main(["data", "check", "--config=conf/data/kitti_raw.yaml", "--data.heigth=3"]) == 2
    assert main(["data", "check", f"--data.root={pairs}"]) == 2
    assert "--config" in capfd.readouterr().err
