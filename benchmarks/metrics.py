"""Depth errors per image against the way they are published: `python -m benchmarks metrics`.

The published way resizes a prediction to the measured map's size and goes over dense maps in NumPy,
image by image; here it is written from the formulas. Ours looks at the measured pixels alone. Both get
the same maps of KITTI's size, and are compared in float64 first.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.race import Contender
from selfsup_depth.evaluation.depth_errors import REPORTED
from selfsup_depth.evaluation.depth_metrics import DepthMetrics
from selfsup_depth.evaluation.protocols import PROTOCOLS

PROTOCOL = PROTOCOLS["kitti_eigen"]
SIZE, COARSE = (375, 1242), (192, 640)
# Of the pixels in the crop about this share has a laser's return.
MEASURED_SHARE = 0.05

Array = NDArray[np.floating]


def images(count: int) -> list[tuple[Array, Array]]:
    """Inverse depth as a network says it, 1/m, and sparse measured depth, metres; float32."""
    random = np.random.default_rng(0)
    far_above = np.linspace(70, 4, SIZE[0], dtype=np.float32)[:, None]
    made = []
    for _ in range(count):
        depth = far_above * random.uniform(0.7, 1.3, SIZE).astype(np.float32)
        measured = depth * (random.random(SIZE) < MEASURED_SHARE)
        noise = random.uniform(0.8, 1.2, COARSE).astype(np.float32)
        made.append((noise / cv2.resize(depth, COARSE[::-1]), measured.astype(np.float32)))
    return made


def published(inverse_depth: Array, measured: Array) -> list[float]:
    """The seven errors of one image over dense maps."""
    height, width = measured.shape
    depth = 1 / cv2.resize(inverse_depth, (width, height))
    counts = np.logical_and(measured > PROTOCOL.min_depth, measured < PROTOCOL.max_depth)
    crop = np.zeros(counts.shape)
    top, bottom, left, right = PROTOCOL.crop_box(height, width)
    crop[top:bottom, left:right] = 1
    counts = np.logical_and(counts, crop)
    z, truth = depth[counts], measured[counts]
    z = z * (np.median(truth) / np.median(z))
    z[z < PROTOCOL.min_depth] = PROTOCOL.min_depth
    z[z > PROTOCOL.max_depth] = PROTOCOL.max_depth
    ratio = np.maximum(truth / z, z / truth)
    shares = [(ratio < 1.25**power).mean() for power in (1, 2, 3)]
    relative = [np.mean(np.abs(truth - z) / truth), np.mean((truth - z) ** 2 / truth)]
    roots = [np.sqrt(((truth - z) ** 2).mean()), np.sqrt(((np.log(truth) - np.log(z)) ** 2).mean())]
    return [float(value) for value in (*relative, *roots, *shares)]


def loop(maps: list[tuple[Array, Array]]) -> list[float]:
    """Means over images, the published way."""
    return np.array([published(*pair) for pair in maps]).mean(0).tolist()


def ours(maps: list[tuple[Array, Array]]) -> list[float]:
    """Means over images, as `evaluate depth` has them."""
    metrics = DepthMetrics(PROTOCOL)
    for inverse_depth, measured in maps:
        metrics.update(*(torch.from_numpy(values)[None, None] for values in (inverse_depth, measured)))
    found = metrics.compute()
    return [found[name] for name in REPORTED]


def contenders(count: int) -> dict[str, Contender]:
    """Either way over so many images, after both have said the same.

    Raises:
        AssertionError: an error differs by more than 1e-9 in float64.
    """
    cv2.setNumThreads(1)
    maps = images(count)
    # One, so that no more memory is lying about than where depth is evaluated.
    double = [(rho.astype(np.float64), measured.astype(np.float64)) for rho, measured in maps[:1]]
    np.testing.assert_allclose(ours(double), loop(double), rtol=1e-9)
    return {"published": lambda: loop(maps), "ours": lambda: ours(maps)}
