"""What several planes say of one object, added up: `Votes`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from anytomy.volumes.level import tight_box
from anytomy.volumes.patch import CLIP, Patch
from anytomy.volumes.slices import Turn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.engine.model import Decoded
    from anytomy.predict.placing import Track
    from anytomy.volumes.slices import Plane

FUSIONS = ("mean", "score", "majority")
# An object of fewer slices is a strip in the other planes, of which a model makes nothing.
_LEAST_SLICES = 4
_LEAST_CHANCE = 1e-6
_STRAIGHT = Turn((0, 1, 2))


@dataclass(frozen=True)
class Cuboid:
    """Where an object lies: starts and ends by slice, row and column of the first plane."""

    low: tuple[int, int, int]
    high: tuple[int, int, int]

    @classmethod
    def of(cls, patches: dict[int, Patch]) -> Self | None:
        """Around what the first plane found, by slice; None if nothing."""
        boxes = {}
        for slice_, patch in patches.items():
            box = tight_box(patch.values > 0)
            if box is not None:
                boxes[slice_] = box + np.array([patch.left, patch.top] * 2)
        if not boxes:
            return None
        x0, y0 = np.min(list(boxes.values()), axis=0)[:2]
        x1, y1 = np.max(list(boxes.values()), axis=0)[2:]
        return cls((min(boxes), int(y0), int(x0)), (max(boxes) + 1, int(y1), int(x1)))

    @classmethod
    def said(cls, track: Track) -> Self | None:
        """Around the boxes of a prompt in its range; None without a box."""
        boxes = [prompt.box for prompt in track.prompts.values() if prompt.box is not None]
        if not boxes:
            return None
        x0, y0 = (int(v) for v in np.floor(np.min(boxes, axis=0))[:2])
        x1, y1 = (int(v) for v in np.ceil(np.max(boxes, axis=0))[2:])
        return cls((track.start, y0, x0), (track.stop, y1, x1))

    @property
    def size(self) -> tuple[int, int, int]:
        """Slices, rows and columns."""
        a, b, c = (high - low for low, high in zip(self.low, self.high, strict=True))
        return a, b, c

    @property
    def is_solid(self) -> bool:
        """Whether it shows something in every plane."""
        return min(self.size) >= _LEAST_SLICES


class Votes:
    """Logits of all planes in the cuboid of an object, added up in half precision.

    A slice counts as a whole, so that for the weights three rows of numbers are enough.

    Args:
        cuboid: The region.
        fusion: How votes count: `mean`, `score` or `majority`.
        uncertainty: Whether probabilities are added up as well.
    """

    def __init__(self, cuboid: Cuboid, fusion: str, *, uncertainty: bool = False) -> None:
        self.cuboid = cuboid
        self.has_others = False
        self._fusion = fusion
        self._total = np.zeros(cuboid.size, dtype=np.float16)
        self._chance = np.zeros(cuboid.size, dtype=np.float16) if uncertainty else None
        self._weights = [np.zeros(n, dtype=np.float32) for n in cuboid.size]

    @classmethod
    def of(
        cls, patches: dict[int, Patch], shape: tuple[int, int], fusion: str, *, uncertainty: bool = False
    ) -> Self | None:
        """Of the first plane's answers by slice; None if all are empty.

        They are taken out of `patches` one by one, so that memory does not hold all of them twice.
        """
        cuboid = Cuboid.of(patches)
        if cuboid is None:
            patches.clear()
            return None
        votes = cls(cuboid, fusion, uncertainty=uncertainty)
        start, stop = cuboid.low[0], cuboid.high[0]
        while patches:
            slice_, patch = patches.popitem()
            if start <= slice_ < stop:
                votes._count(_STRAIGHT, slice_ - start, patch.dense(shape)[votes._place], patch.score)
        return votes

    def add(self, plane: Plane, slice_: int, decoded: Decoded, shape: tuple[int, int, int]) -> None:
        """Count a slice of another plane.

        Args:
            plane: The plane.
            slice_: Its slice.
            decoded: What was answered there.
            shape: Slices, rows and columns of the first plane.
        """
        low = plane.turn.cuboid(self.cuboid.low, self.cuboid.high, shape)
        if low[0] <= slice_ < low[3]:
            self.has_others = True
            crop = decoded.logits[low[1] : low[4], low[2] : low[5]]
            self._count(plane.turn, slice_ - low[0], crop, decoded.score)

    def _count(self, turn: Turn, index: int, logits: NDArray[np.float32], score: float) -> None:
        share = max(score, 0.0) ** 2 if self._fusion == "score" else 1.0
        clipped = logits.clip(-CLIP, CLIP)
        vote = np.where(logits > 0, 1.0, -1.0) if self._fusion == "majority" else clipped * share
        turn.apply(self._total)[index] += vote.astype(np.float16)
        if self._chance is not None:
            turn.apply(self._chance)[index] += (share / (1 + np.exp(-clipped))).astype(np.float16)
        self._weights[turn.order[0]][:: -1 if turn.flips[0] else 1][index] += share

    def paint(self, slice_: int, logits: NDArray[np.float32]) -> None:
        """Write the fused answer into a slice of the first plane."""
        index = slice_ - self.cuboid.low[0]
        if 0 <= index < len(self._total):
            logits[self._place] = self._total[index] / self._weight(index)

    def uncertainty(self, slice_: int, shape: tuple[int, int]) -> NDArray[np.float32] | None:
        """How much the planes disagree in a slice of the first plane, in bits; None where not asked for.

        It is the binary entropy of the mean of their probabilities, weighted as their logits are: 0 where all
        are sure of the same, 1 where they stand against each other or all are undecided (the predictive
        entropy of an ensemble: Mehrtash et al., "Confidence Calibration and Predictive Uncertainty Estimation
        for Deep Medical Image Segmentation", IEEE TMI 2020; of views of one image: Wang et al., "Aleatoric
        uncertainty estimation with test-time augmentation", Neurocomputing 2019). 0 outside of the cuboid,
        where only the first plane was asked.

        Args:
            slice_: The slice.
            shape: Its `(row, column)`.
        """
        if self._chance is None:
            return None
        out = np.zeros(shape, dtype=np.float32)
        index = slice_ - self.cuboid.low[0]
        if 0 <= index < len(self._chance):
            chance = np.clip(self._chance[index] / self._weight(index), _LEAST_CHANCE, 1 - _LEAST_CHANCE)
            out[self._place] = -(chance * np.log2(chance) + (1 - chance) * np.log2(1 - chance))
        return out

    def _weight(self, index: int) -> NDArray[np.float32]:
        """What the votes of a slice weigh together, `(row, column)` in the cuboid."""
        slices, rows, columns = self._weights
        return np.maximum(slices[index] + rows[:, None] + columns, 1e-6)

    @property
    def _place(self) -> tuple[slice, slice]:
        low, high = self.cuboid.low, self.cuboid.high
        return slice(low[1], high[1]), slice(low[2], high[2])
