"""Photographs are the same bytes by whichever decoder, and refused alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from selfsup_depth.data import images
from selfsup_depth.data.images import ImageFile
from selfsup_depth.data.transforms import Framing
from selfsup_depth.errors import DataError

# Odd in both directions: the last blocks are cut.
SIZE = (61, 83)


def photograph(mode: str = "RGB") -> Image.Image:
    """Soft and fine structure in every channel."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    channels = [127 + 60 * np.sin(rows / (3 + k)) + 60 * np.cos(columns * (0.2 + 0.9 * k)) for k in range(3)]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8)).convert(mode)


@pytest.fixture
def by_opencv(monkeypatch) -> list[bool]:
    """Whether OpenCV gave an image, for each time that it was asked."""
    decode, asked = images._by_opencv, []

    def recording(path: Path, reduction: int) -> images.Pixels | None:
        decoded = decode(path, reduction)
        asked.append(decoded is not None)
        return decoded

    monkeypatch.setattr(images, "_by_opencv", recording)
    return asked


@pytest.mark.parametrize(
    "options",
    [
        {"subsampling": "4:4:4"},
        {"subsampling": "4:2:2"},
        {"subsampling": "4:2:0", "quality": 30},
        {"progressive": True},
        {"restart_marker_blocks": 3},
        {"icc_profile": b"none that is known", "comment": b"\xff\xd9"},
    ],
    ids=str,
)
def test_a_jpeg_is_the_same_by_either_decoder(tmp_path, options, by_opencv):
    photograph().save(tmp_path / "a.jpg", **options)
    image = ImageFile(tmp_path / "a.jpg")
    pixels = image.pixels(SIZE)
    assert by_opencv == [True]
    assert np.array_equal(pixels, np.asarray(image.read()))
    assert pixels.dtype == np.uint8
    assert pixels.flags.writeable


@pytest.mark.parametrize("name", ["L.jpg", "CMYK.jpg", "RGB.png", "P.png", "RGBA.png", "L.png", "RGB.bmp"])
def test_other_photographs_are_pillows(tmp_path, name, by_opencv):
    photograph(name.partition(".")[0]).save(tmp_path / name)
    image = ImageFile(tmp_path / name)
    assert np.array_equal(image.pixels(SIZE), np.asarray(image.read()))
    assert by_opencv == []


def refusal_of(image: ImageFile) -> str:
    with pytest.raises(DataError) as by_pillow:
        image.read()
    with pytest.raises(DataError) as caught:
        image.pixels(SIZE)
    assert str(caught.value) == str(by_pillow.value)
    return str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9, 0.999])
def test_a_jpeg_that_is_cut_off_is_refused(tmp_path, share):
    photograph().save(tmp_path / "a.jpg")
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: int(share * len(whole))])
    assert "a.jpg" in refusal_of(ImageFile(tmp_path / "a.jpg"))


def test_what_the_header_shows_is_refused(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    photograph().save(tmp_path / "turned.jpg", exif=exif)
    assert "turned" in refusal_of(ImageFile(tmp_path / "turned.jpg"))
    assert "missing" in refusal_of(ImageFile(tmp_path / "none.jpg"))
    photograph().save(tmp_path / "other.gif")
    (tmp_path / "other.gif").rename(tmp_path / "other.jpg")
    assert "not a" in refusal_of(ImageFile(tmp_path / "other.jpg"))


def test_damaged_blocks_are_the_same_by_either_decoder(tmp_path):
    photograph().save(tmp_path / "a.jpg", quality=95)
    whole = bytearray((tmp_path / "a.jpg").read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 40] = bytes(40)
    (tmp_path / "a.jpg").write_bytes(whole)
    image = ImageFile(tmp_path / "a.jpg")
    assert np.array_equal(image.pixels(SIZE), np.asarray(image.read()))


def spot(size: tuple[int, int], row: float, column: float) -> Image.Image:
    """A black photograph with one soft bright spot."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    values = 255 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * 9.0**2))
    return Image.fromarray(values.astype(np.uint8)).convert("RGB")


def centre(image: torch.Tensor) -> tuple[float, float]:
    """Row and column of the spot's centre of mass."""
    weights = image.double().sum(0)
    rows, columns = torch.meshgrid(*(torch.arange(n) for n in weights.shape), indexing="ij")
    return float((weights * rows).sum() / weights.sum()), float((weights * columns).sum() / weights.sum())


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(("to", "shape"), [((40, 55), (62, 83)), ((22, 30), (31, 42)), ((11, 15), (16, 21))])
def test_what_a_reduced_jpeg_shows_stands_where_the_whole_shows_it(tmp_path, to, shape, flip):
    """Neither side is a multiple of what it is divided by: the last pixels go beyond the image."""
    size = (123, 165)
    spot(size, 80.3, 101.6).save(tmp_path / "a.jpg", quality=95)
    image, framing = ImageFile(tmp_path / "a.jpg"), Framing(to, flip=flip)
    reduced = image.pixels(size, framing.reduction(size))
    assert reduced.shape == (*shape, 3)
    seen, whole = (framing.view(pixels, np.eye(3), size) for pixels in (reduced, image.pixels(size)))
    assert seen.image.shape == (3, *to)
    assert torch.equal(seen.K, whole.K)
    assert centre(seen.image) == pytest.approx(centre(whole.image), abs=0.05)
    assert (seen.image.int() - whole.image.int()).abs().max() < 12


def test_only_what_stays_large_enough_is_reduced(tmp_path):
    kitti = (375, 1242)
    sizes = [(192, 640), (128, 480), (128, 416), (64, 208), (32, 96)]
    assert [Framing(to).reduction(kitti) for to in sizes] == [1, 1, 2, 4, 8]
    assert Framing((128, 416), zoom=1.2).reduction(kitti) == 1
    photograph().save(tmp_path / "a.png")
    assert ImageFile(tmp_path / "a.png").pixels(SIZE, 2).shape == (*SIZE, 3)
    with pytest.raises(DataError, match="83x61, the camera's 41x30"):
        ImageFile(tmp_path / "a.png").pixels((30, 41), 2)


def test_red_stays_red_when_it_is_reduced(tmp_path):
    Image.new("RGB", (80, 60), (200, 100, 10)).save(tmp_path / "a.jpg", quality=95)
    for reduction in (1, 2, 4, 8):
        pixels = ImageFile(tmp_path / "a.jpg").pixels((60, 80), reduction)
        assert np.abs(pixels.astype(int) - (200, 100, 10)).max() <= 3


@pytest.mark.parametrize("size", [(160, 168), (161, 175)])
def test_every_size_is_reached_from_a_reduced_jpeg(tmp_path, size):
    """Rounding in what the sides are multiplied by must not cost a row."""
    Image.new("RGB", size[::-1]).save(tmp_path / "a.jpg")
    for height in range(5, 60):
        framing = Framing((height, height + 1))
        pixels = ImageFile(tmp_path / "a.jpg").pixels(size, framing.reduction(size))
        assert pixels.shape[0] < size[0]
        assert framing.view(pixels, np.eye(3), size).image.shape == (3, height, height + 1)
