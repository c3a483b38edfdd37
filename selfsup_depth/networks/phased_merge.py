"""Convolving a doubled map without doubling it, for inference."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selfsup_depth.networks.depth import DepthDecoder, Merge, ReflectedConv3x3


class PhasedMerge(nn.Module):
    """Says what a Merge with skipped features says, in fewer multiplications and without joining maps.

    In a map that repeats each value twice, a kernel of three sees two different values: the one
    before and the pixel's own (w0 | w1 + w2) where the repetition begins, its own and the one behind
    (w0 + w1 | w2) where it ends. Hence four kernels of 2x2 on the small map, one for each of the
    pixels that a value becomes: 4 multiplications instead of 9. A doubled map that is reflected at
    its border is the small one repeated there.

    Args:
        merge: trained; has skipped features.
        num_doubled: how many of its input channels are those of the map to be doubled.
    """

    def __init__(self, merge: Merge, num_doubled: int) -> None:
        super().__init__()
        weight, bias = merge.conv.weight.data, merge.conv.bias
        assert bias is not None
        self.doubled = nn.Conv2d(num_doubled, 4 * len(weight), 2, bias=False)
        kernels = [kernel for down in halves(weight[:, :num_doubled], 2) for kernel in halves(down, 3)]
        self.doubled.weight = nn.Parameter(torch.cat(kernels), requires_grad=False)
        self.skipped = ReflectedConv3x3(weight.shape[1] - num_doubled, len(weight))
        self.skipped.weight = nn.Parameter(weight[:, num_doubled:], requires_grad=False)
        self.skipped.bias = bias
        self.elu = merge.elu

    def forward(self, x: Tensor, skipped: list[Tensor]) -> Tensor:
        """(B, c, h, w) and (B, s, 2h, 2w) to (B, out_channels, 2h, 2w)."""
        height, width = x.shape[-2:]
        result: Tensor = self.skipped(*skipped)
        phases = self.doubled(F.pad(x, [1] * 4, mode="replicate")).chunk(4, dim=1)
        for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
            phase = phases[2 * row + column][..., row : row + height, column : column + width]
            result[..., row::2, column::2] += phase
        return self.elu(result)  # type: ignore[no-any-return]


def phase_merges(decoder: DepthDecoder) -> None:
    """Replace all merges that have skipped features, in place."""
    for level in range(1, len(decoder.merge)):
        merge, reduce = decoder.merge[level], decoder.reduce[level]
        assert isinstance(merge, Merge)
        decoder.merge[level] = PhasedMerge(merge, reduce.conv.out_channels)  # type: ignore[union-attr,arg-type]


def halves(weight: Tensor, dim: int) -> list[Tensor]:
    """A kernel of three as the two kernels of two that a doubled map sees, along one dimension."""
    before, at, behind = weight.unbind(dim)
    return [torch.stack([before, at + behind], dim), torch.stack([before + at, behind], dim)]
