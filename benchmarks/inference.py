"""How much faster a network is asked than it was trained: `python -m benchmarks.inference`.

One image of 640x192, the usual ResNet-18, in turns with plain eager mode: see race.py.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.race import Contender, alone, race
from selfsup_depth.export.onnx_file import hushed
from selfsup_depth.networks.depth import DepthNet
from selfsup_depth.networks.inference import InferenceNetwork

HEIGHT, WIDTH = 192, 640
Variant = Callable[[Tensor], object]


def contenders(image: Tensor, names: list[str], norm: str = "batch") -> dict[str, Contender]:
    """Ways to ask the same network about an image, the first of which is the one to compare with.

    Args:
        image: (1, 3, H, W) in [0, 1].
        names: of some; empty: all.
        norm: the network's normalisation.
    """
    network = DepthNet(18, norm=norm).eval()
    folded = InferenceNetwork(network)
    eager = InferenceNetwork(network, eager=True)
    makers: dict[str, Callable[[], Variant]] = {
        "folded": lambda: folded,
        "as load asks it": lambda: eager,
        "compiled": lambda: torch.compile(eager),
        "onnxruntime": lambda: onnx_session(folded, image),
    }
    variants = {"plain": network, **{name: makers[name]() for name in names or makers}}
    return {name: partial(variant, image) for name, variant in variants.items()}


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


@torch.inference_mode()
def main() -> None:
    """Time the variants in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--norm", choices=["batch", "group"], default="batch")
    parser.add_argument("names", nargs="*", metavar="VARIANT", help="default: all")
    given = parser.parse_args()
    alone()
    paces = race(contenders(torch.rand(1, 3, HEIGHT, WIDTH), given.names, given.norm), given.rounds)
    print(f"{WIDTH}x{HEIGHT}, one thread, torch {torch.__version__}, {given.rounds} rounds")
    for name, pace in paces.items():
        print(f"{name:<24}{pace.ratio:6.2f} times plain eager mode ({pace.lowest:.2f} to {pace.highest:.2f})")


if __name__ == "__main__":
    main()
