"""Logits of a slice in little memory: `Patch`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    from anytomy.engine.model import Decoded

# Beyond this a logit says no more; outside of a patch nothing is above minus this.
CLIP = 8.0


@dataclass(frozen=True, eq=False)
class Patch:
    """The part of a slice's logits that is not surely background.

    Attributes:
        top: First row.
        left: First column.
        values: Half precision, clipped to +-8.
        score: The model's own confidence.
    """

    top: int
    left: int
    values: NDArray[np.float16]
    score: float

    @classmethod
    def of(cls, decoded: Decoded) -> Self:
        """Keep what an answer says."""
        logits = decoded.logits.clip(-CLIP, CLIP)
        telling = logits > -CLIP
        rows, columns = np.flatnonzero(telling.any(axis=1)), np.flatnonzero(telling.any(axis=0))
        if rows.size == 0:
            return cls(0, 0, np.zeros((0, 0), np.float16), decoded.score)
        top, left = int(rows[0]), int(columns[0])
        crop = logits[top : rows[-1] + 1, left : columns[-1] + 1]
        return cls(top, left, crop.astype(np.float16), decoded.score)

    def dense(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """All logits of the slice, `(row, column)`."""
        out = np.full(shape, -CLIP, dtype=np.float32)
        height, width = self.values.shape
        out[self.top : self.top + height, self.left : self.left + width] = self.values
        return out
