"""What a prediction is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Scale = Literal["metric", "relative"]


class Facts(NamedTuple):
    """What the files of a prediction say about the network that it is from.

    scale: "metric", or "relative" where depth is known up to one unknown factor.
    size: height and width of the images that it was trained on.
    depth_range: the nearest and the farthest depth that it can tell; empty where not known.
    focal: focal length of the training images in their widths; empty where there were several.
    config_sha256: of the training configuration, so that predictions of two runs can be told apart.
    """

    scale: Scale
    size: tuple[int, int]
    depth_range: Sequence[float] = ()
    focal: Sequence[float] = ()
    config_sha256: str = ""


class Prediction(NamedTuple):
    """Depth of an image, at that image's own resolution.

    depth: (H, W) z in metres, or (N, H, W) for a stack of images; float32.
    inverse_depth: the same shape, 1/m.
    scale: "metric", or "relative" where depth is known up to one unknown factor.
    K: one (3, 3), the image's intrinsics in its own pixels: those given, else those that the
        network learned; empty where neither is known.
    depth_range: the nearest and the farthest depth that the network can tell, in the unit of
        `depth`; empty where it is not known.
    """

    depth: NDArray[np.float32]
    inverse_depth: NDArray[np.float32]
    scale: Scale
    K: Sequence[NDArray[np.float64]] = ()
    depth_range: Sequence[float] = ()
