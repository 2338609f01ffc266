"""The edges of masks as lines: `contours`, and such lines in pieces: `dashes`."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Points = NDArray[np.float64]


def contours(mask: NDArray[np.bool_]) -> list[Points]:
    """The closed lines along the edges of a mask's pixels, clockwise around what is inside.

    Args:
        mask: `(y, x)`.

    Returns:
        For each line its corners `(x, y)`, the first one again at the end; pixel x reaches from x to x + 1.

    Example:
        >>> contours(np.ones((1, 2), bool))[0].tolist()
        [[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0], [0.0, 0.0]]
    """
    following = _edges(np.pad(np.asarray(mask, dtype=bool), 1))
    lines = []
    while following:
        start = next(iter(following))
        line, here = [start], start
        while True:
            ends = following[here]
            # Where pixels touch at a corner, the line turns right and keeps them apart.
            there = ends.pop() if len(ends) == 1 else _rightmost(line, ends)
            if not ends:
                del following[here]
            line.append(there)
            here = there
            if here == start:
                break
        lines.append(_corners(np.array(line, dtype=float)) - 1)
    return lines


def dashes(line: Points, on: float, off: float) -> list[Points]:
    """A line cut into pieces of length `on` with gaps of length `off`."""
    steps = np.hypot(*np.diff(line, axis=0).T)
    at = np.concatenate([[0.0], np.cumsum(steps)])
    pieces = []
    for start in np.arange(0.0, at[-1], on + off):
        stop = min(start + on, at[-1])
        places = np.concatenate([[start], at[(at > start) & (at < stop)], [stop]])
        pieces.append(np.stack([np.interp(places, at, line[:, axis]) for axis in (0, 1)], axis=1))
    return pieces


def _edges(inside: NDArray[np.bool_]) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Directed edges of unit length from corner to corners, the inside on their right."""
    out: defaultdict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    here, above, left = inside[1:, 1:], inside[:-1, 1:], inside[1:, :-1]

    def add(found: NDArray[np.bool_], start: tuple[int, int], stop: tuple[int, int]) -> None:
        for y, x in (np.argwhere(found) + 1).tolist():
            out[x + start[0], y + start[1]].append((x + stop[0], y + stop[1]))

    add(here & ~above, (0, 0), (1, 0))
    add(~here & above, (1, 0), (0, 0))
    add(here & ~left, (0, 1), (0, 0))
    add(~here & left, (0, 0), (0, 1))
    return dict(out)


def _rightmost(line: list[tuple[int, int]], ends: list[tuple[int, int]]) -> tuple[int, int]:
    (x, y) = line[-1]
    dx, dy = (x - line[-2][0], y - line[-2][1]) if len(line) > 1 else (1, 0)
    right = (x - dy, y + dx)
    chosen = right if right in ends else ends[0]
    ends.remove(chosen)
    return chosen


def _corners(line: Points) -> Points:
    """A closed line without the points on its straight parts."""
    ahead = np.diff(line, axis=0)
    turns: Iterable[bool] = (ahead != np.roll(ahead, 1, axis=0)).any(axis=1)
    kept = line[:-1][np.asarray(turns)]
    return np.concatenate([kept, kept[:1]])
