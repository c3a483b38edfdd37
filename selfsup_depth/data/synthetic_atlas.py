"""All textures of a drive in one image, with their smaller copies, sampled by one grid_sample."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from selfsup_depth.data.synthetic_texture import Texture

_ATLAS_WIDTH = 2048


class Tile(NamedTuple):
    """Where a texture lies in the atlas.

    first_row: of its levels in the atlas's table.
    levels: number of them, the first as painted.
    width, height: texels of the first level.
    along: true where a level has a quarter of the columns and half of the rows of the one
        before, for ground seen along u: a pixel covers (distance / camera height) times more
        of it along the street than across.
    """

    first_row: int
    levels: int
    width: int
    height: int
    along: bool


class Atlas:
    """Textures packed row by row, each level with a border of its own repetition.

    Args:
        textures: by name; sides are powers of two.
        along: names of those that are seen along their u axis.
    """

    def __init__(self, textures: dict[str, Texture], along: frozenset[str] = frozenset()) -> None:
        self.tiles: dict[str, Tile] = {}
        blocks: list[NDArray[np.float32]] = []
        for name, texture in textures.items():
            levels = _levels(texture, 4 if name in along else 2)
            height, width = texture.shape[:2]
            self.tiles[name] = Tile(len(blocks), len(levels), width, height, name in along)
            blocks += levels
        image, places = _packed(blocks)
        self._image = torch.from_numpy(image.transpose(2, 0, 1).copy())[None]
        # As grid_sample counts: -1 and 1 at the centres of the outermost texels.
        sizes = np.array([[block.shape[1], block.shape[0]] for block in blocks])
        to_grid = 2 / (np.array([image.shape[1], image.shape[0]]) - 1)
        table = np.concatenate([(places - 0.5) * to_grid - 1, sizes * to_grid], axis=1)
        self._table = torch.from_numpy(table.T.copy()).float()

    def sample(self, first_row: Tensor, level: Tensor, last_level: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """(3, N) colours at texture coordinates, linear within and between levels.

        Args:
            first_row, last_level: (N,) float, of each sample's tile.
            level: (N,) float; 0 the finest.
            u, v: (N,) 1 = the texture's width, height; repeated beyond.
        """
        level = level.clamp(min=0).minimum(last_level)
        fine = level.floor()
        coarse = (fine + 1).minimum(last_level)
        u, v = u - u.floor(), v - v.floor()
        colours = self._sample_level((first_row + fine).int(), u, v)
        return colours.lerp(self._sample_level((first_row + coarse).int(), u, v), level - fine)

    def _sample_level(self, row: Tensor, u: Tensor, v: Tensor) -> Tensor:
        left, top, width, height = self._table.index_select(1, row)
        grid = torch.stack((u * width + left, v * height + top), dim=-1)
        return F.grid_sample(self._image, grid[None, None], align_corners=True)[0, :, 0]


def _packed(blocks: list[NDArray[np.float32]]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """One image of all blocks on shelves, tallest first, and (n, 2) x and y of their first texels."""
    places, x, y, shelf = np.zeros((len(blocks), 2), np.int64), 0, 0, 0
    for index in sorted(range(len(blocks)), key=lambda index: -blocks[index].shape[0]):
        height, width = blocks[index].shape[:2]
        if x + width + 2 > _ATLAS_WIDTH:
            x, y, shelf = 0, y + shelf, 0
        places[index] = x + 1, y + 1
        x, shelf = x + width + 2, max(shelf, height + 2)
    image = np.zeros((y + shelf, _ATLAS_WIDTH, 3), np.float32)
    for block, (x, y) in zip(blocks, places, strict=True):
        height, width = block.shape[:2]
        padded = np.pad(block, ((1, 1), (1, 1), (0, 0)), mode="wrap")
        image[y - 1 : y + height + 1, x - 1 : x + width + 1] = padded
    return image, places


def _levels(texture: Texture, along: int) -> list[NDArray[np.float32]]:
    """The texture and its smaller copies by area means, down to a few texels."""
    levels = [texture]
    while min(levels[-1].shape[0] // 2, levels[-1].shape[1] // along) >= 2:
        height, width = levels[-1].shape[:2]
        cells = levels[-1].reshape(height // 2, 2, width // along, along, 3)
        levels.append(cells.mean(axis=(1, 3), dtype=np.float32))
    return levels
