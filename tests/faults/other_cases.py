"""Faults of calibrations, poses and sensors (32 to 44), configuration (50 to 54), checkpoints (55 to 60)
and runs (61 to 64)."""

from __future__ import annotations

import fcntl
import pickle
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import data_trees as trees
from faults import damages
from faults.workshop import Case, Make, Workshop, reseal, seal

CALIB = f"{trees.DAY}/calib_cam_to_cam.txt"
FOCAL, CX = f"{trees.FOCAL:.12e}", f"{trees.CX:.12e}"
NUM_FRAMES = 8


def with_calibration(old: str, new: str) -> Make:
    """Train with a calibration in which a text is replaced everywhere."""

    def make(shop: Workshop) -> list[str]:
        path = trees.kitti_raw(shop.root, NUM_FRAMES) / CALIB
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        return shop.train()

    return make


def with_baseline(metres: float) -> Make:
    def make(shop: Workshop) -> list[str]:
        trees.write(trees.kitti_raw(shop.root, NUM_FRAMES) / CALIB, trees.cam_to_cam(baseline=metres))
        return shop.train()

    return make


def with_poses(change: Callable[[list[str]], list[str]]) -> Make:
    def make(shop: Workshop) -> list[str]:
        path = trees.kitti_odometry(shop.root) / "poses/09.txt"
        path.write_text("\n".join(change(path.read_text().splitlines())))
        return shop.train(layout="data/kitti_odometry.yaml")

    return make


def with_drive(damage: Callable[[Path], object], method: str = "velocity") -> Make:
    """Train on a drive whose folder is damaged."""

    def make(shop: Workshop) -> list[str]:
        damage(trees.kitti_raw(shop.root, NUM_FRAMES) / trees.DRIVE)
        return shop.train(method=method)

    return make


def unknown_speed(drive: Path) -> None:
    trees.write_oxts(drive, 3, speed=float("nan"))


def without_oxts(drive: Path) -> None:
    for path in (drive / "oxts/data").iterdir():
        path.unlink()


def with_config(text: str) -> Make:
    def make(shop: Workshop) -> list[str]:
        trees.kitti_raw(shop.root, NUM_FRAMES)
        trees.write(shop.folder / "own.yaml", text)
        return shop.train("--config=own.yaml")

    return make


def with_options(*options: str) -> Make:
    def make(shop: Workshop) -> list[str]:
        trees.kitti_raw(shop.root, NUM_FRAMES)
        return shop.train(*options)

    return make


def pairs_without_baseline(shop: Workshop) -> list[str]:
    trees.write(trees.plain_pairs(shop.root) / "camera.yaml", f"focal: {trees.FOCAL}\n")
    return shop.train("--data.layout=StereoPairs")


def with_checkpoint(damage: Callable[[Path], object]) -> Make:
    """Predict with a checkpoint that is damaged."""

    def make(shop: Workshop) -> list[str]:
        file = shop.copy_of_trained() / "checkpoints/last.ckpt"
        damage(file)
        trees.save(trees.picture(0), shop.folder / "image.png")
        return ["predict", f"--checkpoint={file}", "--input=image.png", "--output=depth"]

    return make


def flip_a_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


class Payload:
    """Touches a file when it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("canary"),)


def pickle_payload(file: Path) -> None:
    file.write_bytes(pickle.dumps({"state_dict": Payload()}))
    seal(file)


def other_network(file: Path) -> None:
    reseal(file, lambda content: content["selfsup_depth"]["config"]["model"]["init_args"]["depth_net"]
           ["init_args"].update(width=0.25))  # fmt: skip


def other_config_on_resume(shop: Workshop) -> list[str]:
    return ["train", f"--resume={shop.copy_of_trained()}", "--data.batch_size=1"]


NAN_TERM = '''
from selfsup_depth.losses.base import LossTerm


class NanFromStep7(LossTerm):
    """Zero, and no number from the seventh step on."""

    steps = 0

    def forward(self, batch, estimates):
        self.steps += 1
        return estimates[0].inverse_depth.mean() * (0 if self.steps < 7 else float("nan"))
'''


def nan_at_step_7(shop: Workshop) -> list[str]:
    trees.kitti_raw(shop.root, NUM_FRAMES)
    trees.write(shop.folder / "term_of_fault_61.py", NAN_TERM)
    term = "--model.losses.faulty={class_path: term_of_fault_61.NanFromStep7, weight: 1.0}"
    return shop.train(term, "--trainer.max_steps=20")


def run_below_a_file(shop: Workshop) -> list[str]:
    trees.kitti_raw(shop.root, NUM_FRAMES)
    (shop.folder / "file").touch()
    return shop.train(f"--run={shop.folder}/file/run")


@contextmanager
def small_files_only(shop: Workshop) -> Iterator[None]:
    """No file may grow beyond 100 kB, which a checkpoint does: to its writer a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def held_by_another(shop: Workshop) -> Iterator[None]:
    trees.write(shop.folder / "run/run.lock", "process 12345 on elsewhere\n")
    with (shop.folder / "run/run.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


CASES = [
    Case("32", "calib missing", with_drive(lambda drive: (drive.parent / "calib_cam_to_cam.txt").unlink()), 3,
         "calib_cam_to_cam.txt"),
    Case("33", "calib malformed line", with_calibration("P_rect_02:", "P_rect_02"), 3, "cam_to_cam.txt:11"),
    Case("34", "zero focal", with_calibration(FOCAL, "0"), 3, r"not positive.*cam_to_cam.txt:\d+"),
    Case("35", "negative focal", with_calibration(FOCAL, "-50"), 3, r"not positive.*cam_to_cam.txt:\d+"),
    Case("36", "NaN focal", with_calibration(FOCAL, "nan"), 3, r"'nan' is not.*cam_to_cam.txt:\d+"),
    Case("37", "principal point outside the image", with_calibration(CX, "2.8e2"), 3,
         r"principal point.*60x40.*cam_to_cam.txt:\d+"),
    Case("38", "no baseline", with_baseline(0), 3, f"no baseline.*{trees.DRIVE}"),
    Case("38b", "baseline with the wrong sign", with_baseline(-0.5), 3, f"stands left.*{trees.DRIVE}"),
    Case("39", "pose of 11 numbers", with_poses(lambda lines: [*lines[:2], lines[2][:-19], *lines[3:]]), 3,
         "expected 12 numbers, found 11.*09.txt:3"),
    Case("40", "pose that is no rotation", with_poses(lambda lines: ["2" + lines[0][1:], *lines[1:]]), 3,
         "no rotation.*09.txt:1"),
    Case("41", "fewer poses than images", with_poses(lambda lines: lines[:3]), 3, "3 poses.*09.txt"),
    Case("42", "oxts NaN", with_drive(unknown_speed), 3, "speed of .* is not known, more than 1%.*/root"),
    Case("42w", "oxts NaN, speed not used", with_drive(unknown_speed, "monodepth2_stereo"), 0,
         "1 frames are not finite and left out, in .*oxts/data"),
    Case("43", "oxts missing", with_drive(without_oxts), 3, "no speed for model.losses.velocity.*/root"),
    Case("44", "velodyne of half a point",
         with_drive(lambda drive: damages.half_a_point(drive / "velodyne_points/data/0000000003.bin")), 3,
         "multiple of 16.*0000000003.bin"),
    Case("50", "unknown key", with_config("model: {losses: {smothness: {weight: 0}}}\n"), 2,
         "own.yaml:1.*did you mean smoothness"),
    Case("51", "wrong type", with_config("data:\n  batch_size: many\n"), 2, "many.*own.yaml:2.*int"),
    Case("52", "duplicate key", with_config("seed: 1\nseed: 2\n"), 2, "seed is set twice.*own.yaml:2"),
    Case("53", "YAML tag", with_config("seed: !!python/object/apply:os.getpid []\n"), 2, "own.yaml:1"),
    Case("54", "stereo without baseline", pairs_without_baseline, 2, "baseline.*not known.*/root"),
    Case("54b", "nothing to learn from", with_options("--data.stereo=false", "--data.video=[]"), 2, "--data"),
    Case("55", "checkpoint missing", with_checkpoint(Path.unlink), 4, "last.ckpt"),
    Case("56", "checkpoint truncated", with_checkpoint(damages.truncate), 4, "cut off.*last.ckpt"),
    Case("57", "checkpoint with a flipped byte", with_checkpoint(flip_a_byte), 4, "damaged.*last.ckpt"),
    Case("58", "checkpoint with a pickle payload", with_checkpoint(pickle_payload), 4,
         "more than tensors and plain values.*last.ckpt"),
    Case("59", "checkpoint of another network", with_checkpoint(other_network), 4,
         r"\d+ of \d+ tensors fit.*last.ckpt"),
    Case("60", "configuration differs on resume", other_config_on_resume, 4, "data.batch_size"),
    Case("61", "NaN from step 7 on", nan_at_step_7, 5, "nonfinite_steps.jsonl", begun=True),
    Case("62", "disk full while saving", with_options(), 6, "checkpoint not saved.*last.ckpt", begun=True,
         around=small_files_only),
    Case("63", "run directory not writable", run_below_a_file, 6, "/file/run"),
    Case("64", "second run in the same directory", with_options(), 7, "process 12345 on elsewhere.*/run",
         around=held_by_another),
]  # fmt: skip
