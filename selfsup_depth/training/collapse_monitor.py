"""Says when training has fallen into one of the states from which it does not come back."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from selfsup_depth.modules.base import SelfSupervisedDepth
from selfsup_depth.structures import Batch
from selfsup_depth.training.storage import append_line

log = logging.getLogger(__name__)

WARM_UP_STEPS = 100
LOOK_EVERY_N_STEPS = 20
LOOKS_IN_A_ROW = 5

# Spread of the inverse depth over an image, relative to its mean. A network that still says its
# first depth everywhere has 1e-3 and less, one that has learned for a hundred steps 1e-1.
LEAST_SPREAD = 1e-4
# Length of a motion (metres and radians), below which the views do not move.
LEAST_MOTION = 1e-6
KEPT_SHARES = 0.05, 0.99
# Part of the range of the inverse depth at either end, and the share of pixels that lie there.
END_OF_RANGE = 1e-3
SATURATED_SHARE = 0.95


class Look(NamedTuple):
    """What one step shows, each a scalar.

    spread: standard deviation of the inverse depth over the image, relative to its mean.
    low, high: share of the pixels at the far and at the near end of the depth range.
    motion: largest length of a predicted motion; infinite without a pose network.
    kept: share of the pixels that the auto-mask keeps; 0.5 without one.
    """

    spread: float
    low: float
    high: float
    motion: float
    kept: float


class Cause(NamedTuple):
    """One way to collapse.

    holds: whether a step shows it.
    text: what is seen, its likely cause, and the option that may mend it.
    """

    holds: Callable[[Look], bool]
    text: str


CAUSES = {
    "constant inverse depth": Cause(
        lambda look: look.spread < LEAST_SPREAD and max(look.low, look.high) < SATURATED_SHARE,
        "the predicted depth is the same in the whole image, its network does not learn; look at its "
        "weights and raise --optimizer.learning_rate, or lower the smoothness' weight",
    ),
    "no motion": Cause(
        lambda look: look.motion < LEAST_MOTION,
        "the predicted motion is zero, so views are rebuilt unmoved; start from a motion, "
        "--model.pose_net.first_motion=[0,0,1], or by geometry, --data.two_view_motion=true",
    ),
    "almost all pixels masked": Cause(
        lambda look: look.kept < KEPT_SHARES[0] and look.motion >= LEAST_MOTION,
        "the auto-mask leaves out over 95 % of the pixels: the camera stands still in these videos, or "
        "depth or motion are far off; choose other frames, --data.video or --data.split, or see "
        "--model.losses.photometric.auto_mask",
    ),
    "almost no pixels masked": Cause(
        lambda look: look.kept > KEPT_SHARES[1],
        "the auto-mask leaves out under 1 % of the pixels, as where the sources are not neighbours of their "
        "target; look at the pictures and at --data.video",
    ),
    "depth at the far end": Cause(
        lambda look: look.low > SATURATED_SHARE,
        "the depth lies at the far end of its range, where its network has no gradient; lower "
        "--model.depth_net.first_depth or --optimizer.learning_rate",
    ),
    "depth at the near end": Cause(
        lambda look: look.high > SATURATED_SHARE,
        "the depth lies at the near end of its range, where its network has no gradient; raise "
        "--model.depth_net.first_depth or lower --optimizer.learning_rate",
    ),
}


class CollapseMonitor(Callback):
    """Looks at a step now and then, in the first process, and warns once for each cause.

    Between two looks it costs nothing; a look reads what the step computes anyway.

    Args:
        record: gets a JSON line for each warning.
    """

    def __init__(self, record: Path) -> None:
        self.record = record
        self.in_a_row = dict.fromkeys(CAUSES, 0)
        self._seen: dict[str, list[Tensor]] = {}
        self._hooks: list[RemovableHandle] = []

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        step = trainer.global_step
        due = step >= WARM_UP_STEPS and step % LOOK_EVERY_N_STEPS == 0
        if not due or self._hooks or not trainer.is_global_zero:
            return
        assert isinstance(pl_module, SelfSupervisedDepth)
        self._seen = {"depth": [], "motion": []}
        self._watch("depth", pl_module.depth_net)
        self._watch("motion", getattr(pl_module, "pose_net", None))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        if not self._hooks:
            return
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        assert isinstance(pl_module, SelfSupervisedDepth)
        self._judge(look_of(pl_module, **self._seen), trainer.global_step)

    def state_dict(self) -> dict[str, Any]:
        return {"in_a_row": dict(self.in_a_row)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.in_a_row |= {name: int(count) for name, count in state_dict["in_a_row"].items()}

    def _watch(self, name: str, network: nn.Module | None) -> None:
        """Keep the first output of a network while it runs."""

        def keep(module: nn.Module, arguments: Any, output: Any) -> None:
            self._seen[name].append((output if isinstance(output, Tensor) else output[0]).detach())

        if network is not None:
            self._hooks.append(network.register_forward_hook(keep))

    def _judge(self, look: Look, step: int) -> None:
        for name, cause in CAUSES.items():
            if self.in_a_row[name] >= LOOKS_IN_A_ROW:
                continue  # said already
            self.in_a_row[name] = self.in_a_row[name] + 1 if cause.holds(look) else 0
            if self.in_a_row[name] == LOOKS_IN_A_ROW:
                log.warning("step %d: %s", step, cause.text)
                append_line(self.record, json.dumps({"step": step, "cause": name, "seen": look._asdict()}))


def look_of(module: SelfSupervisedDepth, depth: list[Tensor], motion: list[Tensor]) -> Look:
    """What the networks' outputs of one step, and the terms, say.

    Args:
        module: whose terms may know what share of the pixels they keep.
        depth: inverse depth (B, C, H, W) of the finest level, of each pass of the network.
        motion: (B, 4, 4), of each pass; none without a pose network.
    """
    inverse_depth = torch.cat([rho[:, :1] for rho in depth]).float()
    far, near = 1 / module.depth_net.max_depth, 1 / module.depth_net.min_depth
    place = (inverse_depth - far) / (near - far)
    moved = [(T.float() - torch.eye(4, device=T.device)).flatten(1).norm(dim=1).max() for T in motion]
    kept = [term.kept_share for term in module.active_terms.values() if term.kept_share is not None]
    values = [
        (inverse_depth.std(dim=(1, 2, 3)) / inverse_depth.mean(dim=(1, 2, 3))).max(),
        (place < END_OF_RANGE).float().mean(),
        (place > 1 - END_OF_RANGE).float().mean(),
        torch.stack(moved).max() if moved else torch.tensor(torch.inf),
        kept[0].float() if kept else torch.tensor(0.5),
    ]
    return Look(*torch.stack([value.to(inverse_depth.device) for value in values]).tolist())
