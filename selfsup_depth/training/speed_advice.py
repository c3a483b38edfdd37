"""What limits a run's speed, in plain words, and which options would help."""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import torch
from pytorch_lightning import Trainer

from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.modules.base import SelfSupervisedDepth
from selfsup_depth.training.speed import NOTABLE, Speed

# How processors name their units for bfloat16; without them it is three times slower than float32.
BF16_UNITS = {"avx512_bf16", "amx_bf16", "bf16"}


class Circumstances(NamedTuple):
    """What a run's speed depends on.

    num_workers: processes that read, of each process that trains.
    cores: for each process that trains.
    decodes: whether every epoch decodes its images again.
    can_be_packed: whether `data.packed` goes with the other options.
    on_gpu: where it is trained.
    unused_gpu: whether there is one, and it is not used.
    full_precision: whether the networks compute in float32.
    has_bf16: whether the device computes in bfloat16 by itself.
    can_compile: whether nothing is compiled, and a compiler is there.
    """

    num_workers: int
    cores: int
    decodes: bool
    can_be_packed: bool
    on_gpu: bool
    unused_gpu: bool
    full_precision: bool
    has_bf16: bool
    can_compile: bool


def advice(speed: Speed, at: Circumstances) -> str:
    """One line: what limits the run, and what would help."""
    if speed.waiting_share > NOTABLE:
        return f"limited by reading the data; {_for_reading(speed.waiting_share, at)}"
    where = "GPU" if at.on_gpu else "CPU"
    return f"limited by the networks on the {where}; faster: {', '.join(_for_networks(at))}"


def _for_reading(waiting_share: float, at: Circumstances) -> str:
    # Waiting for a share of the time, so many readers keep up.
    needed = math.ceil(max(1, at.num_workers) / max(1 - waiting_share, 0.05))
    num_workers = min(at.cores, max(needed, at.num_workers + 1))
    helps = [f"--data.num_workers={num_workers}"] if at.num_workers < at.cores else []
    if at.decodes and at.can_be_packed:
        helps.append("--data.packed=true, which decodes and resizes every image once")
    if not helps:
        return f"all {at.cores} cores read already: a faster disk or more cores would help"
    return f"faster: {', or '.join(helps)}"


def _for_networks(at: Circumstances) -> list[str]:
    helps = ["--trainer.accelerator=gpu"] if at.unused_gpu else []
    if at.full_precision and at.has_bf16:
        helps.append("--trainer.precision=bf16-mixed")
    if at.can_compile:
        helps.append("--model.compile=objective")
    helps.append("smaller images (--data.height, --data.width)")
    return helps if at.on_gpu or at.unused_gpu else [*helps, "a GPU"]


def circumstances(trainer: Trainer, module: SelfSupervisedDepth, data: DepthDataModule) -> Circumstances:
    """Of a run that has trained."""
    device = trainer.strategy.root_device
    on_gpu = device.type == "cuda"
    return Circumstances(
        data.num_workers,
        max(1, num_cores() // max(1, trainer.world_size // trainer.num_nodes)),
        decodes=not data.packed,
        can_be_packed=data.augmentation.zoom == 1,
        on_gpu=on_gpu,
        unused_gpu=not on_gpu and torch.cuda.is_available(),
        full_precision=str(trainer.precision).startswith("32"),
        has_bf16=torch.cuda.is_bf16_supported(including_emulation=False) if on_gpu else cpu_has_bf16(),
        can_compile=module.compilation == "none" and has_compiler(),
    )


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_has_bf16() -> bool:
    """Whether the processor computes in bfloat16; False where it does not tell."""
    try:
        return bool(BF16_UNITS & set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split()))
    except OSError:
        return False


def has_compiler() -> bool:
    """Whether a compiler of C++ is there; whether it works is for who compiles to find out."""
    return any(shutil.which(name) for name in (os.environ.get("CXX") or "c++", "g++", "clang++"))
