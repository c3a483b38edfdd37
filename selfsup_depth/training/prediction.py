"""Depth of any image from a trained network: what `selfsup_depth.load` returns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from selfsup_depth.data.camera_files import StatedCamera
from selfsup_depth.data.transforms import Framing, in_unit_range
from selfsup_depth.evaluation.flip import predict_with_flip
from selfsup_depth.geometry.camera import resize_intrinsics
from selfsup_depth.networks.motion import PoseNetwork
from selfsup_depth.training.checkpoint import load_checkpoint
from selfsup_depth.training.devices import device_named
from selfsup_depth.training.image_like import ImageLike, is_stack, pictures_from
from selfsup_depth.training.network_to_ask import InverseDepthModel, module_to_ask
from selfsup_depth.training.predicted_depth import Facts, Prediction, Scale
from selfsup_depth.training.record import hash_of_record
from selfsup_depth.training.training_camera import recorded_cameras


class Predictor:
    """A trained depth network, ready for images of any size.

    Args:
        module: the network; should be in evaluation mode and on `device`.
        size: height and width of the images that it was trained on.
        scale: whether its depth is in metres.
        device: where to compute.
        K: (3, 3) intrinsics in pixels of that size, where they were learned.
        depth_range: the nearest and the farthest depth that the network can tell.
        cameras: the one that took the training images, as learned or else as the data say; none
            where there were several.
        flip: predict for the mirrored image, too, and join both.
        config_sha256: of the training configuration.
        pose_nets: the network of motion that was trained beside it; none where there is none.

    Attributes:
        factor: all depth is multiplied by it; see `set_scale`.
    """

    def __init__(
        self,
        module: InverseDepthModel,
        size: tuple[int, int],
        scale: Scale,
        device: torch.device | str = "cpu",
        K: Tensor | None = None,
        depth_range: Sequence[float] = (),
        cameras: Sequence[StatedCamera] = (),
        flip: bool = False,
        config_sha256: str = "",
        pose_nets: Sequence[PoseNetwork] = (),
    ) -> None:
        self.module = module
        self.size = size
        self.scale: Scale = scale
        self.device = torch.device(device)
        self.K, self.depth_range = K, depth_range
        self.cameras = cameras
        self.flip = flip
        self.config_sha256 = config_sha256
        self.pose_nets = pose_nets
        self.factor = 1.0

    def set_scale(self, factor: float) -> None:
        """Say how many metres the network's unit is; what it predicts from here on is metric."""
        self.factor, self.scale = factor, "metric"

    @property
    def facts(self) -> Facts:
        """What files of its predictions say about it."""
        focal = [float(camera.K[0, 0]) / camera.size[1] for camera in self.cameras if camera.size]
        depth_range = [limit * self.factor for limit in self.depth_range]
        return Facts(self.scale, self.size, depth_range, focal, self.config_sha256)

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
        pictures = pictures_from(image)
        maps = self.inverse_depths(pictures)
        size = (pictures[0].height, pictures[0].width)
        return self._prediction(torch.stack(maps) if is_stack(image) else maps[0], K, size)

    def predict_each(
        self, pictures: Sequence[Image.Image], K: Sequence[NDArray[np.float64] | None] = ()
    ) -> list[Prediction]:
        """Depth of pictures of any sizes, computed together.

        Args:
            pictures: RGB.
            K: intrinsics of each, where they are known; see `predict`.
        """
        given = K or [None] * len(pictures)
        return [
            self._prediction(rho, camera, (picture.height, picture.width))
            for rho, camera, picture in zip(self.inverse_depths(pictures), given, pictures, strict=True)
        ]

    def _prediction(
        self, inverse_depth: Tensor, K: NDArray[Any] | Tensor | None, size: tuple[int, int]
    ) -> Prediction:
        depth = inverse_depth.reciprocal().numpy()
        facts = self.facts
        return Prediction(
            depth, inverse_depth.numpy(), self.scale, self._intrinsics(K, size), facts.depth_range
        )

    def _intrinsics(
        self, given: NDArray[Any] | Tensor | None, size: tuple[int, int]
    ) -> list[NDArray[np.float64]]:
        if given is not None:
            return [np.asarray(given, np.float64)]
        if self.K is None:
            return []
        return [resize_intrinsics(self.K.double(), self.size, size).numpy()]

    def seen(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Pictures as the networks see them: (N, 3, h, w) in [0, 1] at the training size."""
        framing = Framing(self.size)
        images = torch.stack([framing.view(np.array(picture), np.eye(3)).image for picture in pictures])
        return in_unit_range(images.to(self.device))

    @torch.inference_mode()
    def inverse_depths(self, pictures: Sequence[Image.Image]) -> list[Tensor]:
        """Predict at the training size and bring each result back to its picture's own.

        Args:
            pictures: RGB, of any sizes.

        Returns:
            (H, W) of each, 1/m, float32, in the main memory.
        """
        seen = self.seen(pictures)
        predict = self.module.predict_inverse_depth
        predicted = (predict_with_flip(predict, seen)[0] if self.flip else predict(seen)).float()
        predicted = predicted / self.factor
        return [
            F.interpolate(
                one[None],
                (picture.height, picture.width),
                mode="bilinear",
                align_corners=False,
                antialias=True,
            )[0, 0].cpu()
            for one, picture in zip(predicted, pictures, strict=True)
        ]


def load(path: str | Path, device: str = "auto", trust: bool = False, flip: bool = False) -> Predictor:
    """Load a trained network for prediction.

    Args:
        path: a run directory (its best checkpoint, else its last), a checkpoint file, or a folder of
            weights: with safetensors as `export` writes it, or in Monodepth2's format.
        device: "auto" takes a GPU if there is one.
        trust: build classes from outside this package that the checkpoint names.
        flip: predict for the mirrored image, too, and join both; twice the work.

    Raises:
        CheckpointError: it cannot be read or does not fit.
        ConfigError: there is no such device.
    """
    place = device_named(device)
    loaded = load_checkpoint(Path(path), trust=trust)
    record = loaded.record
    height, width = record["size"]
    trained = loaded.module.to(place).eval()
    pose_net = getattr(trained, "pose_net", None)
    learned = record.get("intrinsics")
    K = torch.tensor(learned["K"]) if learned else None
    return Predictor(
        module_to_ask(trained),
        (height, width),
        record["scale"]["kind"],
        place,
        K,
        record["depth_range"],
        recorded_cameras(record, loaded.path),
        flip,
        hash_of_record(record),
        [pose_net] if pose_net is not None else [],
    )
