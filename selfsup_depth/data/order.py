"""The order of the examples: a pure function of (seed, epoch)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler


class ShuffledOrder(Sampler[tuple[int, int]]):
    """Yields (epoch, index of the example), shuffled anew in every epoch.

    The examples of all processes together are those that one process would see, dealt out in
    turn: n processes with batches of b see what one sees with batches of n * b. What does not
    divide evenly is left out of that epoch.

    Args:
        num_examples: how many there are.
        seed: of the order.
        rank: number of this process among those that train together.
        world_size: how many processes train together.
    """

    def __init__(self, num_examples: int, seed: int, rank: int = 0, world_size: int = 1) -> None:
        self.num_examples = num_examples
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.begin(epoch=0)

    def begin(self, epoch: int, done: int = 0) -> None:
        """Which epoch the next iteration is, and how many of its examples are done already.

        Not called set_epoch: Lightning would call that with its own count, and only after
        the workers have begun to read.
        """
        self.epoch = epoch
        self.done = done

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for index in self.of_epoch(self.epoch)[self.done :]:
            yield self.epoch, index

    def of_epoch(self, epoch: int) -> list[int]:
        """The examples of this process in an epoch."""
        order = np.random.default_rng((self.seed, epoch)).permutation(self.num_examples)
        mine: list[int] = order[self.rank :: self.world_size][: len(self)].tolist()
        return mine

    def __len__(self) -> int:
        return self.num_examples // self.world_size
