"""What a prediction is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Scale = Literal["metric", "relative"]


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
