"""Depth of any image from a trained network: what `selfsup_depth.load` returns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from selfsup_depth.data.transforms import Framing
from selfsup_depth.errors import ConfigError, DataError
from selfsup_depth.geometry.camera import resize_intrinsics
from selfsup_depth.training.checkpoint import load_checkpoint

ImageLike = Image.Image | NDArray[Any] | Tensor
Scale = Literal["metric", "relative"]


class Prediction(NamedTuple):
    """Depth of an image, at that image's own resolution.

    depth: (H, W) z in metres, or (N, H, W) for a stack of images; float32.
    inverse_depth: the same shape, 1/m.
    scale: "metric", or "relative" where depth is known up to one unknown factor.
    K: one (3, 3), the image's intrinsics in its own pixels: those given, else those that the
        network learned; empty where neither is known.
    """

    depth: NDArray[np.float32]
    inverse_depth: NDArray[np.float32]
    scale: Scale
    K: Sequence[NDArray[np.float64]] = ()


class InverseDepthModel(Protocol):
    """What a Predictor needs of a training module."""

    def predict_inverse_depth(self, image: Tensor) -> Tensor:
        """(B, 3, h, w) in [0, 1] -> (B, 1, h, w) in 1/m."""


class Predictor:
    """A trained depth network, ready for images of any size.

    Args:
        module: the network; should be in evaluation mode and on `device`.
        size: height and width of the images that it was trained on.
        scale: whether its depth is in metres.
        device: where to compute.
        K: (3, 3) intrinsics in pixels of that size, where they were learned.
    """

    def __init__(
        self,
        module: InverseDepthModel,
        size: tuple[int, int],
        scale: Scale,
        device: torch.device | str = "cpu",
        K: Tensor | None = None,
    ) -> None:
        self.module = module
        self.size = size
        self.scale: Scale = scale
        self.device = torch.device(device)
        self.K = K

    def predict(self, image: ImageLike, K: NDArray[Any] | Tensor | None = None) -> Prediction:
        """Depth of one image or of a stack of images of one size.

        Args:
            image: a PIL image; an array (H, W), (H, W, 3) or (N, H, W, 3); or a tensor
                (3, H, W) or (N, 3, H, W). Whole numbers are 0 to 255, others 0 to 1. RGB.
                However the same picture is given, its depth is the same.
            K: (3, 3) intrinsics of the image, in place of those that were learned. The networks
                do not look at it: their metres hold for the field of view they were trained on.

        Raises:
            DataError: this is not an image.
        """
        maps = self.inverse_depth(pictures_from(image)).cpu()
        inverse_depth = maps if is_stack(image) else maps[0]
        camera = self._intrinsics(K, (maps.shape[-2], maps.shape[-1]))
        return Prediction(inverse_depth.reciprocal().numpy(), inverse_depth.numpy(), self.scale, camera)

    def _intrinsics(
        self, given: NDArray[Any] | Tensor | None, size: tuple[int, int]
    ) -> list[NDArray[np.float64]]:
        if given is not None:
            return [np.asarray(given, np.float64)]
        if self.K is None:
            return []
        return [resize_intrinsics(self.K.double(), self.size, size).numpy()]

    @torch.inference_mode()
    def inverse_depth(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Predict at the training size and bring the result back to the pictures' own.

        Args:
            pictures: RGB, all of one size.

        Returns:
            (N, H, W), 1/m, float32.
        """
        framing = Framing(self.size)
        seen = torch.stack([framing.view(picture, np.eye(3)).image for picture in pictures])
        predicted = self.module.predict_inverse_depth(seen.to(self.device)).float()
        own_size = (pictures[0].height, pictures[0].width)
        return F.interpolate(predicted, own_size, mode="bilinear", align_corners=False, antialias=True)[:, 0]


def load(path: str | Path, device: str = "auto", trust: bool = False) -> Predictor:
    """Load a trained network for prediction.

    Args:
        path: a run directory (its best checkpoint, else its last) or a checkpoint file.
        device: "auto" takes a GPU if there is one.
        trust: build classes from outside this package that the checkpoint names.

    Raises:
        CheckpointError: it cannot be read or does not fit.
        ConfigError: there is no such device.
    """
    place = device_named(device)
    loaded = load_checkpoint(Path(path), trust=trust)
    height, width = loaded.record["size"]
    module: nn.Module = loaded.module.eval().to(place)
    learned = loaded.record.get("intrinsics")
    K = torch.tensor(learned["K"]) if learned else None
    return Predictor(module, (height, width), loaded.record["scale"]["kind"], place, K)  # type: ignore[arg-type]


def device_named(name: str) -> torch.device:
    """The device of that name, proven to exist.

    Raises:
        ConfigError: it does not.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.zeros(1, device=name).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(f"there is no device {name}, in --device; use cpu or leave it out") from error


def is_stack(image: ImageLike) -> bool:
    """Whether this holds several images, not one."""
    return not isinstance(image, Image.Image) and image.ndim == 4


def pictures_from(image: ImageLike) -> list[Image.Image]:
    """One image or several as RGB pictures; see Predictor.predict.

    Raises:
        DataError: this is not an image.
    """
    if isinstance(image, Image.Image):
        return [image.convert("RGB")]
    pixels = np.asarray(
        image.detach().cpu().movedim(-3, -1) if isinstance(image, Tensor) and image.ndim > 2 else image
    )
    if pixels.ndim == 2:
        pixels = pixels[..., None].repeat(3, axis=-1)
    if pixels.ndim not in (3, 4) or pixels.shape[-1] != 3 or not pixels.size:
        raise DataError(
            f"not an image: shape {tuple(image.shape)}; give (H, W, 3) arrays or (3, H, W) tensors"
        )
    highest = 1 if np.issubdtype(pixels.dtype, np.floating) else 255
    if not ((pixels >= 0) & (pixels <= highest)).all():
        raise DataError(
            f"image values outside 0 to {highest}; give 0 to 1 as floats or 0 to 255 as whole numbers"
        )
    eight_bits = (pixels * (255 / highest)).round().astype(np.uint8)
    return [Image.fromarray(one) for one in (eight_bits if eight_bits.ndim == 4 else eight_bits[None])]
