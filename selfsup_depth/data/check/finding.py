"""What a check says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from selfsup_depth.data.photograph import Photograph
from selfsup_depth.errors import DataError

# "error": training is refused or pointless; "warning": it is worse than it could be; "fact": as it should be.
Severity = Literal["error", "warning", "fact"]


class Finding(NamedTuple):
    """One thing that is so.

    severity: how bad that is.
    what: in words, with the numbers.
    where: the file, folder or option it is in.
    fix: how to mend it.
    pictures: what shows it, side by side.
    """

    severity: Severity
    what: str
    where: str = ""
    fix: str = ""
    pictures: Sequence[Photograph] = ()

    @property
    def line(self) -> str:
        """WHAT, in WHERE; FIX."""
        where = f", in {self.where}" if self.where else ""
        return f"{self.what}{where}{'; ' if self.fix else ''}{self.fix}"


def refusal(error: DataError) -> Finding:
    """What a reader refuses, as a finding."""
    told, _, fix = str(error).rpartition("; ")
    what, _, where = told.rpartition(", in ")
    return Finding("error", what or told, where, fix)
