"""A prediction as a coloured point cloud, in a file that every viewer opens."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from selfsup_depth.geometry.point_cloud import lies_on_surface, unproject
from selfsup_depth.training.predicted_depth import Prediction

# A predicted edge is this many pixels of the network's image wide, or less.
EDGE_PIXELS = 8

_VERTEX = np.dtype(
    [(axis, "<f4") for axis in "xyz"] + [(colour, "u1") for colour in ("red", "green", "blue")]
)
_PLY_TYPES = {"<f4": "float", "|u1": "uchar"}


class PointCloud(NamedTuple):
    """Points in the camera's frame, x right, y down, z forward.

    points: (N, 3) float32, metres where the prediction is metric.
    colours: (N, 3) uint8, RGB.
    """

    points: NDArray[np.float32]
    colours: NDArray[np.uint8]


def point_cloud(
    prediction: Prediction, image: Image.Image, size: tuple[int, int], max_depth: float | None = None
) -> PointCloud:
    """The points that an image's pixels show, in the order of the pixels.

    Points that fly at the edges of depth are left out, and so is all that is at the farthest
    depth that the network can tell: the sky.

    Args:
        prediction: of this image; must know K.
        image: RGB.
        size: height and width of what the network saw.
        max_depth: leave out what is farther, metres.
    """
    inverse_depth = torch.from_numpy(prediction.inverse_depth)[None, None]
    reach = [
        -(-EDGE_PIXELS * own // (2 * seen)) for own, seen in zip(prediction.depth.shape, size, strict=True)
    ]
    kept = lies_on_surface(inverse_depth, (reach[0], reach[1]))[0, 0].numpy()
    if prediction.depth_range:
        kept &= prediction.depth < 0.99 * prediction.depth_range[1]
    if max_depth is not None:
        kept &= prediction.depth <= max_depth
    points = unproject(inverse_depth.double(), torch.from_numpy(prediction.K[0])[None])[0]
    return PointCloud(points.movedim(0, -1).numpy()[kept].astype(np.float32), np.asarray(image)[kept])


def ply_bytes(cloud: PointCloud, comments: tuple[str, ...] = ()) -> bytes:
    """A binary PLY file.

    Args:
        cloud: what it holds.
        comments: lines for its header.
    """
    lines = ["ply", "format binary_little_endian 1.0", *(f"comment {line}" for line in comments)]
    lines.append(f"element vertex {len(cloud.points)}")
    lines += [f"property {_PLY_TYPES[_VERTEX[name].str]} {name}" for name in _VERTEX.names or ()]
    vertices = np.empty(len(cloud.points), _VERTEX)
    for columns, names in ((cloud.points, "xyz"), (cloud.colours, ("red", "green", "blue"))):
        for column, name in enumerate(names):
            vertices[name] = columns[:, column]
    return "\n".join([*lines, "end_header", ""]).encode() + vertices.tobytes()
