"""What torch.hub finds: `torch.hub.load(THIS_FOLDER, "depth", "runs/demo", source="local")`."""

from __future__ import annotations

from pathlib import Path

from selfsup_depth import Predictor, load

dependencies = ["torch", "pytorch_lightning", "kornia", "jsonargparse", "numpy", "PIL", "yaml"]


def depth(path: str | Path, device: str = "auto", trust: bool = False) -> Predictor:
    """A trained network, ready for images of any size.

    Args:
        path: a run, a checkpoint, or a folder of weights; see `selfsup_depth.load`.
        device: "auto" takes a GPU if there is one.
        trust: build classes from outside the package that the checkpoint names.
    """
    return load(path, device, trust)
