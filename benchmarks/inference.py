"""How much faster a network is asked than it was trained: `python -m benchmarks.inference`.

One image of 640x192, the usual ResNet-18, one thread. Each round asks every variant once, and a
variant's speed is the median over the rounds of how many times faster than plain eager mode it was
in that round; by the process's own time, so that what else the machine does counts for little.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from selfsup_depth.export.onnx_file import hushed
from selfsup_depth.networks.depth import DepthNet
from selfsup_depth.networks.inference import InferenceNetwork

HEIGHT, WIDTH = 192, 640
Variant = Callable[[Tensor], object]


def variants(network: DepthNet, names: list[str], image: Tensor) -> dict[str, Variant]:
    """Ways to ask the same network, the first of which is the one to compare with."""
    folded = InferenceNetwork(network)
    eager = InferenceNetwork(network, eager=True)
    makers: dict[str, Callable[[], Variant]] = {
        "folded": lambda: folded,
        "as load asks it": lambda: eager,
        "compiled": lambda: torch.compile(eager),
        "onnxruntime": lambda: onnx_session(folded, image),
    }
    return {"plain": network, **{name: makers[name]() for name in names or makers}}


def onnx_session(network: InferenceNetwork, image: Tensor) -> Variant:
    """The exported graph in onnxruntime."""
    import onnxruntime

    file = io.BytesIO()
    with hushed():
        program = torch.onnx.export(network, (image,), dynamo=True, input_names=["image"], verbose=False)
    assert program is not None
    program.save(file)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])
    return lambda image: session.run(None, {"image": image.numpy()})


def seconds(variant: Variant, image: Tensor) -> float:
    """Time that the process spends on one answer."""
    start = time.process_time()
    variant(image)
    return time.process_time() - start


@torch.inference_mode()
def main() -> None:
    """Time the variants in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--norm", choices=["batch", "group"], default="batch")
    parser.add_argument("names", nargs="*", metavar="VARIANT", help="default: all")
    given = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    image = torch.rand(1, 3, HEIGHT, WIDTH)
    chosen = variants(DepthNet(18, norm=given.norm).eval(), given.names, image)
    for variant in chosen.values():
        variant(image)  # compiles, and fills caches
    rounds = [
        {name: seconds(variant, image) for name, variant in chosen.items()} for _ in range(given.rounds)
    ]
    print(f"{WIDTH}x{HEIGHT}, one thread, torch {torch.__version__}, {given.rounds} rounds")
    for name in chosen:
        ratios = [one["plain"] / one[name] for one in rounds]
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(f"{name:<24}{middle:6.2f} times plain eager mode (quartiles {low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
