"""What a check is, and what it finds."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from selfsup_depth.data.recording import Photograph

if TYPE_CHECKING:
    from selfsup_depth.data.check.evidence import Evidence

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


class Check(abc.ABC):
    """One question to the data; a further one is a further file in `kinds`.

    Attributes:
        name: heading of its findings.
        order: of the headings, lowest first.
    """

    name: str
    order: int

    @abc.abstractmethod
    def findings(self, evidence: Evidence) -> Iterator[Finding]:
        """What there is to say, the worst as well as the plain facts."""
