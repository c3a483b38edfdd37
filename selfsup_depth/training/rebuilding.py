"""How well the target is rebuilt, against showing the source as it is: needs no measured depth."""

from __future__ import annotations

from itertools import islice

import torch
from torch import Tensor

from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.data.loading import on_device
from selfsup_depth.losses.photometric_error import photometric_error
from selfsup_depth.modules.base import SelfSupervisedDepth
from selfsup_depth.structures import Synthesis
from selfsup_depth.training.progress import passing_bar

NUM_BATCHES = 16


@torch.no_grad()
def rebuilding_errors(module: SelfSupervisedDepth, data: DepthDataModule) -> dict[str, float]:
    """Photometric error (0.85 SSIM + 0.15 L1) of the rebuilt target, mean over training views.

    Each pixel counts its best source, of those that show it at all; pixels that none shows are
    left out of both numbers.

    Returns:
        "synthesized": the sources moved by predicted depth and motion; "unmoved": as they are.
    """
    module.eval()
    sums = torch.zeros(3, dtype=torch.float64)
    batches = data.train_dataloader()
    num_batches = min(NUM_BATCHES, len(batches))
    for batch in passing_bar(islice(batches, num_batches), "rebuilding views", num_batches, "batch"):
        batch = module.arrange(on_device(batch, module.device))
        syntheses = module.estimate(batch)[0].syntheses
        sums += torch.stack(_sums(syntheses, batch.target.image)).double().cpu()
    return {"synthesized": float(sums[0] / sums[2]), "unmoved": float(sums[1] / sums[2])}


def _sums(syntheses: list[Synthesis], target: Tensor) -> list[Tensor]:
    """Error of the syntheses, error of the sources, and number of pixels."""
    valid = torch.cat([synthesis.valid for synthesis in syntheses], dim=1)
    seen = valid.any(dim=1)
    sums = []
    for images in ([s.image for s in syntheses], [s.source for s in syntheses]):
        errors = torch.cat([photometric_error(image, target) for image in images], dim=1)
        sums.append(errors.masked_fill(~valid, torch.inf).amin(dim=1)[seen].sum())
    return [*sums, seen.sum()]
