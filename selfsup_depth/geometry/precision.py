"""Islands of full precision inside mixed-precision training.

bfloat16 cannot hold a pixel coordinate beyond 256, and the variances of SSIM cancel in
float16, so geometry and photometric error run in float32 (or float64, where a test gives it).
"""

from __future__ import annotations

import torch
from torch import Tensor


def at_least_float32(tensor: Tensor) -> Tensor:
    """The tensor itself, or its float32 copy where it is in half precision."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def full_precision(like: Tensor) -> torch.autocast:
    """Context in which autocast does not lower the precision on the device of `like`."""
    return torch.autocast(like.device.type, enabled=False)
