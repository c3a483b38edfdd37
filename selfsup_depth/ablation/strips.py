"""What each variant predicts for the same few images, kept as small files beside the runs."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from selfsup_depth.ablation.outcomes import Outcome, State
from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.data.loading import on_device
from selfsup_depth.errors import SelfsupDepthError
from selfsup_depth.modules.base import SelfSupervisedDepth
from selfsup_depth.training.checkpoint import load_checkpoint
from selfsup_depth.training.colour import magma, white_point
from selfsup_depth.training.configuration import build
from selfsup_depth.training.sections import SECTIONS

NUM_IMAGES = 4
# Luminance of magma, of 255, at 0.9 of its scale.
NEARLY_CONSTANT = 214
# An error that is drawn brightest: half of the measured depth.
WORST_ERROR = 0.5

log = logging.getLogger(__name__)


class Strip(NamedTuple):
    """Pictures of one variant, in the order of the images.

    images: what the network sees.
    measured: inverse depth of the instrument, black where there is none; may be empty.
    predicted: inverse depth.
    errors: of depth, relative, black where nothing is measured; may be empty.
    """

    images: list[Path]
    measured: list[Path]
    predicted: list[Path]
    errors: list[Path]


class Example(NamedTuple):
    """An image, and its measured depth where there is any.

    image: (1, 3, H, W).
    depth: (1, 1, h, w) metres, 0 = none; empty list for none.
    """

    image: Tensor
    depth: list[Tensor]


def strips_of(outcomes: Sequence[Outcome], output: Path) -> dict[str, Strip]:
    """A strip of each variant's first finished run; one that cannot be drawn is left out."""
    strips: dict[str, Strip] = {}
    with _without_notices():
        for outcome in outcomes:
            if outcome.state is not State.FINISHED or outcome.run.variant in strips:
                continue
            try:
                strips[outcome.run.variant] = _strip(outcome, output)
            except SelfsupDepthError as error:
                log.warning("no pictures of %s: %s", outcome.run.variant, error)
    return strips


@contextlib.contextmanager
def _without_notices() -> Iterator[None]:
    """What is said of the data has been said once, when the runs began; of the weights, each run says it."""
    loggers = [logging.getLogger(name) for name in (DepthDataModule.__module__, load_checkpoint.__module__)]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _strip(outcome: Outcome, output: Path) -> Strip:
    """The pictures of a run, drawn unless they are there."""
    folder = output / "strips" / Path(outcome.run.folder).name
    done = folder / "done"
    if not done.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _draw(outcome, output, folder)
        done.touch()
    kinds = (sorted(folder.glob(f"{kind}_*.png")) for kind in Strip._fields)
    return Strip(*kinds)


@torch.inference_mode()
def _draw(outcome: Outcome, output: Path, folder: Path) -> None:
    # The last weights: they are what the numbers are of.
    module = load_checkpoint(output / outcome.run.folder / "checkpoints" / "last.ckpt", trust=True).module
    for index, example in enumerate(examples_of(outcome, module)):
        predicted = module.predict_inverse_depth(example.image)
        size = predicted.shape[-2:]
        pixels = (example.image[0].clamp(0, 1) * 255).round().to(torch.uint8)
        pictures = {"images": pixels, "predicted": _inverse_depth(predicted, predicted)}
        for depth in example.depth:
            nearest = nearest_measured(depth, size)
            pictures["measured"] = _inverse_depth(nearest, nearest[nearest > 0][None, None, None])
            pictures["errors"] = _relative_error(predicted, nearest)
        for kind, picture in pictures.items():
            _save(picture, folder / f"{kind}_{index}.png")


def examples_of(outcome: Outcome, module: SelfSupervisedDepth) -> Iterator[Example]:
    """The run's validation images, evenly over all of them; else images that it trained on."""
    data = build(outcome.run.config, SECTIONS)["data"]
    assert isinstance(data, DepthDataModule)
    data.num_workers, data.seed = 0, outcome.run.config["seed"]
    data.prepare_data()
    data.setup("fit")
    if not data.has_measured:
        batch = on_device(next(iter(data.train_dataloader())), torch.device("cpu"))
        yield from (Example(image[None], []) for image in batch.target.image[:NUM_IMAGES])
        return
    loader = data.val_dataloader()
    assert isinstance(loader, DataLoader)
    number = len(loader.dataset)  # type: ignore[arg-type]
    chosen = sorted({(2 * i + 1) * number // (2 * NUM_IMAGES) for i in range(NUM_IMAGES)})
    for index in chosen:
        measured = on_device(loader.dataset[index], torch.device("cpu"))
        yield Example(measured.view.image[None], [measured.depth[None]])


def nearest_measured(depth: Tensor, size: Sequence[int]) -> Tensor:
    """Inverse depth at another size, the nearest point of each pixel's area; 0 = none.

    Args:
        depth: (1, 1, H, W) metres, 0 = none.
        size: height and width.
    """
    inverse = torch.where(depth > 0, 1 / depth.clamp(min=1e-6), 0)
    return F.adaptive_max_pool2d(inverse, (size[0], size[1]))


def _inverse_depth(values: Tensor, shown: Tensor) -> Tensor:
    """Magma, scaled by the picture's own 95th percentile: depth may be known up to a factor only."""
    return magma(values / white_point(shown).clamp(min=1e-12))[0] if shown.numel() else magma(values)[0]


def _relative_error(predicted: Tensor, measured: Tensor) -> Tensor:
    """Relative error in magma, after scaling by the median ratio: depth may be known up to a factor only."""
    known = measured > 0
    if not known.any():
        return magma(measured)[0]
    # Ratio of predicted to measured depth, where both are inverse.
    ratio = measured / predicted.clamp(min=1e-12)
    error = (ratio / ratio[known].median() - 1).abs()
    return magma(torch.where(known, error / WORST_ERROR, 0))[0]


def _save(picture: Tensor, file: Path) -> None:
    """A small PNG; (3, H, W) uint8."""
    image = Image.fromarray(picture.movedim(0, -1).contiguous().numpy())
    image.quantize(256).save(file, "PNG", optimize=True)


def is_nearly_constant(predicted: Path) -> bool:
    """Whether a picture of predicted inverse depth is the brightest colours alone."""
    with Image.open(predicted) as picture:
        return not any(picture.convert("L").histogram()[:NEARLY_CONSTANT])
