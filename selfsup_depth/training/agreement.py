"""What the processes of a run decide together."""

from __future__ import annotations

from typing import Any, NoReturn

import torch
import torch.distributed
from pytorch_lightning import Trainer


def largest_of_all(value: int, trainer: Trainer) -> int:
    """The largest value of any process; each must ask."""
    if trainer.world_size == 1:
        return value
    largest = torch.tensor(value, device=trainer.strategy.root_device)
    torch.distributed.all_reduce(largest, torch.distributed.ReduceOp.MAX)
    return int(largest)


def gather(value: Any, trainer: Trainer) -> list[Any]:
    """The values of all processes, by rank; each must ask."""
    if trainer.world_size == 1:
        return [value]
    values: list[Any] = [None] * trainer.world_size
    torch.distributed.all_gather_object(values, value)
    return values


def end_together(trainer: Trainer, ending: BaseException) -> NoReturn:
    """End a run in all processes at once; each must come here.

    Only the first process says why: an error in another one would make Lightning kill the
    first before it has said anything.
    """
    raise ending if trainer.is_global_zero else SystemExit(0)
