"""How long the parts of a training step take: `make benchmark`, or `python -m benchmarks`.

Milliseconds, the median of ten, forward and backward, small networks at 416x128, batch 4.
Compare numbers of one machine with each other only.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from selfsup_depth.geometry.view_synthesis import synthesize
from selfsup_depth.losses.photometric import Photometric
from selfsup_depth.losses.smoothness import Smoothness
from selfsup_depth.modules.view_synthesis import ViewSynthesis
from selfsup_depth.networks.depth import DepthNet
from selfsup_depth.structures import Batch, DepthEstimate, PosedView, View

BATCH, HEIGHT, WIDTH = 4, 128, 416
REPETITIONS = 10


def stereo_batch() -> Batch:
    """Noise as images; speed does not depend on what they show."""
    K = torch.tensor([[240.0, 0, WIDTH / 2], [0, 240, HEIGHT / 2], [0, 0, 1]]).expand(BATCH, 3, 3)
    T = torch.eye(4).repeat(BATCH, 1, 1)
    T[:, 0, 3] = -0.54
    views = [View(torch.rand(BATCH, 3, HEIGHT, WIDTH), K) for _ in range(2)]
    return Batch(views[0], [], [PosedView(views[1], T)], [])


def milliseconds(part: Callable[[], Tensor]) -> float:
    """Median time of a part and of its gradient, after one run that is not counted."""
    times = []
    for _ in range(REPETITIONS + 1):
        start = time.perf_counter()
        part().sum().backward()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[1:])


def main() -> None:
    """Time each part and print a table."""
    torch.manual_seed(0)
    batch = stereo_batch()
    source = batch.stereo[0]
    depth_net = DepthNet(width=0.25, norm="group")
    module = ViewSynthesis(depth_net, {"photometric": Photometric(), "smoothness": Smoothness(weight=1e-3)})
    rho = torch.full((BATCH, 1, HEIGHT, WIDTH), 0.1, requires_grad=True)

    def photometric() -> Tensor:
        synthesis = synthesize(batch.target, source, rho)
        return Photometric()(batch, [DepthEstimate(0, rho, [synthesis], [source], [], [])])

    parts = {
        "depth network": lambda: depth_net(batch.target.image)[0],
        "view synthesis": lambda: synthesize(batch.target, source, rho).image,
        "view synthesis and photometric": photometric,
        "whole step, four levels": lambda: torch.stack(
            list(module.objective(batch, module.estimate(batch)).values())
        ),
    }
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    for name, part in parts.items():
        print(f"{name:<32}{milliseconds(part):8.1f} ms")


if __name__ == "__main__":
    main()
