"""What all training modules share: the objective, validation, optimizer, and what is logged."""

from __future__ import annotations

import abc
import math
from typing import Any, Literal

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from selfsup_depth.evaluation.depth_metrics import DepthMetrics
from selfsup_depth.evaluation.protocols import protocol_named
from selfsup_depth.losses.base import LossTerm
from selfsup_depth.losses.needs import Need
from selfsup_depth.modules.jitter import apply_jitter
from selfsup_depth.modules.motion import intrinsics_to_log
from selfsup_depth.modules.optimization import Optimization
from selfsup_depth.networks.base import DepthNetwork
from selfsup_depth.networks.memory_layout import lay_out
from selfsup_depth.structures import Batch, DepthEstimate, Measured, View

Compile = Literal["none", "objective"]


class SelfSupervisedDepth(LightningModule, abc.ABC):
    """A depth network that learns by rebuilding its target view from source views.

    Args:
        depth_net: predicts inverse depth from one image.
        losses: the terms of the objective by name; each logs `loss/NAME`.
        protocol: how validation compares with measured depth, by name.
        compile: what is compiled for training: "none", or the "objective" in small kernels, where there
            are some.
    """

    def __init__(
        self,
        depth_net: DepthNetwork,
        losses: dict[str, LossTerm],
        protocol: str = "metric",
        compile: Compile = "none",
    ) -> None:
        super().__init__()
        self.compilation = compile
        self.depth_net = depth_net
        self.losses = nn.ModuleDict(losses)
        self.validation_metrics = DepthMetrics(protocol_named(protocol))
        self.optimization = Optimization()
        self.order = lay_out(self)
        self.compile_objective(compile != "none")
        # Of the last step, in this process alone; what is logged is their mean over all processes.
        self.own_values: dict[str, Tensor] = {}

    def compile_objective(self, compiled: bool) -> None:
        """Say whether the objective is computed in compiled kernels."""
        self.objective_compiled = compiled
        for term in self.terms.values():
            term.compiled = compiled

    def arrange(self, batch: Batch) -> Batch:
        """The batch as this module trains on it; `estimate` and `objective` take what this returns."""
        return batch

    @abc.abstractmethod
    def estimate(self, batch: Batch) -> list[DepthEstimate]:
        """Predict the target's depth and rebuild the target with it, finest level first."""

    def provides(self) -> set[Need]:
        """What this module adds to the data for the terms that need it."""
        return set()

    def objective(self, batch: Batch, estimates: list[DepthEstimate]) -> dict[str, Tensor]:
        """Weighted value of every active term."""
        return {name: term.weight * term(batch, estimates) for name, term in self.active_terms.items()}

    @property
    def terms(self) -> dict[str, LossTerm]:
        """The loss terms by name."""
        return {name: term for name, term in self.losses.items() if isinstance(term, LossTerm)}

    @property
    def active_terms(self) -> dict[str, LossTerm]:
        """Those that have a weight."""
        return {name: term for name, term in self.terms.items() if term.weight}

    @property
    def needs_source_depth(self) -> bool:
        """Whether an active term reads the depth of the sources."""
        return any(Need.SOURCE_DEPTH in term.needs() for term in self.active_terms.values())

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        batch = self.arrange(batch)
        estimates = self.estimate(batch)
        values = self.objective(batch, estimates)
        total = torch.stack(list(values.values())).sum()
        self.own_values = {f"loss/{name}": value.detach() for name, value in values.items()}
        self.log_dict(self.own_values | {"loss/total": total.detach()}, sync_dist=True)
        self.log_dict(intrinsics_to_log(estimates[0]), sync_dist=True)
        for name, term in self.active_terms.items():
            counts = {f"{name}/{what}": number for what, number in term.reports().items()}
            self.log_dict(counts, sync_dist=True, reduce_fx="sum")
        return total

    def predict_inverse_depth(self, image: Tensor) -> Tensor:
        """Inverse depth of images at the training size.

        Args:
            image: (B, 3, H, W) in [0, 1].

        Returns:
            (B, 1, H, W) at the finest level, 1/m.
        """
        finest: Tensor = self.depth_net(image)[0]
        return finest[:, :1]

    def validation_step(self, batch: Measured, batch_idx: int) -> None:
        self.validation_metrics.update(self.predict_inverse_depth(batch.view.image), batch.depth)

    def on_validation_epoch_end(self) -> None:
        metrics = self.validation_metrics.compute()
        self.validation_metrics.reset()
        self.log_dict({f"val/{name}": value for name, value in metrics.items() if math.isfinite(value)})

    def configure_optimizers(self) -> Any:
        optimizer = self.optimization.adam(self.parameters())
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._learning_rate_factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _learning_rate_factor(self, step: int) -> float:
        # Asked for step 0 before Lightning knows how many batches an epoch has.
        share = step / num_training_steps(self.trainer) if step else 0.0
        return self.optimization.factor(step, self.trainer.current_epoch, share)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        if self.optimization.clip_norm:
            norm = nn.utils.clip_grad_norm_(self.parameters(), self.optimization.clip_norm)
            self.log("gradient_norm", norm)


def num_training_steps(trainer: Any) -> int:
    """Steps of the whole run, by whichever of max_steps and max_epochs ends it first."""
    limits = []
    if trainer.max_steps is not None and trainer.max_steps > 0:
        limits.append(trainer.max_steps)
    if trainer.max_epochs is not None and trainer.max_epochs > 0:
        limits.append(trainer.max_epochs * trainer.num_training_batches)
    return max(1, int(min(limits, default=1)))


def as_networks_see(batch: Batch, order: torch.memory_format) -> Batch:
    """The batch with the colours of all views jittered alike; losses see the clean ones.

    Args:
        batch: of images.
        order: in which they are to lie in memory.
    """

    def seen(view: View) -> View:
        image = apply_jitter(view.image, batch.jitter[0]) if batch.jitter else view.image
        return view._replace(image=image.contiguous(memory_format=order))

    return batch._replace(
        target=seen(batch.target),
        video=[source._replace(view=seen(source.view)) for source in batch.video],
        stereo=[source._replace(view=seen(source.view)) for source in batch.stereo],
    )
