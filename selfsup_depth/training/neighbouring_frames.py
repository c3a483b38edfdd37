"""Neighbours in time among the frames that are evaluated."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from selfsup_depth.data.selection import Example
from selfsup_depth.evaluation.depth_errors import ImageErrors
from selfsup_depth.evaluation.exhibits import EarlierFrame
from selfsup_depth.geometry.pose import inverse_pose


class NeighbouringFrames:
    """Remembers each camera's last frame, for the one after it."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[Example, Tensor, Tensor]] = {}

    def before(self, example: Example, K: Tensor) -> Sequence[EarlierFrame]:
        """The frame before this one, if it was remembered and both poses are known.

        Args:
            example: which.
            K: (3, 3) pixels of the predictions.
        """
        if example.side not in self._last:
            return []
        earlier, inverse_depth, scale = self._last[example.side]
        first, second = earlier.frame.T_world_from_camera, example.frame.T_world_from_camera
        follows = example.recording is earlier.recording and example.frame_index == earlier.frame_index + 1
        if not follows or first is None or second is None or not bool(K.isfinite().all()):
            return []
        T = inverse_pose(torch.from_numpy(second)) @ torch.from_numpy(first)
        return [EarlierFrame(inverse_depth, scale, K, T)]

    def remember(self, example: Example, inverse_depth: Tensor, image: ImageErrors | None) -> None:
        """A frame after its evaluation.

        Args:
            example: which.
            inverse_depth: (h, w) predicted, 1/m.
            image: with the factor that it was scaled by; None where no pixel counts.
        """
        self._last.pop(example.side, None)
        # What was shifted was so for one image alone: its neighbours have another geometry.
        if image is not None and not image.shift:
            self._last[example.side] = (example, inverse_depth.cpu(), image.scale)
