"""How long whoever trains waits for its data."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TypeVar

Given = TypeVar("Given")


class Waiting:
    """Adds up the time for which a loader's batches are waited for.

    seconds: so far; without processes that read, the reading itself.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    def counted(self, batches: Iterator[Given]) -> Iterator[Given]:
        """The batches, each waited for with a clock."""
        while True:
            start = time.perf_counter()
            batch = next(batches, None)
            self.seconds += time.perf_counter() - start
            if batch is None:
                return
            yield batch
