"""What the rays of a sensor meet first."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from selfsup_depth.data.synthetic_sensor import Rect

SKY = -1


@dataclass
class Hits:
    """What the rays of a sensor meet first; all (samples, rows, columns).

    inverse_length: 1 / length along the ray, 0 for the sky.
    piece: SKY, a kind of ground (0 to 4), then the quads, then the ellipsoids.
    u, v: on a quad 0 to 1 from its corner, on an ellipsoid around it and from its top, on the
        ground metres along and across the street.
    """

    inverse_length: Tensor
    u: Tensor
    v: Tensor
    piece: Tensor

    @classmethod
    def nothing(cls, shape: tuple[int, int, int]) -> Hits:
        """Sky everywhere."""
        lengths, u, v = torch.zeros(3, *shape).unbind()
        return cls(lengths, u, v, torch.full(shape, SKY, dtype=torch.int32))

    def hides(self, rect: Rect, nearest: float) -> bool:
        """Whether everything met in a rect is nearer than a depth, metres."""
        top, bottom, left, right = rect
        return nearest > 0 and float(self.inverse_length[:, top:bottom, left:right].min()) * nearest > 1

    def keep_nearer(
        self, rect: Rect, piece: int, inverse_length: Tensor, there: Tensor, u: Tensor, v: Tensor
    ) -> None:
        """Take over the samples of a rect where a piece is there and nearer than what was met."""
        top, bottom, left, right = rect
        window = (slice(None), slice(top, bottom), slice(left, right))
        nearer = there.logical_and_(inverse_length > self.inverse_length[window])
        for mine, new in ((self.inverse_length, inverse_length), (self.u, u), (self.v, v)):
            torch.where(nearer, new, mine[window], out=mine[window])
        self.piece[window].masked_fill_(nearer, piece)

    def keep_nearest_of(
        self,
        rows: Tensor,
        columns: Tensor,
        piece: Tensor,
        inverse_length: Tensor,
        there: Tensor,
        u: Tensor,
        v: Tensor,
    ) -> None:
        """The same for many pieces at once: (n,) pixels and pieces, (samples, n) what was met."""
        samples, height, width = self.piece.shape
        place = (torch.arange(samples)[:, None] * height + rows) * width + columns
        inverse_length = torch.where(there, inverse_length, 0.0)
        best = self.inverse_length.view(-1).scatter_reduce(0, place.view(-1), inverse_length.view(-1), "amax")
        nearest = (inverse_length == best[place]) & (inverse_length > self.inverse_length.view(-1)[place])
        place = place[nearest]
        self.inverse_length.view(-1)[place] = inverse_length[nearest]
        self.u.view(-1)[place], self.v.view(-1)[place] = u[nearest], v[nearest]
        self.piece.view(-1)[place] = piece.int().expand_as(nearest)[nearest]
