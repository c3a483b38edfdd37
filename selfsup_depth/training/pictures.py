"""What the network sees, predicts and gets wrong, as pictures while it trains."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor

from selfsup_depth.losses.photometric import Photometric
from selfsup_depth.modules.base import SelfSupervisedDepth
from selfsup_depth.structures import Batch, DepthEstimate
from selfsup_depth.training.colour import magma, picture_of_inverse_depth
from selfsup_depth.training.schedule import is_due
from selfsup_depth.training.storage import write_bytes

CAPTION_HEIGHT = 14


class Pictures(Callback):
    """Pictures of one example, the first of the run, to TensorBoard and as PNG files.

    Args:
        folder: where the PNG files go.
        every_n_steps: 0 = none but the last.
    """

    def __init__(self, folder: Path, every_n_steps: int) -> None:
        self.folder = folder
        self.every_n_steps = every_n_steps
        self.example: Batch | None = None

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        if self.example is None:
            # Another example each time would show the data, not the progress.
            self.example = batch
            self._draw(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        if is_due(trainer.global_step, self.every_n_steps):
            self._draw(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._draw(trainer, pl_module)

    def _draw(self, trainer: Trainer, module: LightningModule) -> None:
        if not trainer.is_global_zero or self.example is None:
            return
        assert isinstance(module, SelfSupervisedDepth)
        module.eval()  # a picture must not move the statistics of batch normalisation
        with torch.no_grad():
            pictures = pictures_of(module, self.example)
        module.train()
        step = trainer.global_step
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                for name, picture in pictures.items():
                    logger.experiment.add_image(f"pictures/{name.replace(' ', '_')}", picture, step)
        content = io.BytesIO()
        panel(pictures).save(content, "PNG")
        write_bytes(self.folder / f"step_{step:06d}.png", content.getvalue())


def pictures_of(module: SelfSupervisedDepth, batch: Batch) -> dict[str, Tensor]:
    """Named pictures (3, H, W) uint8 of the batch's first example."""
    batch = module.arrange(batch)
    finest = module.estimate(batch)[0]
    pictures = {
        "target": colours(batch.target.image[0]),
        "inverse depth": picture_of_inverse_depth(finest.inverse_depth[0]),
    }
    if finest.syntheses:
        pictures["synthesized view"] = colours(finest.syntheses[0].image[0])
    photometric = next((t for t in module.terms.values() if isinstance(t, Photometric)), None)
    if photometric is not None and finest.syntheses:
        pictures |= pictures_of_error(photometric, batch, finest)
    if finest.explainability:
        mask = torch.sigmoid(finest.explainability[0][0])
        pictures["explainability (white counts in full)"] = colours(mask.expand(3, -1, -1))
    return pictures


def pictures_of_error(term: Photometric, batch: Batch, estimate: DepthEstimate) -> dict[str, Tensor]:
    """The photometric error per pixel, and the pixels from which the network learns."""
    per_pixel = term.per_pixel(batch, estimate)
    error = per_pixel.error[0]
    kept = per_pixel.kept[0].float().expand(3, -1, -1)
    # Errors above 0.5 are all equally wrong; the fixed end makes pictures comparable.
    return {"photometric error": magma(error / 0.5), "auto-mask (white is learned from)": colours(kept)}


def colours(image: Tensor) -> Tensor:
    """(3, H, W) in [0, 1] as uint8."""
    return (image.float().clamp(0, 1) * 255).round().to(torch.uint8)


def panel(pictures: dict[str, Tensor]) -> Image.Image:
    """The pictures below one another, each under its name."""
    width = max(picture.shape[-1] for picture in pictures.values())
    height = sum(picture.shape[-2] + CAPTION_HEIGHT for picture in pictures.values())
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    top = 0
    for name, picture in pictures.items():
        draw.text((2, top + 1), name, fill="black")
        sheet.paste(Image.fromarray(picture.cpu().permute(1, 2, 0).numpy()), (0, top + CAPTION_HEIGHT))
        top += picture.shape[-2] + CAPTION_HEIGHT
    return sheet
