"""Overlap of a mask with the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.errors import GeometryError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def dice(mask: ArrayLike, truth: ArrayLike) -> float:
    """Dice coefficient, 2 |A and B| / (|A| + |B|) (Dice 1945).

    Both empty count as agreement, 1; one of them empty is 0.

    Raises:
        GeometryError: If the shapes differ.
    """
    a, b = np.asarray(mask, dtype=bool), np.asarray(truth, dtype=bool)
    if a.shape != b.shape:
        raise GeometryError(f"expected masks of one shape, got {a.shape} and {b.shape}")
    total = int(a.sum()) + int(b.sum())
    return 1.0 if total == 0 else 2 * int((a & b).sum()) / total
