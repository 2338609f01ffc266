"""Slices between drawn ones: `interpolate`.

Shape-based interpolation (Raya and Udupa, IEEE TMI 1990): of each drawn slice the distance to the outline,
positive inside; between two of them the distances change in proportion, and what is positive is inside. Parts
that do not overlap with anything on the next drawn slice end between the two.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray


def interpolate(
    drawn: Mapping[int, NDArray[np.bool_]],
    wanted: Iterable[int] | None = None,
    *,
    spacing_mm: tuple[float, float] = (1.0, 1.0),
) -> dict[int, NDArray[np.bool_]]:
    """Masks of slices that lie between drawn ones.

    Args:
        drawn: Masks `(row, column)` of one object by slice; empty ones do not count.
        wanted: Slices to make; all between the first and the last drawn one where None. Those that are drawn,
            and those that are not between two, are left out.
        spacing_mm: Of rows and of columns.

    Returns:
        The masks by slice; empty where the outlines of both neighbours do not overlap.

    Raises:
        OptionError: If fewer than two slices are drawn.

    Example:
        >>> square = np.zeros((9, 9), dtype=bool)
        >>> square[2:7, 2:7] = True
        >>> sorted(interpolate({0: square, 3: square}))
        [1, 2]
    """
    keys = sorted(slice_ for slice_, mask in drawn.items() if mask.any())
    if len(keys) < 2:
        raise OptionError("expected at least two slices to interpolate between", hint="draw one more")
    chosen = None if wanted is None else set(wanted)
    found: dict[int, NDArray[np.bool_]] = {}
    for first, last in itertools.pairwise(keys):
        gap = [s for s in range(first + 1, last) if chosen is None or s in chosen]
        if gap:
            found |= _between(drawn, first, last, gap, spacing_mm)
    return found


def _between(
    drawn: Mapping[int, NDArray[np.bool_]],
    first: int,
    last: int,
    gap: Iterable[int],
    spacing_mm: tuple[float, float],
) -> dict[int, NDArray[np.bool_]]:
    either = drawn[first] | drawn[last]
    rows, columns = np.flatnonzero(either.any(axis=1)), np.flatnonzero(either.any(axis=0))
    where = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    one, other = (_distance(drawn[key][where], spacing_mm) for key in (first, last))
    found = {}
    for slice_ in gap:
        share = (slice_ - first) / (last - first)
        mask = np.zeros_like(either)
        mask[where] = (1 - share) * one + share * other > 0
        found[slice_] = mask
    return found


def _distance(mask: NDArray[np.bool_], spacing_mm: tuple[float, float]) -> NDArray[np.float64]:
    """Distance to the outline in mm, positive inside; outside of the array nothing is inside."""
    from scipy.ndimage import distance_transform_edt as to_nearest_zero

    framed = np.pad(mask, 1)
    distance = to_nearest_zero(framed, spacing_mm) - to_nearest_zero(~framed, spacing_mm)
    return distance[1:-1, 1:-1]
