"""From the options of the data to a report on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from selfsup_depth.data.check.checks import CHECKS
from selfsup_depth.data.check.evidence import DepthRange, Evidence
from selfsup_depth.data.check.finding import Finding, Severity, refusal
from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.data.parts import Parts, data_root, read_parts
from selfsup_depth.data.selection import Needs
from selfsup_depth.errors import DataError


class Report(NamedTuple):
    """What was found.

    root: of the data.
    findings: each with the heading of its check, in the order of the checks.
    """

    root: Path
    findings: Sequence[tuple[str, Finding]]

    def of(self, severity: Severity) -> list[Finding]:
        """Those that are so bad."""
        return [finding for _, finding in self.findings if finding.severity == severity]


def examine(data: DepthDataModule, depth_range: DepthRange, progress: bool = False) -> Report:
    """Put every question to the data of a run that would be trained.

    Args:
        data: as it would be given to a run.
        depth_range: of the network that would be trained.
        progress: whether bars are shown.

    Raises:
        ConfigError: the options contradict each other or what is there.
    """
    root = data_root(data.layout, data.root)
    try:
        data.prepare_data()
        evidence = gather(data, root, depth_range)
    except DataError as error:
        return Report(root, [("layout", refusal(error))])
    evidence = replace(evidence, progress=progress)
    return Report(root, [(name, found) for name, check in CHECKS.items() for found in check(evidence)])


def gather(data: DepthDataModule, root: Path, depth_range: DepthRange) -> Evidence:
    """What the checks look at.

    Raises:
        DataError: the layout cannot be read at all.
    """
    # Frames that a list names and that are not there are counted, not refused one by one.
    where = data.layout, data.root, data.split, data.hold_out, data.sides
    parts: Parts = read_parts(*where, "skip", data.on_bad_data, data.follow_symlinks, data.fov)
    needs = Needs(tuple(data.video), data.stereo, data.sparse_depth)
    selection = parts.candidates("train", needs)
    return Evidence(
        root,
        parts.recordings,
        selection.examples,
        selection.left_out,
        needs,
        (data.height, data.width),
        data.batch_size,
        depth_range,
        data.split is None and not data.hold_out,
        data.on_bad_data == "skip",
        data.min_parallax > 0,
        advice="" if selection.examples else parts.advice(needs),
        camera_is_learned=data.fov == "unknown",
    )
