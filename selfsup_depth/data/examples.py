"""Examples as they are read from disk: for training, and with measured depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset

from selfsup_depth.data.augmentation import Augmentation
from selfsup_depth.data.mask_files import read_mask
from selfsup_depth.data.packing import PackedFrames
from selfsup_depth.data.recording import Camera, Matrix, Recording
from selfsup_depth.data.selection import OTHER_SIDE, Example, Needs
from selfsup_depth.data.transforms import Framing
from selfsup_depth.structures import Batch, Measured, PosedView, VideoView, View

# Motion between two frames of one camera by (recording, side, earlier index, later index).
PairKey = tuple[str, str, int, int]
Motions = Mapping[PairKey, Matrix]


class TrainingExamples(Dataset[Batch]):
    """Targets with their sources, augmented.

    An item's key is (epoch, index), and everything random follows from it.

    Args:
        examples: the targets.
        needs: which sources each has.
        size: height and width of the images.
        augmentation: what is changed at random.
        seed: of the augmentation.
        motions: motion from the earlier to the later frame of pairs, where it is known.
        packed: the frames as they are trained on, made beforehand; None = they are read and resized.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        needs: Needs,
        size: tuple[int, int],
        augmentation: Augmentation,
        seed: int,
        motions: Motions,
        packed: PackedFrames | None = None,
    ) -> None:
        self.examples = examples
        self.needs = needs
        self.size = size
        self.augmentation = augmentation
        self.seed = seed
        self.motions = motions
        self.packed = packed
        # Examples are stacked, so that all have a mask or none.
        self.masked = any(example.camera.mask for example in examples)

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, key: tuple[int, int]) -> Batch:
        epoch, index = key
        example = self.examples[index]
        framing, jitter = self.augmentation.draw(self.size, self.seed, epoch, index)
        target = self._view(example.recording, example.side, example.frame_index, framing)
        video = [self._neighbour(example, offset, framing) for offset in self.needs.video]
        stereo = [self._other_camera(example, framing)] if self.needs.stereo else []
        measured = [_measured(example, framing)] if self.needs.measured else []
        counted = [_counted(example, framing)] if self.masked else []
        return Batch(target, video, stereo, jitter, measured, counted)

    def _neighbour(self, example: Example, offset: int, framing: Framing) -> VideoView:
        recording, side, index = example
        camera = recording.cameras[side]
        seconds = camera.frames[index + offset].seconds - camera.frames[index].seconds
        return VideoView(
            self._view(recording, side, index + offset, framing),
            torch.tensor(seconds, dtype=torch.float32),
            torch.tensor(recording.travelled(side, index, index + offset), dtype=torch.float32),
            self._motion(example, offset, framing),
        )

    def _other_camera(self, example: Example, framing: Framing) -> PosedView:
        recording, side, index = example
        other = OTHER_SIDE[side]
        view = self._view(recording, other, index, framing)
        return PosedView(view, framing.motion(recording.T_between(side, other)))

    def _view(self, recording: Recording, side: str, index: int, framing: Framing) -> View:
        camera = recording.cameras[side]
        if self.packed is None:
            return _view(camera, index, framing, framing.reduction(camera.size))
        return self.packed.view((recording.name, side, index), camera, framing)

    def _motion(self, example: Example, offset: int, framing: Framing) -> Tensor:
        """Two-view motion from the target to its neighbour; NaN = none."""
        recording, side, index = example
        earlier, later = sorted((index, index + offset))
        motion = self.motions.get((recording.name, side, earlier, later))
        if motion is None:
            return torch.full((4, 4), torch.nan)
        T_earlier_to_later = torch.from_numpy(motion)
        T = T_earlier_to_later if offset > 0 else torch.linalg.inv(T_earlier_to_later)
        return framing.motion(T.numpy())


class MeasuredExamples(Dataset[Measured]):
    """Views with measured depth at its own resolution, as they are.

    Args:
        examples: frames that have measured depth.
        size: height and width of the images.
    """

    def __init__(self, examples: Sequence[Example], size: tuple[int, int]) -> None:
        self.examples = examples
        self.size = size

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> Measured:
        example = self.examples[index]
        source = example.frame.measured
        assert source is not None, "only frames with measured depth are given"
        depth = torch.from_numpy(source.read())[None]
        return Measured(_view(example.camera, example.frame_index, Framing(self.size)), depth)


def _measured(example: Example, framing: Framing) -> Tensor:
    """Measured depth of the target's pixels, (1, H, W) metres, 0 = none."""
    source = example.frame.measured
    if source is None:
        return torch.zeros(1, *framing.size)
    return torch.from_numpy(framing.depth(source.read()))[None]


def _counted(example: Example, framing: Framing) -> Tensor:
    """Which of the target's pixels count, (1, H, W)."""
    mask = example.camera.mask
    return torch.ones(1, *framing.size, dtype=torch.bool) if mask is None else framing.mask(read_mask(mask))


def _view(camera: Camera, index: int, framing: Framing, reduction: int = 1) -> View:
    pixels = camera.frames[index].image.pixels(camera.size, reduction)
    return framing.view(pixels, camera.K, camera.size)
