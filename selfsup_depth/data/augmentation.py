"""What is changed at random in an example: a pure function of (seed, epoch, example).

No generator keeps a state between examples, so the samples are the same for any number of
worker processes and after any interruption.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from selfsup_depth.data.transforms import Framing
from selfsup_depth.structures import ColourJitter

# Half of the examples keep their colours (Godard et al. 2019).
JITTER_PROBABILITY = 0.5


@dataclass(frozen=True)
class Augmentation:
    """How much is changed.

    Attributes:
        flip: mirror half of the examples.
        colour_jitter: brightness, contrast and saturation by up to this share, hue by up to
            half of it in turns; 0 = none.
        zoom: cut out and enlarge by up to this factor; 1 = none.
    """

    flip: bool = False
    colour_jitter: float = 0.0
    zoom: float = 1.0

    def draw(
        self, size: tuple[int, int], seed: int, epoch: int, index: int
    ) -> tuple[Framing, list[ColourJitter]]:
        """How to frame one example to `size` (height, width), and its colours.

        Every number is drawn whether it is used or not: switching the flip off leaves the
        colours as they were.
        """
        draws = np.random.default_rng((seed, epoch, index)).random(9)
        flip, zoom, down, right, jitter, *colours = draws.tolist()
        framing = Framing(
            size,
            zoom=1 + (self.zoom - 1) * zoom,
            down=down,
            right=right,
            flip=self.flip and flip < 0.5,
        )
        return framing, self._colours(jitter < JITTER_PROBABILITY, colours) if self.colour_jitter else []

    def _colours(self, changed: bool, uniform: list[float]) -> list[ColourJitter]:
        strength = self.colour_jitter if changed else 0.0
        *shares, turns = torch.tensor([strength * (2 * u - 1) for u in uniform]).unbind()
        brightness, contrast, saturation = (1 + share for share in shares)
        return [ColourJitter(brightness, contrast, saturation, turns / 2)]
