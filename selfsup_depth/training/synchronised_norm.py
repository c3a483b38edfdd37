"""Batch normalisation by the statistics of all processes' examples, on any device."""

from __future__ import annotations

import torch
import torch.distributed
from pytorch_lightning.plugins.layer_sync import TorchSyncBatchNorm
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce

from selfsup_depth.geometry.precision import at_least_float32


class SynchronisedNorms(TorchSyncBatchNorm):
    """Lightning's way to make a module's batch normalisations one over all processes."""

    def apply(self, model: nn.Module) -> nn.Module:
        """Exchange the layers: for torch's, or on a CPU, which those refuse, for ours."""
        if next(model.parameters()).is_cuda:
            return super().apply(model)
        return _exchange(model, nn.BatchNorm2d, SynchronisedBatchNorm)

    def revert(self, model: nn.Module) -> nn.Module:
        """Make it the module that it was."""
        return _exchange(super().revert(model), SynchronisedBatchNorm, nn.BatchNorm2d)


def _exchange(model: nn.Module, old: type[nn.Module], new: type[nn.Module]) -> nn.Module:
    """Let layers of one class be of another; their tensors stay what the optimizer knows."""
    for layer in model.modules():
        if type(layer) is old:
            layer.__class__ = new
    return model


class SynchronisedBatchNorm(nn.BatchNorm2d):
    """Training with the statistics of all processes, which must have equally many examples."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) normalised by mean and variance over B, H and W of all processes."""
        if not self.training:
            return super().forward(input)
        values = at_least_float32(input)
        # Two means in turn: the mean square less the squared mean cancels in float32.
        mean = _mean_over_processes(values)
        centred = values - mean
        variance = _mean_over_processes(centred.square())
        self._track(mean.detach().flatten(), variance.detach().flatten(), input.numel() // input.shape[1])
        normalised = centred * (variance + self.eps).rsqrt()
        if self.affine:
            normalised = normalised * self.weight[:, None, None] + self.bias[:, None, None]
        return normalised.to(input.dtype)

    def _track(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running statistics, the variance as that of a sample."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        count *= torch.distributed.get_world_size()
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean), share)
        self.running_var.lerp_((variance * count / max(1, count - 1)).to(self.running_var), share)


def _mean_over_processes(values: Tensor) -> Tensor:
    """Mean of (B, C, H, W) over all but C, (C, 1, 1); the gradient goes to all processes."""
    mean = values.mean(dim=(0, 2, 3))
    total: Tensor = all_reduce(mean)  # type: ignore[no-untyped-call]
    return (total / torch.distributed.get_world_size())[:, None, None]
