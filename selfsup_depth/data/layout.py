"""What every layout of files on disk can do."""

from __future__ import annotations

import abc
from pathlib import Path
from typing import ClassVar

from selfsup_depth.data.recording import Recording


class Layout(abc.ABC):
    """A way of arranging a data set in folders; its options are its constructor's.

    Attributes:
        default_root: where the data is if the user names no root; only a layout that can
            make its own data has one.
    """

    default_root: ClassVar[Path | None] = None

    def prepare(self, root: Path) -> None:
        """Make the data if this layout can and it is not there yet; called by one process."""

    @abc.abstractmethod
    def recordings(self, root: Path) -> list[Recording]:
        """Every recording under `root`, built from the files that exist, ordered by name.

        Raises:
            DataError: the root is missing, is another level of the layout, or a calibration,
                pose or time file cannot be used.
        """
