"""The top-level keys of a training configuration, and the class whose constructor is each one's schema."""

from __future__ import annotations

from pytorch_lightning import Trainer

from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.modules.base import SelfSupervisedDepth
from selfsup_depth.modules.optimization import Optimization
from selfsup_depth.modules.view_synthesis import ViewSynthesis
from selfsup_depth.training.configuration import Section

# What a run decides by itself: where it writes and what is done at which step.
SET_BY_THE_RUN = frozenset(
    {
        "logger",
        "callbacks",
        "default_root_dir",
        "enable_checkpointing",
        "enable_progress_bar",
        "enable_model_summary",
        "gradient_clip_val",
        "gradient_clip_algorithm",
        "use_distributed_sampler",
        "reload_dataloaders_every_n_epochs",
        "model_registry",
        "plugins",
        "profiler",
    }
)

# Two processes with batches of b are to learn what one learns from 2 b.
TRAINER_DEFAULTS = {"sync_batchnorm": True}

MODEL = Section(SelfSupervisedDepth, default=ViewSynthesis)

SECTIONS = {
    "model": MODEL,
    # The run's seed is the data's, too.
    "data": Section(DepthDataModule, skip=frozenset({"seed"})),
    "optimizer": Section(Optimization),
    "trainer": Section(Trainer, skip=SET_BY_THE_RUN, built=False, defaults=TRAINER_DEFAULTS),
    "seed": Section(int, value=0),
    # Numbered checkpoints that are kept; steps between saves, 0: a tenth of the run.
    "keep": Section(int, value=0),
    "save_every": Section(int, value=0),
    # Seconds that a process of a distributed run may leave the others without an answer.
    "process_timeout": Section(float, value=600.0),
}
