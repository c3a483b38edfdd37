"""A point cloud of a real photograph against the laser's points, by the drive's own calibration."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from known_network import Brightness, predict
from PIL import Image
from scenes import shared
from torch.nn import functional as F

from selfsup_depth.data.kitti_raw import KittiRaw

# The known network's error; the laser's depth is spread between its points, which adds to it.
ERROR = 0.08
VERTEX = np.dtype([("point", "<f4", 3), ("colour", "u1", 3)])


class Laser:
    """Says what the laser says, spread over the image, and everywhere too far by a known share."""

    def __init__(self, depth):
        self.inverse_depth = torch.from_numpy(spread(depth))[None, None] / (1 + ERROR)

    def predict_inverse_depth(self, image):
        return F.interpolate(self.inverse_depth, image.shape[-2:], mode="bilinear", align_corners=False)


def spread(depth):
    """Inverse depth of the nearest measured pixel, for every pixel."""
    cv2 = pytest.importorskip("cv2")
    _, labels = cv2.distanceTransformWithLabels(
        (depth == 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    values = np.zeros(labels.max() + 1, np.float32)
    values[labels[depth > 0]] = 1 / depth[depth > 0]
    return values[labels]


def test_a_cloud_of_a_street_lies_within_the_models_error_of_the_lasers_points(
    checkpoint, monkeypatch, tmp_path
):
    root = shared("data/kitti_raw_0013")
    camera = KittiRaw().recordings(root)[0].cameras["l"]
    frame = camera.frames[next(index for index, frame in camera.frames.items() if frame.measured)]
    depth = frame.measured.read()
    laser = Laser(depth)
    monkeypatch.setattr(
        Brightness, "predict_inverse_depth", lambda self, image: laser.predict_inverse_depth(image)
    )
    # The camera is stored for images of twice the size: the command has to scale it.
    twice = camera.K * [[2], [2], [1]] + [[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]
    cameras = [{"K": twice.tolist(), "size": [750, 2484]}]
    given = checkpoint("metric", cameras=cameras, size=[375, 1242])
    arguments = ["--input", frame.image.path, "--output", tmp_path, "--ply", "--max-depth", 60]
    assert predict(*given, *arguments) == 0
    _, _, body = next(tmp_path.glob("*.ply")).read_bytes().partition(b"end_header\n")
    vertices = np.frombuffer(body, VERTEX)
    points = vertices["point"].astype(np.float64)
    u, v, w = camera.K @ points.T
    pixels = np.stack([u / w, v / w], axis=1)
    column, row = pixels.round().astype(int).T
    assert min(column.min(), row.min()) >= 0
    assert column.max() < 1242
    assert row.max() < 375
    photograph = np.asarray(Image.open(frame.image.path))
    assert (photograph[row, column] == vertices["colour"]).mean() > 0.999
    # Each of the laser's points beside the cloud's point of the same pixel, in space.
    at = {pixel: index for index, pixel in enumerate(zip(row.tolist(), column.tolist(), strict=True))}
    rows, columns = np.nonzero((depth > 0) & (depth < 50))
    rays = np.linalg.inv(camera.K) @ np.stack([columns, rows, np.ones(len(rows))])
    of_laser = (rays * depth[rows, columns]).T
    found = [at.get(pixel, -1) for pixel in zip(rows.tolist(), columns.tolist(), strict=True)]
    seen = np.array(found) >= 0
    assert seen.mean() > 0.6  # the rest lies at edges of depth
    distance = np.linalg.norm(points[found][seen] - of_laser[seen], axis=1)
    share = distance / np.linalg.norm(of_laser[seen], axis=1)
    assert np.median(share) == pytest.approx(ERROR, abs=0.01)
    assert (share < 2 * ERROR).mean() > 0.9
