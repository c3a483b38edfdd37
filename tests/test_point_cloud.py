"""Point clouds: pixels, points and pixels again; what flies is left out; K follows the image's size."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from known_network import SIZE, Brightness, expected, predict
from PIL import Image
from scenes import camera_matrix

from selfsup_depth.geometry.point_cloud import lies_on_surface, unproject
from selfsup_depth.geometry.projection import pixel_grid
from selfsup_depth.training.point_clouds import point_cloud
from selfsup_depth.training.prediction import Predictor

K = camera_matrix(90.0, 80.0, 70.3, 20.9)
VERTEX = np.dtype([("point", "<f4", 3), ("colour", "u1", 3)])


def read_ply(path):
    """Header lines and vertices, by other means than ours."""
    header, _, body = path.read_bytes().partition(b"end_header\n")
    return header.decode().splitlines(), np.frombuffer(body, VERTEX)


def project(points, K):
    u, v, w = K @ points.T.astype(np.float64)
    return np.stack([u / w, v / w], axis=1)


@pytest.fixture
def picture():
    """Red grows smoothly to the right, so depth has no edges; green and blue number the pixels."""
    rows, columns = np.mgrid[:50, :150].astype(np.uint8)
    return Image.fromarray(np.stack([columns, rows, columns], axis=-1))


def test_points_reproject_to_their_pixels():
    inverse_depth = torch.rand(1, 1, 50, 150, dtype=torch.float64) + 0.02
    points = unproject(inverse_depth, K)
    torch.testing.assert_close(points[:, 2:], 1 / inverse_depth)
    pixels = K @ points.flatten(2)
    torch.testing.assert_close((pixels / pixels[:, 2:]).reshape(3, 50, 150), pixel_grid(inverse_depth))


def test_a_slanted_plane_stays_and_a_blurred_edge_between_two_walls_goes():
    row, column = torch.meshgrid(torch.arange(60.0), torch.arange(90.0), indexing="ij")
    ground = (0.002 * row + 1e-4 * column + 1e-3)[None, None]
    assert lies_on_surface(ground, (6, 6)).all()
    share = ((column - 40) / 8).clamp(0, 1)
    for inverse_depth in ((1 - share) / 10 + share / 40, (1 - share) / 40 + share / 10):
        kept = lies_on_surface(inverse_depth[None, None], (6, 6))
        inverse = inverse_depth[None, None]
        beside = ((inverse / 0.1 - 1).abs() < 0.1) | ((inverse / 0.025 - 1).abs() < 0.1)
        assert not kept[~beside].any()
        assert kept[(share[None, None] == 0) | (share[None, None] == 1)].all()
        turned = lies_on_surface(inverse.mT, (6, 6)).mT
        torch.testing.assert_close(turned, kept)


def test_a_map_smaller_than_the_test_reaches_stays():
    assert lies_on_surface(torch.rand(1, 1, 3, 4), (6, 6)).all()


def test_the_sky_and_what_is_too_far_are_left_out(picture):
    predictor = Predictor(Brightness(), SIZE, "metric", depth_range=[1.0, 30.0])
    prediction = predictor.predict(picture, K=K[0].numpy())
    depths = point_cloud(prediction, picture, SIZE).points[:, 2]
    assert 25 < depths.max() < 29.7 < prediction.depth.max()
    assert point_cloud(prediction, picture, SIZE, max_depth=10).points[:, 2].max() <= 10


def test_no_point_of_a_cloud_flies_between_two_walls():
    pixels = np.full((50, 150, 3), 40, np.uint8)
    pixels[:, 70:] = 200
    walls = Image.fromarray(pixels)
    prediction = Predictor(Brightness(), SIZE, "metric").predict(walls, K=K[0].numpy())
    near, far = (1 / expected(walls)[25, column] for column in (149, 0))

    def flies(depth):
        return (depth > 1.1 * near) & (depth < 0.9 * far)

    assert flies(prediction.depth).any()  # the network's size is smaller: it blurs the edge
    depths = point_cloud(prediction, walls, SIZE).points[:, 2]
    assert not flies(depths).any()
    assert len(depths) > 0.8 * 50 * 150


@pytest.mark.parametrize("factor", [1, 2])
def test_the_clouds_points_reproject_into_the_image(checkpoint, picture, tmp_path, factor):
    """With K from a file for images of another size."""
    picture.save(tmp_path / "a.png")
    scaled = K[0].numpy() * factor
    scaled[:2, 2] += 0.5 * factor - 0.5
    (tmp_path / "camera.yaml").write_text(
        f"fx: {scaled[0, 0]}\nfy: {scaled[1, 1]}\ncx: {scaled[0, 2]}\ncy: {scaled[1, 2]}\n"
        f"width: {150 * factor}\nheight: {50 * factor}\n"
    )
    arguments = ["--input", tmp_path / "a.png", "--output", tmp_path / "out", "--ply"]
    assert predict(*checkpoint("metric"), *arguments, "--K", tmp_path / "camera.yaml") == 0
    header, vertices = read_ply(tmp_path / "out" / "a.ply")
    assert f"element vertex {len(vertices)}" in header
    assert len(vertices) > 0.9 * 50 * 150
    pixels = project(vertices["point"], K[0].numpy())
    of_pixel = vertices["colour"][:, [2, 1]].astype(float)
    np.testing.assert_allclose(pixels, of_pixel, atol=1e-3)
    inverse_depth = expected(picture)[of_pixel[:, 1].astype(int), of_pixel[:, 0].astype(int)]
    np.testing.assert_allclose(1 / vertices["point"][:, 2], inverse_depth, atol=0.006)
    about = json.loads(next(line for line in header if "selfsup_depth" in line).split(maxsplit=2)[2])
    assert (about["unit"], about["training_size"]) == ("metre", list(SIZE))
    with Image.open(tmp_path / "out" / "a_depth.png") as stored:
        in_png = json.loads(stored.text["selfsup_depth"])
    assert in_png == about
    np.testing.assert_allclose(in_png["K"], K[0].numpy())


def test_the_training_camera_is_that_of_images_of_its_shape(checkpoint, picture, tmp_path, capsys):
    picture.save(tmp_path / "a.png")
    picture.crop((0, 0, 100, 50)).save(tmp_path / "b.png")
    camera = {"K": [[180.0, 0, 149.5], [0, 180, 49.5], [0, 0, 1]], "size": [100, 300]}
    given = checkpoint("metric", cameras=[camera])
    out = ["--output", tmp_path / "out", "--ply"]
    assert predict(*given, "--input", tmp_path / "?.png", *out) == 3
    told = capsys.readouterr()
    assert "camera: that of the training images, focal 0.600" in told.out
    assert "b.png: images are 100x50, the camera is for 300x100" in told.err
    _, vertices = read_ply(tmp_path / "out" / "a.ply")
    pixels = project(vertices["point"], np.array([[90, 0, 74.5], [0, 90, 24.5], [0, 0, 1]]))
    np.testing.assert_allclose(pixels, vertices["colour"][:, [2, 1]], atol=1e-3)
    assert not (tmp_path / "out" / "b.ply").exists()
    assert predict(*given, "--input", tmp_path / "b.png", *out, "--fov", 90) == 0
    _, vertices = read_ply(tmp_path / "out" / "b.ply")
    edge = vertices["point"][vertices["colour"][:, 2] == 99]
    np.testing.assert_allclose(edge[:, 0] / edge[:, 2], 49.5 / 50, atol=1e-5)


def test_a_cloud_needs_a_scale_and_a_camera(checkpoint, picture, tmp_path, capsys):
    picture.save(tmp_path / "a.png")
    arguments = ["--input", tmp_path / "a.png", "--output", tmp_path / "out", "--ply"]
    assert predict(*checkpoint("relative"), *arguments, "--fov", 80) == 2
    assert "give --scale FACTOR" in capsys.readouterr().err
    assert predict(*checkpoint("metric"), *arguments) == 2
    assert "give --K FILE or --fov" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert predict(*checkpoint("relative"), *arguments, "--fov", 80, "--scale", 3, "--npy") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "a_depth.png",
        "a_inverse_depth.png",
        "a.npy",
        "a.ply",
    }
    depth = np.load(tmp_path / "out" / "a.npy")
    np.testing.assert_allclose(
        depth, 3 * Predictor(Brightness(), SIZE, "metric").predict(picture).depth, rtol=1e-6
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("90 0 70\n0 80 x\n0 0 1\n", "K.txt:2"),
        ("90 5 70\n0 80 20\n0 0 1\n", "without skew"),
        ("90 0 70\n0 80 200\n0 0 1\n", "lies outside 150x50"),
    ],
)
def test_a_bad_camera_file_is_refused(checkpoint, picture, tmp_path, capsys, text, message):
    picture.save(tmp_path / "a.png")
    (tmp_path / "K.txt").write_text(text)
    arguments = ["--input", tmp_path / "a.png", "--output", tmp_path / "out", "--ply", "--K"]
    assert predict(*checkpoint("metric"), *arguments, tmp_path / "K.txt") == 3
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_three_lines_of_three_numbers_are_intrinsics(checkpoint, picture, tmp_path):
    picture.save(tmp_path / "a.png")
    np.savetxt(tmp_path / "K.txt", K[0].numpy(), header="camera")
    arguments = ["--input", tmp_path / "a.png", "--output", tmp_path / "out", "--ply", "--K"]
    assert predict(*checkpoint("metric"), *arguments, tmp_path / "K.txt") == 0
    _, vertices = read_ply(tmp_path / "out" / "a.ply")
    pixels = project(vertices["point"], K[0].numpy())
    np.testing.assert_allclose(pixels, vertices["colour"][:, [2, 1]], atol=1e-3)
