"""`data measured`: what is counted, what is named as missing, and that a file gives back what was read."""

from __future__ import annotations

import json
import shutil

import data_trees
import numpy as np
import pytest
from PIL import Image

from selfsup_depth.cli import main
from selfsup_depth.data.kitti_raw import KittiRaw
from selfsup_depth.data.splits import read_split
from selfsup_depth.resources import find_resource

DAY = data_trees.DAY
LIST = "".join(f"{data_trees.DRIVE} {index} l\n" for index in (3, 0, 5))


def measured(root, *options):
    return main(["data", "measured", f"--root={root}", f"--split={root / 'lists'}", *map(str, options)])


@pytest.fixture
def root(drive, tmp_path):
    """A copy of the drive with a list of three of its frames, not in order."""
    root = shutil.copytree(drive, tmp_path / "data")
    data_trees.write(root / "lists" / "test.txt", LIST)
    return root


def annotate(root, *indices):
    depth = np.full(data_trees.SIZE, 5 * 256, np.uint16)
    for index in indices:
        folder = root / "train" / data_trees.DRIVE.split("/")[1] / "proj_depth" / "groundtruth" / "image_02"
        data_trees.save(Image.fromarray(depth), folder / f"{index:010d}.png")


def test_frames_are_counted_by_instrument_and_the_archive_of_the_others_is_named(root, capsys):
    assert measured(root) == 0
    assert "velodyne: 3 of 3 measured\nannotated: 0 of 3 measured; missing: data_depth_annotated.zip (3)" in (
        capsys.readouterr().out
    )
    annotate(root, 0, 5)
    assert measured(root, "--by=annotated") == 3
    shown = capsys.readouterr()
    assert "annotated: 2 of 3 measured; missing: data_depth_annotated.zip (1)" in shown.out
    assert shown.err == (
        f"error: 1 frames without annotated depth, in {root}; unpack data_depth_annotated.zip there "
        "(1 of them), or choose another --by\n"
    )


def test_a_drive_that_is_not_there_is_named_by_its_archive(root, capsys):
    other = f"{DAY}_drive_0002_sync"
    data_trees.write(root / "lists" / "test.txt", f"{LIST}{DAY}/{other} 1 l\n1999_01_01/x_sync 4 r\n")
    assert measured(root, "--output", root / "out") == 3
    shown = capsys.readouterr()
    assert f"velodyne: 3 of 5 measured; missing: {other}.zip (1), x_sync.zip (1)" in shown.out
    assert "2 frames without velodyne depth" in shown.err
    assert not (root / "out").exists()
    (root / DAY / "calib_velo_to_cam.txt").unlink()
    assert measured(root) == 3
    assert f"velodyne: 0 of 5 measured; missing: {DAY}_calib.zip (3), " in capsys.readouterr().out


def test_of_the_697_test_frames_652_can_be_annotated(tmp_path, capsys):
    eigen, benchmark = (
        read_split(find_resource("data_splits", name) / "test.txt") for name in ("eigen", "eigen_benchmark")
    )
    assert (len(eigen), len(benchmark)) == (697, 652)
    for line in benchmark:
        folder = tmp_path / line.folder / "proj_depth" / "groundtruth" / "image_02"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{line.frame:010d}.png").touch()
    command = ["data", "measured", f"--root={tmp_path}", "--split=eigen", "--by=annotated"]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "eigen test: 697 frames\nvelodyne: 0 of 697 measured; missing: " in shown
    assert "annotated: 652 of 697 measured, 45 have no map in any archive\n" in shown


@pytest.mark.parametrize("by", ["velodyne", "annotated"])
def test_what_is_written_is_what_was_measured_in_the_order_of_the_list(by, root, tmp_path, capsys):
    annotate(root, 3, 0, 5)
    out = tmp_path / "maps"
    assert measured(root, f"--by={by}", f"--output={out}") == 0
    names = sorted(file.name for file in out.iterdir())
    assert [int(name.split("_")[-2]) for name in names] == [3, 0, 5]
    (recording,) = KittiRaw(by, "velodyne_forward_x").recordings(root)
    for name in names:
        frame = recording.cameras["l"].frames[int(name.split("_")[-2])]
        with np.load(out / name, allow_pickle=False) as stored:
            np.testing.assert_array_equal(stored["depth"], frame.measured.read())
    # A stack of inverse depth in the order of the list is right against them.
    np.save(tmp_path / "stack.npy", np.full((3, 4, 6), 0.125 if by == "velodyne" else 0.2, np.float32))
    given = [f"--predictions={tmp_path / 'stack.npy'}", f"--measured={out}", "--protocol=metric"]
    assert main(["evaluate", "depth", *given, f"--json={tmp_path / 'out.json'}"]) == 0
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["num_images"] == 3
    assert result["metrics"]["abs_rel"] < 1e-6


def test_a_file_of_two_maps_is_no_map_of_a_folder(tmp_path, capsys):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        np.savez(tmp_path / folder / "x.npz", np.ones((4, 4)), np.ones((4, 4)))
    given = [f"--predictions={tmp_path / 'a'}", f"--measured={tmp_path / 'b'}", "--protocol=metric"]
    assert main(["evaluate", "depth", *given]) == 3
    assert "2 arrays, in " in capsys.readouterr().err
