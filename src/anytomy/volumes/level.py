"""At which logit an object ends, by the box that a person drew: `level`.

A model that does not know a structure is timid: in its slice of the hippocampus LiteMedSAM's mask takes half
of the box. The box is the one thing that is known, and it is tight: the level at which the mask fills it is
the one to use in the slices that nobody prompted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Intersection over union of the mask's tight box with the given one: what is better needs no help. A box that
# is drawn by hand is not exact either, so nothing is gained by meeting it to the pixel.
_FILLED = 0.8
_STEP, _LOWEST = 0.25, -6.0


def level(logits: NDArray[np.float32], box: tuple[float, float, float, float]) -> float:
    """The highest logit, 0 or less, at which a mask fills its box well.

    Args:
        logits: `(row, column)`, the model's answer to the box.
        box: `x0, y0, x1, y1`, ends exclusive.

    Returns:
        The first level downwards from 0 that fills the box; where none does, the one that fills it best.
    """
    given = np.asarray(box, dtype=float)
    best, fullest = 0.0, filled(logits > 0, given)
    for lower in np.arange(-_STEP, _LOWEST - _STEP / 2, -_STEP):
        if fullest >= _FILLED:
            break
        reached = filled(logits > lower, given)
        if reached > fullest:
            best, fullest = float(lower), reached
    return best


def tight_box(mask: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """`x0, y0, x1, y1` of a mask, ends exclusive; None of an empty one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return None
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=float)


def filled(mask: NDArray[np.bool_], given: NDArray[np.float64]) -> float:
    """Intersection over union of a mask's tight box and a given one `x0, y0, x1, y1`; 0 of an empty mask."""
    box = tight_box(mask)
    if box is None:
        return 0.0
    sides = np.minimum(box[2:], given[2:]) - np.maximum(box[:2], given[:2])
    common = float(np.prod(np.maximum(sides, 0)))
    return common / float(np.prod(box[2:] - box[:2]) + np.prod(given[2:] - given[:2]) - common)
