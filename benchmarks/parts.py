"""What is raced: each part is a few contenders that do the same work, the published way first.

A part imports what it needs when it is raced: memory that another one's libraries have left lying
about would spare a contender with large maps from asking for its own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.race import Contender

# Work so small that everything is tried within a minute; its numbers say nothing.
TINY: dict[str, Any] = {"batch": 1, "size": (32, 64)}


class How(NamedTuple):
    """How a benchmark is done.

    quick: tiny sizes.
    wall: look at the wall clock, too.
    peer: a checkout of monodepth2, if there is one.
    """

    quick: bool = False
    wall: bool = True
    peer: Path | None = None

    @property
    def sizes(self) -> dict[str, Any]:
        return TINY if self.quick else {}


class Part(NamedTuple):
    """A race.

    contenders: prepares them, and cleans up.
    in_torch: whether torch allocates the memory and has the threads; else neither is looked at.
    repeat: runs in one turn.
    """

    contenders: Callable[[How], AbstractContextManager[dict[str, Contender]]]
    in_torch: bool
    repeat: int = 1


@contextmanager
def objectives(how: How) -> Iterator[dict[str, Contender]]:
    """Forward and backward of the objective, after value and gradients have been compared."""
    from benchmarks import objective, peer

    objective.check_agreement(**how.sizes)
    data = objective.work(**how.sizes)
    contenders = {name: objective.forward_and_backward(way, data) for name, way in objective.WAYS.items()}
    if how.peer:
        theirs = peer.objective_of(how.peer, data)
        print(f"objective, peer: value {theirs(data):.5f}, published {objective.published(data):.5f}")
        contenders["peer"] = objective.forward_and_backward(theirs, data)
    yield contenders


@contextmanager
def steps(how: How) -> Iterator[dict[str, Contender]]:
    """Whole training steps."""
    from benchmarks import objective, training_step

    yield training_step.contenders(objective.work(**how.sizes))


@contextmanager
def loaders(how: How) -> Iterator[dict[str, Contender]]:
    """A batch of examples of three frames, from photographs and from packed frames."""
    from benchmarks import loader

    with tempfile.TemporaryDirectory() as folder:
        yield loader.contenders(Path(folder))


@contextmanager
def errors(how: How) -> Iterator[dict[str, Contender]]:
    """Depth errors of some images of KITTI's size."""
    from benchmarks import metrics

    yield metrics.contenders(2 if how.quick else 16)


@contextmanager
def networks(how: How) -> Iterator[dict[str, Contender]]:
    """The depth network's answer to one image."""
    import torch

    from benchmarks import inference

    names = ["as load asks it"] if how.quick else []
    size = how.sizes.get("size", (inference.HEIGHT, inference.WIDTH))
    with torch.inference_mode():
        yield inference.contenders(torch.rand(1, 3, *size), names)


PARTS = {
    "objective": Part(objectives, in_torch=True),
    "step": Part(steps, in_torch=True),
    "loader": Part(loaders, in_torch=False, repeat=5),
    "metrics": Part(errors, in_torch=False),
    "inference": Part(networks, in_torch=True),
}
