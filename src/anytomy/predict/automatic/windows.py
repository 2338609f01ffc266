"""Which parts of a picture are looked at: `Window`, in layers that look closer and closer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.predict.automatic.settings import AutomaticSettings

# Share of a window that it has in common with the next one: what is smaller lies whole in one of them.
OVERLAP = 0.25
# A tile is shrunk to half its size at most; pictures of a little more than a tile stay in one piece.
_SHRINK, _ONE_PIECE = 2, 3


@dataclass(frozen=True)
class Window:
    """A part of a picture: rows `top` to `bottom` and columns `left` to `right`, ends exclusive."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """`(rows, columns)`."""
        return self.bottom - self.top, self.right - self.left

    @property
    def part(self) -> tuple[slice, slice]:
        """What to index a picture with."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def common(self, other: Window) -> Window | None:
        """What it has in common with another; None if nothing."""
        both = Window(
            max(self.top, other.top),
            max(self.left, other.left),
            min(self.bottom, other.bottom),
            min(self.right, other.right),
        )
        return both if min(both.shape) > 0 else None

    def inner_sides(self, shape: tuple[int, int]) -> tuple[bool, bool, bool, bool]:
        """Whether top, left, bottom, right lie inside of a picture of that shape: objects are cut there."""
        return self.top > 0, self.left > 0, self.bottom < shape[0], self.right < shape[1]


def layers_of(shape: tuple[int, int], input_size: int, settings: AutomaticSettings) -> list[list[Window]]:
    """The windows of each layer: first the whole picture or its tiles, then closer looks.

    Args:
        shape: Of the picture, `(rows, columns)`.
        input_size: Of the model.
        settings: Tiles and layers.
    """
    side = tile_side(shape, input_size, settings.tile)
    return [_tiled(shape, max(math.ceil(side / 2**layer), 1)) for layer in range(settings.layers + 1)]


def tile_side(shape: tuple[int, int], input_size: int, tile: str | int) -> int:
    """Side of the tiles in pixels; the picture's longer side where it stays in one piece.

    `auto` cuts pictures whose longer side is more than three times the model's input into tiles of twice the
    input: seen whole, their objects would be small and blurred.
    """
    longer = max(shape)
    if tile == "off" or (tile == "auto" and longer <= _ONE_PIECE * input_size):
        return longer
    return min(_SHRINK * input_size if tile == "auto" else int(tile), longer)


def grid_points(shape: tuple[int, int], count: int) -> NDArray[np.float64]:
    """Points `(n, 2)`, x and y, in the middles of equal cells, row by row.

    Args:
        shape: Of the window.
        count: Cells along its longer side; along the other as many as fit.
    """
    rows, columns = (max(round(count * length / max(shape)), 1) for length in shape)
    y = (np.arange(rows) + 0.5) * shape[0] / rows - 0.5
    x = (np.arange(columns) + 0.5) * shape[1] / columns - 0.5
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def _tiled(shape: tuple[int, int], side: int) -> list[Window]:
    """Windows of one size that cover a picture, row by row."""
    (tops, height), (lefts, width) = (_starts(length, side) for length in shape)
    return [Window(top, left, top + height, left + width) for top in tops for left in lefts]


def _starts(length: int, side: int) -> tuple[list[int], int]:
    """Where windows begin along one axis, evenly spread, and how long they are."""
    side = min(side, length)
    step = max(side * (1 - OVERLAP), 1)
    count = math.ceil((length - side) / step) + 1
    return [round(float(s)) for s in np.linspace(0, length - side, count)], side
