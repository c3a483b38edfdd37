"""Steps whose loss or gradient is not finite are left out, written down, and end the run if they stay."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn

from selfsup_depth.data.loading import TrainingLoader
from selfsup_depth.errors import NumericError
from selfsup_depth.modules.base import SelfSupervisedDepth
from selfsup_depth.structures import Batch
from selfsup_depth.training.agreement import end_together, gather, largest_of_all
from selfsup_depth.training.storage import append_line

log = logging.getLogger(__name__)

MAX_SKIPPED_IN_A_ROW = 5
FIX = "look at the images named there, or lower --optimizer.learning_rate"


class Finding(NamedTuple):
    """What one process sees of a step: its loss, and the gradient that all share."""

    loss: float
    gradient_norm: float


class FiniteGuard(Callback):
    """Looks at loss and gradient before each step; all processes decide alike.

    A step that is left out changes no weight, no state of the optimizer and no statistics of
    batch normalisation. It counts as a step.

    Args:
        record: gets a JSON line for each step that is left out: what every process saw, the
            terms' values and the images of its targets.
    """

    def __init__(self, record: Path) -> None:
        self.record = record
        self.in_a_row = 0
        self._losses: list[Tensor] = []
        self._positions: list[tuple[int, int]] = []
        self._statistics = Statistics([])

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._statistics = Statistics(list(pl_module.modules()))

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        if not self._losses:
            self._statistics.keep()

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        self._losses.append(loss.detach())
        if isinstance(trainer.train_dataloader, TrainingLoader):
            self._positions.append(trainer.train_dataloader.position)

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        loss, norm = torch.stack(self._losses).sum(), gradient_norm(pl_module)
        # A scaler of half precision looks for gradients that overflow and leaves out the step itself.
        scaled = getattr(trainer.precision_plugin, "scaler", None) is not None
        decides = loss if scaled else torch.stack([loss, norm])
        if largest_of_all(int(not torch.isfinite(decides).all()), trainer):
            self._leave_out(trainer, pl_module, Finding(float(loss), float(norm)))
        else:
            self.in_a_row = 0
        self._losses.clear()
        self._positions.clear()

    def refuse_untrained(self, trainer: Trainer) -> None:
        """Refuse a run whose steps were left out one and all: its weights are those it began with.

        Raises:
            NumericError: they were.
        """
        if self.in_a_row and self.in_a_row >= trainer.global_step:
            what = f"loss or gradient was not finite in all {self.in_a_row} steps"
            raise NumericError(f"{what}, in {self.record}; {FIX}")

    def state_dict(self) -> dict[str, Any]:
        return {"in_a_row": self.in_a_row}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.in_a_row = int(state_dict["in_a_row"])

    def _leave_out(self, trainer: Trainer, module: LightningModule, finding: Finding) -> None:
        for parameter in module.parameters():
            parameter.grad = None  # the optimizer passes over what has no gradient
        self._statistics.put_back()
        self.in_a_row += 1
        self._write_down(trainer, finding)
        if self.in_a_row > MAX_SKIPPED_IN_A_ROW:
            what = f"loss or gradient was not finite in {self.in_a_row} steps in a row"
            end_together(trainer, NumericError(f"{what}, in {self.record}; {FIX}"))

    def _write_down(self, trainer: Trainer, finding: Finding) -> None:
        assert isinstance(trainer.lightning_module, SelfSupervisedDepth)
        terms = {name: float(value) for name, value in trainer.lightning_module.own_values.items()}
        seen = gather(plain(finding._asdict() | {"terms": terms, "images": self._images(trainer)}), trainer)
        if not trainer.is_global_zero:
            return
        if self.in_a_row == 1:
            which = [k for k, v in terms.items() if not math.isfinite(v)]
            name = ", ".join(which) or ("loss" if not math.isfinite(finding.loss) else "the gradient")
            log.warning(
                "step %d is left out: %s is not finite, in %s", trainer.global_step, name, self.record
            )
        append_line(self.record, json.dumps({"step": trainer.global_step, "processes": seen}))

    def _images(self, trainer: Trainer) -> list[str]:
        loader = trainer.train_dataloader
        if not isinstance(loader, TrainingLoader):
            return []
        return [str(image) for position in self._positions for image in loader.images_of(*position)]


class Statistics:
    """The running statistics of batch normalisation, which a forward pass changes at once."""

    def __init__(self, modules: list[nn.Module]) -> None:
        layers = [m for m in modules if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        tracking = [m for m in layers if m.running_mean is not None]
        self.groups = [
            [tensor for m in tracking for tensor in (m.running_mean, m.running_var) if tensor is not None],
            [m.num_batches_tracked for m in tracking if m.num_batches_tracked is not None],
        ]
        self.groups = [group for group in self.groups if group]
        self.kept = [[tensor.clone() for tensor in group] for group in self.groups]

    def keep(self) -> None:
        """Remember how they are."""
        for group, kept in zip(self.groups, self.kept, strict=True):
            torch._foreach_copy_(kept, group)

    def put_back(self) -> None:
        """Make them what they were."""
        for group, kept in zip(self.groups, self.kept, strict=True):
            torch._foreach_copy_(group, kept)


def gradient_norm(module: nn.Module) -> Tensor:
    """Euclidean norm of the gradient, a scalar."""
    gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    return norm


def plain(value: Any) -> Any:
    """What JSON can hold: numbers that are not finite as text."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
