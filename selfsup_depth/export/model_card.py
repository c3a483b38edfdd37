"""The README.md of a network in the layout of the Hugging Face hub: its model card."""

from __future__ import annotations

import re
from typing import Any

from selfsup_depth.export.metadata import UNSTATED_LICENCE, Metadata

TEXT = """\
---
library_name: selfsup-depth
pipeline_tag: depth-estimation
license: {hub_licence}
tags:
- depth-estimation
- self-supervised-learning
---

# {network}: depth from one image

Trained without measured depth by selfsup-depth {version}.

| | |
|---|---|
| scale | {scale_in_words} |
| depth range | {nearest:g} to {farthest:g}{in_metres} |
| training images | {width} x {height} (width x height) |
| training camera | {focal_in_words} |
| input | {normalisation} |
| licence of the weights | {licence} |
| SHA-256 of the training configuration | {config_sha256} |

Its depth holds for cameras with a field of view like that of training.

```python
import selfsup_depth

predictor = selfsup_depth.load("FOLDER")
prediction = predictor.predict(picture)  # a PIL image, of any size
prediction.depth, prediction.inverse_depth, prediction.scale
```

Loss terms: {losses}.
"""


def model_card(metadata: Metadata, model: dict[str, Any]) -> str:
    """The card's text.

    Args:
        metadata: of the network.
        model: section of the training configuration.
    """
    metric = metadata.scale == "metric"
    # With every default written out, the arguments of a class stand under init_args.
    parts = model.get("init_args", model)
    focal = [f"focal length {focal:.4f} of the image's width" for focal in metadata.focal]
    return TEXT.format(
        **metadata._asdict(),
        network=short_name(parts.get("depth_net")),
        hub_licence=hub_licence(metadata.licence),
        scale_in_words="metric, in metres" if metric else "relative: up to one unknown factor",
        in_metres=" m" if metric else "",
        nearest=metadata.depth_range[0],
        farthest=metadata.depth_range[1],
        focal_in_words=next(iter(focal), "unknown"),
        losses=", ".join(parts.get("losses") or {}) or "unknown",
    )


def hub_licence(licence: str) -> str:
    """A licence by the hub's name for it, which is never a sentence."""
    if licence == UNSTATED_LICENCE:
        return "unknown"
    return licence.lower() if re.fullmatch(r"[A-Za-z][\w.-]*", licence) else "other"


def short_name(part: Any) -> str:
    """The class that a section of a configuration names, without its module."""
    named = part.get("class_path", "DepthNet") if isinstance(part, dict) else "DepthNet"
    return str(named).rpartition(".")[2]
