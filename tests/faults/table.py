"""All faults, in order of their numbers; a letter tells another way to try the same one."""

from __future__ import annotations

import re

from faults import data_cases, other_cases, video_cases
from faults.workshop import Case


def _number(case: Case) -> tuple[int, str]:
    return int(re.match(r"\d+", case.number)[0]), case.number


CASES: list[Case] = sorted(
    [
        *data_cases.CASES,
        *data_cases.SKIPPED,
        *video_cases.CASES,
        *video_cases.SKIPPED,
        *other_cases.CASES,
    ],
    key=_number,
)
