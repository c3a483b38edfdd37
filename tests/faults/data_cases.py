"""Faults of folders, images and frame lists: 1 to 31, and 49."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import data_trees as trees
import numpy as np
from faults import damages
from faults.workshop import Case, Make, Workshop
from PIL import Image

Damage = Callable[[Path], None]
NUM_FRAMES, NUM_MANY = 8, 110
DAMAGED = 5


def image(root: Path, suffix: str = "png", side: str = "l", index: int = DAMAGED) -> Path:
    folder = {"l": "image_02", "r": "image_03"}[side]
    return root / trees.DRIVE / folder / "data" / f"{index:010d}.{suffix}"


def with_image(damage: Damage, suffix: str = "png", side: str = "l", num_frames: int = NUM_FRAMES) -> Make:
    """Train on a drive of which one image is damaged."""

    def make(shop: Workshop) -> list[str]:
        trees.kitti_raw(shop.root, num_frames, suffix=suffix, oxts=False, scans=False)
        damage(image(shop.root, suffix, side))
        many = num_frames == NUM_MANY
        return shop.train(*["--on-bad-data=skip"] * many, f"--trainer.max_steps={1 if many else 4}")

    return make


def with_list(content: str | bytes, *options: str, damage: Damage | None = None, side: str = "l") -> Make:
    """Train on the frames of a list."""

    def make(shop: Workshop) -> list[str]:
        root = trees.kitti_raw(shop.root, NUM_MANY if "skip" in str(options) else NUM_FRAMES, scans=False)
        if damage:
            damage(image(root, side=side))
        path = root / "lists" / "train.txt"
        trees.write(path, "")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        method = "monodepth2_mono" if "video" in str(options) else "monodepth2_stereo"
        return shop.train("--data.split=lists", *options, method=method)

    return make


def lines(*indices: int) -> str:
    return "".join(f"{trees.DRIVE} {index} l\n" for index in indices)


def at_root(place: str, make_it: Callable[[Path], object] = lambda path: None) -> Make:
    """Train with a data root that is none."""

    def make(shop: Workshop) -> list[str]:
        trees.kitti_raw(shop.root, NUM_FRAMES)
        make_it(shop.folder / place)
        return shop.train(f"--data.root={shop.folder / place}")

    return make


def two_formats(shop: Workshop) -> list[str]:
    trees.kitti_raw(shop.root, NUM_FRAMES)
    trees.kitti_raw(shop.root, NUM_FRAMES, suffix="jpg")
    return shop.train()


def depth_of_eight_bits(shop: Workshop, num_frames: int = NUM_FRAMES, *options: str) -> list[str]:
    root = trees.kitti_raw(shop.root, num_frames, scans=False)
    maps = root / trees.DRIVE / "proj_depth/groundtruth/image_02"
    for index in range(num_frames):
        trees.save(Image.fromarray(np.full(trees.SIZE, 256 * 8, np.uint16)), maps / f"{index:010d}.png")
    trees.picture(0).convert("L").save(maps / f"{DAMAGED:010d}.png")
    return shop.train(*options)


def overlap(shop: Workshop) -> list[str]:
    root = trees.kitti_raw(shop.root, NUM_FRAMES)
    trees.write(root / "lists/train.txt", lines(1, 2, 3, 4))
    trees.write(root / "lists/test.txt", lines(4, 5))
    return shop.train("--data.split=lists")


FILE = f"{DAMAGED:010d}"
VIDEO = ("--data.video=[-1,1]", "--data.stereo=false")
RIGHT = "frame 5 is not in .*image_03/data, in .*train.txt:6"
# Number, fault, damage, suffix, what must be named.
IMAGES = [
    ("10", "truncated PNG", damages.truncate, "png", "truncated.*" + FILE),
    ("11", "truncated JPEG", damages.truncate, "jpg", "truncated.*" + FILE),
    ("12", "zero-byte image", damages.empty, "png", FILE),
    ("13", "HTML saved as .png", damages.web_page, "png", f"{FILE}.png; download it again"),
    ("14", "image of another size in a sequence", damages.other_size, "png", "30x20.*60x40.*" + FILE),
    ("15", "1x1 image", damages.one_pixel, "png", "1x1.*60x40.*" + FILE),
    ("16", "header of 400 megapixels", damages.claim_400_megapixels, "png", "64 megapixels.*" + FILE),
    ("17", "bomb of 144 megapixels", damages.bomb_of_144_megapixels, "png", "64 megapixels.*" + FILE),
    ("18", "16-bit image where 8-bit is due", damages.sixteen_bits, "png", "not 8-bit.*" + FILE),
    ("20", "EXIF-rotated image", damages.turn, "jpg", "turned.*" + FILE),
    ("21", "unreadable file", damages.forbid, "png", "Permission denied.*" + FILE),
    ("22", "dangling symlink", damages.dangle, "png", "nowhere.png.*" + FILE),
    ("23", "symlink loop", damages.loop, "png", "link to.*" + FILE),
    ("24", "symlink outside root", damages.lead_out, "png", "outside.png.*" + FILE),
]
DECODED = {"10", "11"}  # what no header shows is met in training
# Root reads what it may not, unless it gives that right up.
PREFIX = {"21": ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if not os.geteuid() else ()}

CASES = [
    Case("1", "root missing", at_root("none"), 3, "missing, in .*/none"),
    Case("2", "root empty", at_root("none", Path.mkdir), 3, "does not hold .* in .*/none"),
    Case("3", "root is a file", at_root("file", Path.touch), 3, "not a folder, in .*/file"),
    Case("4", "the same frames as png and jpg", two_formats, 3, r"\.jpg and \d+\.png are one.*keep one"),
    Case("5", "wrong KITTI level", at_root(f"root/{trees.DAY}"), 3, "did you mean --data.root .*/root"),
    Case("6", "image missing in the middle", with_list(lines(*range(8)), damage=damages.remove), 3,
         "frame 5 is not in .*train.txt:6"),
    Case("7", "neighbour missing at the start", with_list(lines(0, 1, 2, 3), *VIDEO), 3,
         "frame -1 is not in .*train.txt:1"),
    Case("8", "neighbour missing at the end", with_list(lines(1, 2, 6, 7), *VIDEO), 3,
         "frame 8 is not in .*train.txt:4"),
    Case("9", "right stereo image missing", with_list(lines(*range(8)), damage=damages.remove, side="r"), 3,
         RIGHT),
    *(Case(number, fault, with_image(damage, suffix), 3, told, number in DECODED,
           prefix=PREFIX.get(number, ()))
      for number, fault, damage, suffix, told in IMAGES),
    Case("19", "8-bit PNG as depth", depth_of_eight_bits, 3, "16-bit PNG.*" + FILE),
    Case("25", "split empty", with_list(""), 3, "empty, in .*train.txt"),
    Case("26", "split with an absolute path", with_list(lines(1) + "/etc 5 l\n"), 3, "leaves.*train.txt:2"),
    Case("27", "split with ..", with_list(lines(1) + "../../etc 5 l\n"), 3, "leaves.*train.txt:2"),
    Case("28", "split with a bad field", with_list(lines(1) + f"{trees.DRIVE} x l\n"), 3,
         "folder frame side.*train.txt:2"),
    Case("29", "split not UTF-8", with_list(b"\xff\xfe\x00f"), 3, "UTF-8.*train.txt"),
    Case("30", "split with duplicates", with_list(lines(1, 2, 2, 3)), 0, "more than once.*train.txt"),
    Case("31", "train and test overlap", overlap, 0, "1 frames are both trained on.*test.txt"),
    Case("49", "split leaves less than a batch", with_list(lines(3)), 3, "1 examples do not fill a batch"),
]  # fmt: skip

SKIP = "--on-bad-data=skip"
ONE_BAD = rf"1 of {NUM_MANY} are bad and left out, the first because .*"
SKIPPED = [
    Case("6s", "image missing, skipped", with_list(lines(*range(110)), SKIP, damage=damages.remove), 0,
         ONE_BAD + "train.txt:6"),
    Case("7s", "neighbour at the start missing, skipped", with_list(lines(*range(109)), *VIDEO, SKIP), 0,
         "1 of 109 are bad.*train.txt:1"),
    Case("8s", "neighbour at the end missing, skipped", with_list(lines(*range(1, 110)), *VIDEO, SKIP), 0,
         "1 of 109 are bad.*train.txt:109"),
    Case("9s", "right image missing, skipped",
         with_list(lines(*range(110)), SKIP, damage=damages.remove, side="r"), 0, ONE_BAD + "train.txt:6"),
    *(Case(f"{number}s", f"{fault}, skipped", with_image(damage, suffix, num_frames=NUM_MANY), 0,
           ONE_BAD + FILE, prefix=PREFIX.get(number, ()))
      for number, fault, damage, suffix, _ in IMAGES),
    Case("19s", "8-bit PNG as depth, skipped", lambda shop: depth_of_eight_bits(shop, NUM_MANY, SKIP), 0,
         ONE_BAD + FILE),
    Case("6t", "two frames of 112 missing, skipped", with_list(lines(*range(112)), SKIP), 3,
         "2 of 112 examples are bad, more than 1%"),
]  # fmt: skip
