"""What a run left out of its data, kept beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from selfsup_depth.errors import DataError
from selfsup_depth.training.storage import write_text

BAD_DATA = "bad_data.txt"
STILL_FRAMES = "still_frames.txt"


def keep_left_out(run: Path, bad: Sequence[str], still: Sequence[str], resumed: bool) -> None:
    """Write down which examples are left out, or compare it with what the run began with.

    With other examples the order would be another, too, and the run no continuation.

    Args:
        run: its folder.
        bad: why, for each that cannot be used.
        still: those in which the camera stands still.
        resumed: whether the run goes on with what an earlier process began.

    Raises:
        DataError: a resumed run would leave out other examples than before.
        StorageError: the file cannot be written.
    """
    _keep(run / BAD_DATA, bad, "other files are bad", resumed)
    _keep(run / STILL_FRAMES, still, "the camera stands still in other frames", resumed)


def _keep(file: Path, lines: Sequence[str], what: str, resumed: bool) -> None:
    text = "".join(f"{line}\n" for line in lines)
    if resumed:
        before = file.read_text(encoding="utf-8") if file.is_file() else ""
        if before != text:
            raise DataError(
                f"{what} than when the run began, in {file}; make the data what it was, or begin another run"
            )
    elif lines:
        write_text(file, text)
