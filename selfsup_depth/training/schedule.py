"""When something that is done now and then is due."""

from __future__ import annotations


def is_due(step: int, every_n_steps: int) -> bool:
    """Whether a thing done every n steps is due after this step; n = 0 means never."""
    return every_n_steps > 0 and step > 0 and step % every_n_steps == 0
