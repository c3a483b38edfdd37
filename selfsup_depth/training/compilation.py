"""What is compiled, where a compiler works: a run's objective, a network for prediction."""

from __future__ import annotations

import torch

from selfsup_depth.errors import first_line
from selfsup_depth.geometry.kernels import compiler_fault
from selfsup_depth.modules.base import SelfSupervisedDepth
from selfsup_depth.training.network_to_ask import InverseDepthModel
from selfsup_depth.training.prediction import Predictor


class _Compiled:
    """Predicts as the module does.

    Args:
        module: the network.
    """

    def __init__(self, module: InverseDepthModel) -> None:
        self.predict_inverse_depth = torch.compile(module.predict_inverse_depth)


def compile_predictor(predictor: Predictor, batch_size: int) -> str:
    """Compile the network of a predictor, proven by a first prediction.

    Args:
        predictor: stays as it is where compiling fails.
        batch_size: of the pictures to come.

    Returns:
        Why it is not compiled; empty if it is.
    """
    compiled = _Compiled(predictor.module)
    try:
        with torch.inference_mode():
            compiled.predict_inverse_depth(
                torch.zeros(batch_size, 3, *predictor.size, device=predictor.device)
            )
    except (RuntimeError, OSError) as error:
        return first_line(error)[:120]
    predictor.module = compiled
    return ""


def compile_for_training(module: SelfSupervisedDepth, device: torch.device) -> str:
    """Prepare a run's module as its `compile` says, or, where there is no compiler, to do without.

    Args:
        module: compiled when it first sees a batch.
        device: that it is trained on.

    Returns:
        One line that says what is compiled.
    """
    if module.compilation == "none":
        return "objective: not compiled (model.compile: none)"
    if fault := compiler_fault(device):
        module.compile_objective(False)
        return f"note: objective not compiled ({fault}); training all the same, more slowly"
    return "objective: in compiled kernels, the first step waits for the compiler"
