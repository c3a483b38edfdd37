"""What is asked for depth once training is over."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from selfsup_depth.modules.base import SelfSupervisedDepth
from selfsup_depth.networks.inference import InferenceNetwork


class InverseDepthModel(Protocol):
    """What a Predictor needs of a training module."""

    def predict_inverse_depth(self, image: Tensor) -> Tensor:
        """(B, 3, h, w) in [0, 1] -> (B, 1, h, w) in 1/m."""


def module_to_ask(trained: SelfSupervisedDepth) -> SelfSupervisedDepth | InferenceNetwork:
    """The trained network as it is fastest to ask; one that says its depth in its own way as it is."""
    if type(trained).predict_inverse_depth is SelfSupervisedDepth.predict_inverse_depth:
        return InferenceNetwork(trained.depth_net, eager=True)
    return trained
