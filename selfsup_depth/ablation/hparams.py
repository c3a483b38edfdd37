"""The same numbers for TensorBoard's HParams."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from torch.utils.tensorboard.summary import hparams
from torch.utils.tensorboard.writer import SummaryWriter

from selfsup_depth.ablation.outcomes import Outcome, State
from selfsup_depth.ablation.plan import Plan


def write_hparams(plan: Plan, outcomes: Sequence[Outcome], folder: Path) -> None:
    """What was varied and what came of it, for TensorBoard's HParams; replaces what was there."""
    shutil.rmtree(folder, ignore_errors=True)
    keys = {key: None for variant in plan.variants for key, _ in variant.flags}
    flags = {variant.name: dict(variant.flags) for variant in plan.variants}
    for outcome in outcomes:
        if outcome.state is not State.FINISHED:
            continue
        run = outcome.run
        varied = {key: flags[run.variant].get(key, "as the baseline") for key in keys}
        metrics = {f"ablation/{name}": value for name, value in outcome.result.metrics.items()}
        given = {"variant": run.variant, "seed": run.seed, **varied}
        with SummaryWriter(str(folder / Path(run.folder).name)) as board:
            for summary in hparams(given, metrics):  # type: ignore[no-untyped-call]
                board._get_file_writer().add_summary(summary)
            for name, value in metrics.items():
                board.add_scalar(name, value)
