"""Reading many images, small and grey, in threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from multiprocessing.pool import ThreadPool
from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from selfsup_depth.data.photograph import Photograph
from selfsup_depth.errors import DataError

Grey = NDArray[np.uint8]
Item = TypeVar("Item")
Result = TypeVar("Result")

# Motion is measured on images of this width: to a tenth of a pixel, in milliseconds.
SMALL_WIDTH = 416
# A bar for what takes a moment would only flicker.
_SECONDS_BEFORE_BAR = 2.0


class Bar(NamedTuple):
    """A progress bar to be.

    title: what is done.
    shown: whether it is shown, if there is a screen.
    unit: what is counted.
    """

    title: str
    shown: bool
    unit: str = "image"


def in_parallel(work: Callable[[Item], Result], items: Sequence[Item], bar: Bar) -> Iterator[Result]:
    """Results in order; threads, because decoders and OpenCV compute outside Python's lock."""
    if not items:
        return
    with ThreadPool(os.cpu_count() or 1) as pool:
        results = pool.imap(work, items)
        options: dict[str, Any] = {
            "delay": _SECONDS_BEFORE_BAR,
            "unit": bar.unit,
            "disable": None if bar.shown else True,
        }
        yield from tqdm(results, bar.title, len(items), **options)


def read_grey(image: Photograph) -> Grey | None:
    """An image in grey, (H, W); none if it cannot be read, which the check of the files tells."""
    try:
        return np.asarray(image.read().convert("L"))
    except DataError:
        return None


class SmallImages:
    """Grey images of at most `SMALL_WIDTH` columns; those read last are kept for their neighbours."""

    def __init__(self) -> None:
        self.read = lru_cache(maxsize=64)(_read_small)


def _read_small(image: Photograph) -> Grey | None:
    grey = read_grey(image)
    if grey is None or grey.shape[1] <= SMALL_WIDTH:
        return grey
    height = max(1, round(grey.shape[0] * SMALL_WIDTH / grey.shape[1]))
    return np.asarray(cv2.resize(grey, (SMALL_WIDTH, height), interpolation=cv2.INTER_AREA), np.uint8)
