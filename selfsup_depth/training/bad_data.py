"""What a run left out of its data, kept beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from selfsup_depth.errors import DataError
from selfsup_depth.training.storage import write_text

BAD_DATA = "bad_data.txt"


def keep_bad_data(run: Path, reasons: Sequence[str], resumed: bool) -> None:
    """Write down why examples are left out, or compare it with what the run began with.

    With other examples the order would be another, too, and the run no continuation.

    Args:
        run: its folder.
        reasons: one for each example.
        resumed: whether the run goes on with what an earlier process began.

    Raises:
        DataError: a resumed run would leave out other examples than before.
        StorageError: the file cannot be written.
    """
    file, text = run / BAD_DATA, "".join(f"{reason}\n" for reason in reasons)
    if resumed:
        before = file.read_text(encoding="utf-8") if file.is_file() else ""
        if before != text:
            raise DataError(
                f"other files are bad than when the run began, in {file}; "
                "make the data what it was, or begin another run"
            )
    elif reasons:
        write_text(file, text)
