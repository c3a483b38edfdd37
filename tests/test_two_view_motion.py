"""Motion between two photographs: rendered rooms with known answers, refusals, the cache, KITTI."""

from __future__ import annotations

import logging
import os
from itertools import pairwise

import cv2
import numpy as np
import pytest
from scenes import shared

from selfsup_depth.data import two_view_motion as module
from selfsup_depth.data.images import ImageFile
from selfsup_depth.data.two_view_geometry import (
    MotionSettings,
    Outcome,
    follow_corners,
    rotation_residual,
    two_view_motion,
)
from selfsup_depth.data.two_view_motion import ImagePair, pair_motions
from selfsup_depth.errors import DataError

K = np.array([[300.0, 0, 199.5], [0, 310.0, 119.5], [0, 0, 1]])
HEIGHT, WIDTH = 240, 400
SETTINGS = MotionSettings()

# The planes n . X = d of a room, metres, and two directions along each: floor, back, left, right.
ROOM = [
    ((0, 1, 0), 1.5, (1, 0, 0), (0, 0, 1)),
    ((0.1, 0, 1), 9.0, (1, 0, 0), (0, 1, 0)),
    ((-1, 0, 0), 3.0, (0, 1, 0), (0, 0, 1)),
    ((1, 0, 0), 4.0, (0, 0, 1), (0, 1, 0)),
]


def make_texture() -> np.ndarray:
    """Smooth noise that continues at its borders."""
    noise = np.random.default_rng(0).uniform(0, 255, (512, 512)).astype(np.float32)
    smooth = cv2.GaussianBlur(np.tile(noise, (3, 3)), (0, 0), 2.0)[512:1024, 512:1024]
    return cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX)


TEXTURE = make_texture()


def render(T_first_to_camera: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Photograph of the room and its depth, by intersecting every pixel's ray with the planes."""
    T = np.linalg.inv(T_first_to_camera)
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    rays = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(K).T @ T[:3, :3].T
    depth, image = np.full((HEIGHT, WIDTH), np.inf), np.zeros((HEIGHT, WIDTH), np.float32)
    for normal, offset, right, down in ROOM:
        slope = rays @ normal
        z = (offset - T[:3, 3] @ normal) / np.where(abs(slope) < 1e-9, 1e-9, slope)
        X = T[:3, 3] + rays * z[..., None]
        x, y = (((X @ axis) * 60 % 512).astype(np.float32) for axis in (right, down))
        seen = (z > 0) & (z < depth)
        depth[seen] = z[seen]
        image[seen] = cv2.remap(TEXTURE, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)[seen]
    return image.round().clip(0, 255).astype(np.uint8), depth


def motion(rotation_degrees: tuple[float, float, float], t: tuple[float, float, float]) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3] = cv2.Rodrigues(np.radians(rotation_degrees))[0]
    T[:3, 3] = t
    return T


def degrees_between(R: np.ndarray, R_true: np.ndarray) -> float:
    return float(np.degrees(np.linalg.norm(cv2.Rodrigues(R @ R_true.T)[0])))


def degrees_apart(t: np.ndarray, t_true: np.ndarray) -> float:
    cosine = t @ t_true / np.linalg.norm(t) / np.linalg.norm(t_true)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


@pytest.fixture(scope="module")
def first() -> tuple[np.ndarray, np.ndarray]:
    return render(np.eye(4))


MOTIONS = {
    "forward": motion((0, 0, 0), (0, 0, -0.5)),
    "backward": motion((0, 0, 0), (0.02, 0, 0.4)),
    "sideways": motion((0, 0.5, 0), (0.4, 0, 0)),
    "all six": motion((1.0, -2.0, 0.7), (-0.2, 0.1, -0.4)),
}


@pytest.mark.parametrize("name", MOTIONS)
def test_a_rendered_motion_is_found(first, name):
    T_true = MOTIONS[name]
    image, depth = first
    T, outcome = two_view_motion(image, render(T_true)[0], K, SETTINGS)
    assert outcome is Outcome.MOTION
    assert degrees_between(T[:3, :3], T_true[:3, :3]) < 0.15
    assert degrees_apart(T[:3, 3], T_true[:3, 3]) < 1.5
    corners, _ = follow_corners(image, render(T_true)[0], SETTINGS)
    u, v = corners.round().astype(int).T
    expected = np.linalg.norm(T_true[:3, 3]) / np.median(depth[v, u])
    assert np.linalg.norm(T[:3, 3]) == pytest.approx(expected, rel=0.05)
    np.testing.assert_allclose(T[3], [0, 0, 0, 1])


def test_intrinsics_may_be_a_slice_of_a_projection_matrix(first):
    """OpenCV reads the wrong numbers from an array with gaps."""
    P = np.hstack([K, np.ones((3, 1))])
    second = render(MOTIONS["forward"])[0]
    T = two_view_motion(first[0], second, P[:, :3], SETTINGS).T
    np.testing.assert_array_equal(T, two_view_motion(first[0], second, K, SETTINGS).T)


def test_what_moves_by_itself_does_not_turn_the_camera(first):
    """A quarter of the image slides sideways, as a car would."""
    T_true = MOTIONS["forward"]
    second = render(T_true)[0]
    second[60:180, 150:290] = first[0][60:180, 143:283]
    T, _ = two_view_motion(first[0], second, K, SETTINGS)
    assert degrees_between(T[:3, :3], T_true[:3, :3]) < 0.15
    assert degrees_apart(T[:3, 3], T_true[:3, 3]) < 2


@pytest.mark.parametrize("turn", [(0.0, 0.0, 0.0), (0.0, 2.0, 0.0), (1.0, -3.0, 2.0)])
def test_a_camera_that_only_turns_has_no_direction(first, turn):
    T, outcome = two_view_motion(first[0], render(motion(turn, (0, 0, 0)))[0], K, SETTINGS)
    assert outcome is Outcome.LITTLE_PARALLAX
    assert np.isnan(T).all()
    assert T.shape == (4, 4)


def test_rotation_residual_is_the_parallax_of_far_and_near_points():
    """None under a rotation, and none for most points when the others move."""
    points = np.random.default_rng(1).uniform((0, 0), (WIDTH, HEIGHT), (200, 2))
    R = motion((1, -2, 3), (0, 0, 0))[:3, :3]
    turned = np.column_stack([points, np.ones(200)]) @ (K @ R @ np.linalg.inv(K)).T
    turned = turned[:, :2] / turned[:, 2:]
    assert rotation_residual(points, turned, K) < 1e-6
    turned[:90] += np.random.default_rng(2).uniform(-9, 9, (90, 2))
    assert rotation_residual(points, turned, K) < 0.1


def test_images_that_hold_nothing_to_follow(first):
    blank = np.full((HEIGHT, WIDTH), 128, np.uint8)
    noise = np.random.default_rng(3).integers(0, 255, (HEIGHT, WIDTH), np.uint8)
    for pair in ((blank, blank), (first[0], blank), (blank, first[0]), (first[0], noise)):
        T, outcome = two_view_motion(*pair, K, SETTINGS)
        assert outcome is Outcome.FEW_MATCHES
        assert np.isnan(T).all()


def test_points_that_agree_on_no_motion(first):
    """Every patch of the image goes its own way."""
    generator, second = np.random.default_rng(4), first[0].copy()
    wider = np.pad(first[0], 9, mode="reflect")
    for top in range(0, HEIGHT, 40):
        for left in range(0, WIDTH, 40):
            y, x = np.array((top, left)) + generator.integers(0, 19, 2)
            second[top : top + 40, left : left + 40] = wider[y : y + 40, x : x + 40]
    T, outcome = two_view_motion(first[0], second, K, SETTINGS)
    assert outcome is Outcome.FEW_INLIERS
    assert np.isnan(T).all()


@pytest.fixture
def pairs(tmp_path, first) -> list[ImagePair]:
    """Three frames of a forward drive, a stop: a list with all kinds of file types."""
    images = [first[0], *(render(motion((0, 0, 0), (0, 0, z)))[0] for z in (-0.5, -1.0))]
    files = [tmp_path / name for name in ("0.png", "1.bmp", "2.png", "3.png")]
    for file, image in zip(files, [*images, images[-1]], strict=True):
        cv2.imwrite(str(file), image)
    return [ImagePair(a, b, K) for a, b in pairwise(map(ImageFile, files))]


def forbid_computing(monkeypatch):
    def computed(*_):
        raise AssertionError("computed again")

    monkeypatch.setattr(module, "two_view_motion", computed)


def test_pairs_keep_their_order_and_are_counted(pairs):
    motions = pair_motions([pairs[2], pairs[0], pairs[1], pairs[0]], progress=False)
    assert np.isnan(motions.T[0]).all()
    assert np.isfinite(motions.T[1:]).all()
    np.testing.assert_array_equal(motions.T[1], motions.T[3])
    assert motions.report() == (
        "4 pairs: 3 with motion, 1 too little parallax, 0 too few inliers, 0 too few matches"
    )
    assert pair_motions([], progress=False).T.shape == (0, 4, 4)


def test_results_repeat_to_the_last_bit(pairs):
    once = pair_motions(pairs, progress=False).T
    cv2.setRNGSeed(7)
    np.testing.assert_array_equal(pair_motions(pairs, progress=False).T, once)
    one_thread = [
        two_view_motion(cv2.imread(str(p.first.path), 0), cv2.imread(str(p.second.path), 0), K, SETTINGS).T
        for p in pairs
    ]
    np.testing.assert_array_equal(one_thread, once)


def test_the_cache_spares_the_computation(pairs, tmp_path, monkeypatch):
    cache = tmp_path / "new" / "motions.npz"
    part = pair_motions(pairs[:1], cache, progress=False)
    whole = pair_motions(pairs, cache, progress=False)
    np.testing.assert_array_equal(part.T[0], whole.T[0])
    assert [file.name for file in cache.parent.iterdir()] == ["motions.npz"]
    forbid_computing(monkeypatch)
    again = pair_motions(pairs[::-1], cache, progress=False)
    np.testing.assert_array_equal(again.T[::-1], whole.T)
    assert again.report() == whole.report()


@pytest.mark.parametrize("change", ["file", "K", "settings", "second"])
def test_the_cache_is_not_believed_when_something_changed(pairs, tmp_path, monkeypatch, change):
    cache, pair, settings = tmp_path / "motions.npz", pairs[0], SETTINGS
    pair_motions([pair], cache, progress=False)
    if change == "file":
        os.utime(pair.first.path, (1, 1))
    elif change == "K":
        pair = ImagePair(pair.first, pair.second, K + np.diag([1, 0, 0]))
    elif change == "settings":
        settings = MotionSettings(ransac=1.0)
    else:
        pair = ImagePair(pair.first, pairs[1].second, K)
    forbid_computing(monkeypatch)
    with pytest.raises(AssertionError, match="computed again"):
        pair_motions([pair], cache, settings, progress=False)


@pytest.mark.parametrize("damage", ["empty", "cut", "bits", "text", "other arrays"])
def test_a_damaged_cache_is_computed_again(pairs, tmp_path, caplog, damage):
    cache = tmp_path / "motions.npz"
    whole = pair_motions(pairs, cache, progress=False)
    content = cache.read_bytes()
    if damage == "other arrays":
        np.savez(cache, keys=np.array(["a"]), T=np.zeros((1, 3, 4)), outcomes=np.zeros(1, np.uint8))
    else:
        middle = len(content) // 2
        flipped = (
            content[:middle] + bytes(255 - b for b in content[middle : middle + 8]) + content[middle + 8 :]
        )
        cache.write_bytes({"empty": b"", "cut": content[:-40], "bits": flipped, "text": b"hello"}[damage])
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(pair_motions(pairs, cache, progress=False).T, whole.T)
    assert str(cache) in caplog.text
    assert len(caplog.text.splitlines()) == 1
    caplog.clear()
    pair_motions(pairs, cache, progress=False)
    assert not caplog.text


def test_a_cache_that_cannot_be_written_costs_no_result(pairs, tmp_path, caplog):
    (tmp_path / "file").write_text("not a folder")
    motions = pair_motions(pairs[:1], tmp_path / "file" / "motions.npz", progress=False)
    assert np.isfinite(motions.T).all()
    assert "cannot be kept" in caplog.text


def test_what_was_computed_before_a_refusal_is_kept(pairs, tmp_path, monkeypatch):
    cache = tmp_path / "motions.npz"
    pairs[2].second.path.write_bytes(b"no image")
    with pytest.raises(DataError, match=r"not a .* image, in .*3\.png; "):
        pair_motions(pairs, cache, progress=False)
    forbid_computing(monkeypatch)
    assert np.isfinite(pair_motions(pairs[:2], cache, progress=False).T).all()


def test_a_missing_image_is_refused(pairs):
    pairs[0].first.path.unlink()
    with pytest.raises(DataError, match=r"image cannot be opened, in .*0\.png; restore the file"):
        pair_motions(pairs, progress=False)


def test_images_of_different_size_are_refused(pairs, first):
    cv2.imwrite(str(pairs[0].second), first[0][:-1])
    with pytest.raises(DataError, match=r"different sizes \(400x240 and 400x239\), in .*1\.bmp"):
        pair_motions(pairs[:1], progress=False)


@pytest.fixture(scope="module")
def kitti_odometry() -> tuple[list[ImagePair], np.ndarray]:
    root = shared("data/kitti_odometry_06")
    P0 = np.array((root / "sequences/06/calib.txt").read_text().split()[1:13], float).reshape(3, 4)
    poses = np.tile(np.eye(4), (51, 1, 1))
    poses[:, :3] = np.loadtxt(root / "poses/06.txt").reshape(-1, 3, 4)
    files = sorted((root / "sequences/06/image_0").glob("*.png"))
    T_true = np.linalg.inv(poses[1:]) @ poses[:-1]
    return [ImagePair(a, b, P0[:, :3]) for a, b in pairwise(map(ImageFile, files))], T_true


def test_kitti_odometry_agrees_with_its_poses(kitti_odometry):
    """Measured: rotation 0.025 degrees, direction 0.33 degrees, in the median."""
    pairs, T_true = kitti_odometry
    pairs, T_true = pairs[::4], T_true[::4]
    motions = pair_motions(pairs, progress=False)
    assert motions.report().startswith("13 pairs: 13 with motion")
    both = list(zip(motions.T, T_true, strict=True))
    assert np.median([degrees_between(T[:3, :3], G[:3, :3]) for T, G in both]) < 0.05
    assert np.median([degrees_apart(T[:3, 3], G[:3, 3]) for T, G in both]) < 0.6
    metres = [np.linalg.norm(G[:3, 3]) / np.linalg.norm(T[:3, 3]) for T, G in both]
    assert min(metres) > 15
    assert max(metres) < 35


def test_kitti_raw_drives_straight_ahead():
    """Measured on all 84 pairs: median depth 35 |t|, mean direction (0.01, -0.01, -1.00)."""
    drive = shared("data/kitti_raw_0013/2011_09_26/2011_09_26_drive_0013_sync/image_02/data")
    camera = np.array([[721.5377, 0, 609.5593], [0, 721.5377, 172.854], [0, 0, 1]])
    files = [ImageFile(path) for path in sorted(drive.iterdir())]
    motions = pair_motions(
        [ImagePair(a, b, camera) for a, b in zip(files[::7], files[1::7], strict=False)], progress=False
    )
    assert set(motions.outcomes) == {Outcome.MOTION}
    length = np.linalg.norm(motions.T[:, :3, 3], axis=1)
    assert 25 < np.median(1 / length) < 45
    np.testing.assert_allclose((motions.T[:, :3, 3] / length[:, None]).mean(0), [0, 0, -1], atol=0.03)
