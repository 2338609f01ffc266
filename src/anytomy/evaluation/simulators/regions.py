"""Parts of a mask, their boxes and their middles: `Region`.

Parts are connected over corners (8 neighbours in a picture, 26 in a volume), as in the protocols that the
simulators follow. Of equals the first in array order wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Region:
    """A mask cut down to the block that holds it; nothing outside of it need be looked at.

    Attributes:
        mask: bool `(y, x)` or `(z, y, x)`; every side touches the object.
        start: Index of its first element in the whole array.
    """

    mask: NDArray[np.bool_]
    start: tuple[int, ...]

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> Region | None:
        """The region of a whole array; None where it is empty."""
        start = [0] * mask.ndim
        for axis in range(mask.ndim):
            others = tuple(a for a in range(mask.ndim) if a != axis)
            held = np.flatnonzero(mask.any(axis=others))
            if held.size == 0:
                return None
            start[axis] = int(held[0])
            mask = mask[(slice(None),) * axis + (slice(int(held[0]), int(held[-1]) + 1),)]
        return cls(mask, tuple(start))

    @property
    def stop(self) -> tuple[int, ...]:
        """Index of its last element + 1 along each axis."""
        return tuple(s + n for s, n in zip(self.start, self.mask.shape, strict=True))

    @property
    def box(self) -> tuple[int, ...]:
        """As prompts have it: `x0, y0[, z0], x1, y1[, z1]`, ends exclusive."""
        return (*reversed(self.start), *reversed(self.stop))

    def parts(self, most: int) -> list[Region]:
        """Its largest connected parts, the largest first."""
        from scipy import ndimage

        labels, _ = ndimage.label(self.mask, np.ones((3,) * self.mask.ndim))
        sizes = np.bincount(labels.ravel())[1:]
        blocks = ndimage.find_objects(labels)
        order = np.argsort(-sizes, kind="stable")[:most]
        return [
            Region(
                labels[blocks[i]] == i + 1,
                tuple(s + b.start for s, b in zip(self.start, blocks[i], strict=True)),
            )
            for i in order
        ]

    def deepest(self, spacing: Sequence[float] | None = None) -> tuple[int, ...]:
        """The index that is farthest from everything outside; what lies beyond the border is outside.

        Args:
            spacing: Size of an element along each array axis; 1 where None.
        """
        depth = _squared_depth(np.pad(self.mask, 1), spacing)
        inner = depth[(slice(1, -1),) * self.mask.ndim]
        return self._index(np.unravel_index(int(inner.argmax()), inner.shape))

    def centre(self) -> tuple[int, ...]:
        """The index inside that is nearest to the centre of mass."""
        places = np.argwhere(self.mask)
        distance = ((places - places.mean(axis=0)) ** 2).sum(axis=1)
        # Rounded, so that what is equally near does not differ by the error of the mean.
        return self._index(places[int(distance.round(6).argmin())])

    def drawn(self, count: int, rng: np.random.Generator, but: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Random indices inside, none of them twice and not `but`; all that there are if too few."""
        inside = np.flatnonzero(self.mask)
        left_out = np.ravel_multi_index(
            tuple(b - s for b, s in zip(but, self.start, strict=True)), self.mask.shape
        )
        inside = inside[inside != left_out]
        chosen = rng.choice(inside, size=min(count, inside.size), replace=False)
        return [self._index(np.unravel_index(int(i), self.mask.shape)) for i in chosen]

    def _index(self, inner: Sequence[np.intp] | NDArray[np.intp]) -> tuple[int, ...]:
        return tuple(s + int(i) for s, i in zip(self.start, inner, strict=True))


def point(index: Sequence[int]) -> tuple[int, ...]:
    """An array index as a point `x, y[, z]`."""
    return tuple(reversed(index))


def _squared_depth(mask: NDArray[np.bool_], spacing: Sequence[float] | None) -> NDArray[Any]:
    """Squared Euclidean distance to the nearest element outside, for those inside; 0 or less for others."""
    if mask.ndim == 2:
        from scipy import ndimage

        return np.asarray(ndimage.distance_transform_edt(mask, sampling=spacing)) ** 2
    # Exact as well, and in volumes five times as fast and in a fraction of the memory.
    import SimpleITK as sitk  # noqa: N813

    outside = sitk.GetImageFromArray((~mask).view(np.uint8))
    if spacing is not None:
        outside.SetSpacing([float(s) for s in reversed(spacing)])
    squared = sitk.SignedMaurerDistanceMap(
        outside, insideIsPositive=False, squaredDistance=True, useImageSpacing=True
    )
    return np.asarray(sitk.GetArrayFromImage(squared))
