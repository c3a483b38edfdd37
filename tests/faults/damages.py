"""Ways to damage one file."""

from __future__ import annotations

import shutil
import struct
import zlib
from pathlib import Path

import data_trees as trees
import numpy as np
from PIL import Image


def truncate(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def web_page(path: Path) -> None:
    path.write_text("<html><body>404 not found</body></html>")


def other_size(path: Path) -> None:
    trees.picture(0, (20, 30)).save(path)


def one_pixel(path: Path) -> None:
    trees.picture(0, (1, 1)).save(path)


def sixteen_bits(path: Path) -> None:
    Image.fromarray(np.full(trees.SIZE, 40000, np.uint16)).save(path)


def claim_400_megapixels(path: Path) -> None:
    write_png(path, (20000, 20000, 8, 2), b"\0")


def bomb_of_144_megapixels(path: Path) -> None:
    """A whole picture of 12000 x 12000 black pixels in 20 kB."""
    write_png(path, (12000, 12000, 1, 0), zlib.compress(bytes(12000 * 1501), 9))


def write_png(path: Path, header: tuple[int, int, int, int], pixels: bytes) -> None:
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", *header, 0, 0, 0)), (b"IDAT", pixels), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def turn(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(path) as picture:
        picture.copy().save(path, exif=exif)


def forbid(path: Path) -> None:
    path.chmod(0)


def dangle(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere.png")


def loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def lead_out(path: Path) -> None:
    """The file moves out of the data root, into the folder above it."""
    outside = path.parents[5] / "outside.png"
    shutil.move(path, outside)
    path.symlink_to(outside)


def remove(path: Path) -> None:
    path.unlink()


def half_a_point(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8])
