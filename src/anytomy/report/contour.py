"""The edges of masks as lines: `contours`, and such lines in pieces: `dashes`."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    Points = NDArray[np.float64]
    Corner = tuple[int, int]


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
    return [_corners(line) - 1 for start in list(following) for line in _lines_from(start, following)]


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


def _edges(inside: NDArray[np.bool_]) -> dict[Corner, list[Corner]]:
    """Directed edges of unit length from corner to corners, the inside on their right."""
    out: defaultdict[Corner, list[Corner]] = defaultdict(list)
    here, above, left = inside[1:, 1:], inside[:-1, 1:], inside[1:, :-1]

    def add(found: NDArray[np.bool_], start: tuple[int, int], stop: tuple[int, int]) -> None:
        for y, x in (np.argwhere(found) + 1).tolist():
            out[x + start[0], y + start[1]].append((x + stop[0], y + stop[1]))

    add(here & ~above, (0, 0), (1, 0))
    add(~here & above, (1, 0), (0, 0))
    add(here & ~left, (0, 1), (0, 0))
    add(~here & left, (0, 0), (0, 1))
    return dict(out)


def _lines_from(start: Corner, following: dict[Corner, list[Corner]]) -> Iterator[Points]:
    """The closed lines through a corner, edge by edge; their edges are taken out."""
    while start in following:
        line = [start, _next(following, start)]
        while True:
            (x0, y0), (x, y) = line[-2:]
            # Where pixels touch at a corner, the line turns right and keeps them apart.
            right = (x - (y - y0), y + (x - x0))
            if line[-1] == start and (right == line[1] or start not in following):
                break
            line.append(_next(following, line[-1], right))
        yield np.array(line, dtype=float)


def _next(following: dict[Corner, list[Corner]], here: Corner, wanted: Corner | None = None) -> Corner:
    """Take an edge from a corner, the wanted one if there is a choice."""
    ends = following[here]
    there = wanted if wanted in ends else ends[0]
    ends.remove(there)
    if not ends:
        del following[here]
    return there


def _corners(line: Points) -> Points:
    """A closed line without the points on its straight parts."""
    ahead = np.diff(line, axis=0)
    turns: Iterable[bool] = (ahead != np.roll(ahead, 1, axis=0)).any(axis=1)
    kept = line[:-1][np.asarray(turns)]
    return np.concatenate([kept, kept[:1]])
