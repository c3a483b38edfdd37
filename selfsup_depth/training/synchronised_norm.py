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
        """Exchange the layers; their tensors and names stay."""
        model = super().apply(model)
        for layer in model.modules():
            if type(layer) is nn.SyncBatchNorm:
                layer.__class__ = SynchronisedBatchNorm
        return model


class SynchronisedBatchNorm(nn.SyncBatchNorm):
    """torch's layer, which refuses a CPU, with what is missing there.

    Every process must have equally many examples.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) normalised by mean and variance over B, H, W of all processes."""
        if input.is_cuda or not self.training or torch.distributed.get_world_size() == 1:
            plain = not input.is_cuda and self.training
            return nn.modules.batchnorm._BatchNorm.forward(self, input) if plain else super().forward(input)
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
    total: Tensor = all_reduce(mean)
    return (total / torch.distributed.get_world_size())[:, None, None]
