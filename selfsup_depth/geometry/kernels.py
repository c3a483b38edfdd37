"""Small functions of tensors that a compiler turns into one pass over memory, where there is one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import torch
from torch import Tensor

from selfsup_depth.errors import first_line

log = logging.getLogger(__name__)
Result = TypeVar("Result")

# Each combination of sizes is compiled for itself: tens of seconds once, and a loop whose bounds the
# compiler knows. A pyramid has four. More than these torch does not compile of one function either.
MOST_SIGNATURES = 8

# All of a kernel stays in one loop, however much it reads and computes there: with the usual limits
# what is between would be written to memory and read again. Whatever looks a pixel up keeps the place
# within the image itself. Processes that would compile side by side would outlive the run.
OPTIONS: dict[str, str | int | bool | Callable[..., object]] = {
    "realize_reads_threshold": 1000,
    "realize_acc_reads_threshold": 1000,
    "realize_opcount_threshold": 10000,
    "assert_indirect_indexing": False,
    "compile_threads": 1,
}


class Kernel(Generic[Result]):
    """A function that is compiled when it is first called with tensors of some sizes.

    Where it cannot be compiled it runs as it is written, which one line says. Which way it runs does not
    depend on what ran before, but for the number of signatures.

    Args:
        function: of tensors and of what can be hashed, by position; without randomness.
    """

    def __init__(self, function: Callable[..., Result]) -> None:
        self.function = function
        self.compiled: Callable[..., Result] | None = None
        self.signatures: set[Hashable] = set()
        self.fault = ""

    def __call__(self, *arguments: object) -> Result:
        signature = tuple(_signature(argument) for argument in arguments)
        if signature in self.signatures and self.compiled is not None:
            return self.compiled(*arguments)
        if self.fault:
            return self.function(*arguments)
        if len(self.signatures) == MOST_SIGNATURES:
            return self._as_written(f"met more than {MOST_SIGNATURES} combinations of sizes", arguments)
        try:
            result = self._compile()(*arguments)
        except (RuntimeError, OSError) as error:
            return self._as_written(first_line(error), arguments)
        self.signatures.add(signature)
        return result

    def _compile(self) -> Callable[..., Result]:
        if self.compiled is None:
            self.compiled = torch.compile(self.function, fullgraph=True, dynamic=False, options=OPTIONS)
        return self.compiled

    def _as_written(self, fault: str, arguments: tuple[object, ...]) -> Result:
        self.fault = fault[:120]
        log.warning("note: %s is not compiled (%s); it is slower", self.function.__name__, self.fault)
        return self.function(*arguments)


def compiler_fault(device: torch.device | str = "cpu") -> str:
    """Why nothing can be compiled here; empty if it can. Takes some seconds."""
    try:
        torch.compile(_probe, dynamic=False, options=OPTIONS)(torch.zeros(2, 16, device=device))
    except (RuntimeError, OSError) as error:
        return first_line(error)[:120]
    return ""


def _probe(values: Tensor) -> Tensor:
    return values.abs() + 1


def _signature(argument: object) -> Hashable:
    if isinstance(argument, tuple | list):
        return tuple(map(_signature, argument))
    if isinstance(argument, Tensor):
        return argument.shape, argument.stride(), argument.dtype, argument.device, argument.is_inference()
    return argument
