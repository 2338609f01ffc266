"""Three planes, one answer: the strategy `triplanar`.

The object is propagated through axial, coronal and sagittal slices, each plane by itself from its own middle
slice, in pictures with square pixels; the three answers are fused voxel by voxel on their logits. Planes that
see little, since slices are much thicker than pixels, are left out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.errors import OptionError
from anytomy.engine.frame import PlanePrompt
from anytomy.engine.model import Decoded
from anytomy.predict.placing import Track
from anytomy.volumes.patch import CLIP, Patch
from anytomy.volumes.propagate import Propagate, tight_box
from anytomy.volumes.strategy import SliceResult, Slices

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from anytomy.engine.model import PromptableModel
    from anytomy.predict.zoom import Zoom
    from anytomy.volumes.slices import Plane

FUSIONS = ("mean", "score", "majority")
# How many times thicker than pixels slices may be for the other planes to count.
_THICKEST = 3.0
# An object of fewer slices is a strip in the other planes, of which a model makes nothing.
_LEAST_SLICES = 4


@dataclass(frozen=True)
class _Cuboid:
    """Where an object lies: starts and ends by slice, row and column of the first plane."""

    low: tuple[int, int, int]
    high: tuple[int, int, int]

    @property
    def is_solid(self) -> bool:
        """Whether it shows something in every plane."""
        return min(b - a for a, b in zip(self.low, self.high, strict=True)) >= _LEAST_SLICES


class Triplanar:
    """See the module.

    Args:
        fusion: `mean` of the planes' logits, `score` (weighted by the model's own score of each slice) or
            `majority` (of the planes' votes).
    """

    def __init__(self, fusion: str = "mean") -> None:
        if fusion not in FUSIONS:
            raise OptionError(f"expected a fusion of {', '.join(FUSIONS)}, got {fusion!r}")
        self.fusion = fusion
        self.name = "triplanar" if fusion == "mean" else f"triplanar:{fusion}"
        self._each = Propagate()

    def visits(self, tracks: Sequence[Track]) -> Counter[int]:
        """See `VolumeStrategy`."""
        return self._each.visits(tracks)

    def run(
        self, model: PromptableModel, slices: Slices, tracks: Sequence[Track], zoom: Zoom
    ) -> Iterator[SliceResult]:
        """See `VolumeStrategy`."""
        first: list[dict[int, Patch]] = [{} for _ in tracks]
        for found in self._each.run(model, slices, tracks, zoom):
            first[found.track][found.slice] = Patch.of(found.decoded)
        cuboids = [_cuboid(patches, slices.shape) for patches in first]
        votes = [
            None if cuboid is None else _Votes(cuboid, patches, slices.shape, self.fusion)
            for cuboid, patches in zip(cuboids, first, strict=True)
        ]
        for plane in slices.planes():
            if _sees_enough(plane):
                self._add(model, slices, plane, cuboids, votes, zoom)
        for number, (patches, mine) in enumerate(zip(first, votes, strict=True)):
            for slice_, patch in sorted(patches.items()):
                logits = patch.dense(slices.shape)
                if mine is not None:
                    mine.paint(slice_, logits)
                yield SliceResult(number, slice_, Decoded(logits, patch.score))

    def _add(
        self,
        model: PromptableModel,
        slices: Slices,
        plane: Plane,
        cuboids: Sequence[_Cuboid | None],
        votes: Sequence[_Votes | None],
        zoom: Zoom,
    ) -> None:
        """Propagate all objects through another plane and count what it says."""
        shape = (len(slices), *slices.shape)
        numbers = [i for i, cuboid in enumerate(cuboids) if cuboid is not None and cuboid.is_solid]
        tracks = [_track(plane, cuboids[i], shape) for i in numbers]
        for found in self._each.run(model, plane.slices, tracks, zoom):
            mine = votes[numbers[found.track]]
            if mine is not None:
                mine.add(plane, found.slice, found.decoded, shape)


class _Votes:
    """What the planes say of one object, in its cuboid.

    Args:
        cuboid: The region.
        patches: The first plane's answer.
        shape: `(row, column)` of the first plane.
        fusion: How votes count.
    """

    def __init__(
        self, cuboid: _Cuboid, patches: dict[int, Patch], shape: tuple[int, int], fusion: str
    ) -> None:
        self.cuboid = cuboid
        self.fusion = fusion
        size = tuple(b - a for a, b in zip(cuboid.low, cuboid.high, strict=True))
        self.total = np.zeros(size, dtype=np.float32)
        self.weight = np.zeros(size, dtype=np.float32)
        for slice_, patch in patches.items():
            index = slice_ - cuboid.low[0]
            if 0 <= index < size[0]:
                crop = patch.dense(shape)[self._rows, self._columns]
                self.total[index] += self._vote(crop, patch.score)
                self.weight[index] += self._share(patch.score)

    @property
    def _rows(self) -> slice:
        return slice(self.cuboid.low[1], self.cuboid.high[1])

    @property
    def _columns(self) -> slice:
        return slice(self.cuboid.low[2], self.cuboid.high[2])

    def add(self, plane: Plane, slice_: int, decoded: Decoded, shape: tuple[int, int, int]) -> None:
        """Count a slice of another plane."""
        total, weight = plane.turn.apply(self.total), plane.turn.apply(self.weight)
        low = plane.turn.cuboid(self.cuboid.low, self.cuboid.high, shape)
        index = slice_ - low[0]
        if 0 <= index < total.shape[0]:
            crop = decoded.logits[low[1] : low[4], low[2] : low[5]]
            total[index] += self._vote(crop, decoded.score)
            weight[index] += self._share(decoded.score)

    def paint(self, slice_: int, logits: NDArray[np.float32]) -> None:
        """Write the fused answer into a slice of the first plane."""
        index = slice_ - self.cuboid.low[0]
        if 0 <= index < self.total.shape[0]:
            fused = self.total[index] / np.maximum(self.weight[index], 1e-6)
            logits[self._rows, self._columns] = fused

    def _vote(self, logits: NDArray[np.float32], score: float) -> NDArray[np.float32]:
        if self.fusion == "majority":
            return np.where(logits > 0, 1.0, -1.0).astype(np.float32)
        return np.asarray(logits.clip(-CLIP, CLIP) * self._share(score), dtype=np.float32)

    def _share(self, score: float) -> float:
        return max(score, 0.0) ** 2 if self.fusion == "score" else 1.0


def _cuboid(patches: dict[int, Patch], shape: tuple[int, int]) -> _Cuboid | None:
    """What the first plane found, in a box; None if nothing."""
    boxes = {}
    for slice_, patch in patches.items():
        box = tight_box(patch.values > 0)
        if box is not None:
            boxes[slice_] = box + np.array([patch.left, patch.top] * 2)
    if not boxes:
        return None
    x0, y0 = np.min(list(boxes.values()), axis=0)[:2]
    x1, y1 = np.max(list(boxes.values()), axis=0)[2:]
    return _Cuboid((min(boxes), int(y0), int(x0)), (max(boxes) + 1, int(y1), int(x1)))


def _track(plane: Plane, cuboid: _Cuboid | None, shape: tuple[int, int, int]) -> Track:
    """The cuboid as a prompt on the plane's middle slice, with its range."""
    assert cuboid is not None
    low = plane.turn.cuboid(cuboid.low, cuboid.high, shape)
    box = (float(low[2]), float(low[1]), float(low[5]), float(low[4]))
    middle = low[0] + (low[3] - 1 - low[0]) // 2
    return Track({middle: PlanePrompt(box=box)}, low[0], low[3], (low[0], low[3]))


def _sees_enough(plane: Plane) -> bool:
    """Whether the plane's pixels are not much longer one way than the other."""
    _, high, wide = plane.slices.spacing
    return max(high, wide) / min(high, wide) <= _THICKEST
