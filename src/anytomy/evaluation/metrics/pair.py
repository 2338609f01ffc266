"""A found mask beside the truth: `Pair`, which every metric is computed from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from anytomy.core.errors import GeometryError, OptionError
from anytomy.evaluation.metrics.elements import SurfaceDistances, distances_between
from anytomy.evaluation.metrics.empty import Emptiness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

DEFAULT_TOLERANCE = 2.0

Unit = Literal["mm", "px"]


@dataclass(frozen=True, eq=False, init=False)
class Pair:
    """Two masks of one grid, and how they are to be compared. What metrics share is computed once.

    Attributes:
        found: Mask `(z, y, x)` or `(y, x)`; whatever is not zero belongs to it.
        truth: The mask that it is compared with, of the same shape.
        spacing: Distance of voxel centres along each array axis, `(z, y, x)` or `(y, x)`; None is one pixel.
        unit: Of spacing, tolerance and distances: "mm", or "px" where there is no spacing.
        tolerance: Up to which distance two surfaces count as the same, in `unit`.
        axis: Array axis that slices are counted along; a 2D picture is one slice.

    Raises:
        GeometryError: If the shapes differ.
        OptionError: For a spacing or a tolerance that is not positive and finite or does not fit the array,
            for mm without a spacing, or an axis that is not there.
    """

    found: NDArray[np.bool_]
    truth: NDArray[np.bool_]
    spacing: tuple[float, ...]
    unit: Unit
    tolerance: float
    axis: int

    def __init__(
        self,
        found: ArrayLike,
        truth: ArrayLike,
        spacing: Sequence[float] | None = None,
        *,
        unit: Unit | None = None,
        tolerance: float = DEFAULT_TOLERANCE,
        axis: int = 0,
    ) -> None:
        a, b = np.asarray(found, dtype=bool), np.asarray(truth, dtype=bool)
        if a.shape != b.shape:
            raise GeometryError(f"expected masks of one shape, got {a.shape} and {b.shape}")
        if unit not in (None, "mm", "px") or (unit == "mm" and spacing is None):
            raise OptionError(f"expected mm with a spacing, or px, got {unit!r} and the spacing {spacing}")
        if not (math.isfinite(tolerance) and tolerance >= 0):
            raise OptionError(f"expected a tolerance of 0 or more, got {tolerance}")
        if not -a.ndim <= axis < a.ndim:
            raise OptionError(f"expected an axis of an array of shape {a.shape}, got {axis}")
        values = {
            "found": a,
            "truth": b,
            "spacing": _checked_spacing(spacing, a.ndim),
            "unit": unit or ("px" if spacing is None else "mm"),
            "tolerance": float(tolerance),
            "axis": axis % a.ndim,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @cached_property
    def crop(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Found and truth, cut to the smallest box that holds both; views, not copies."""
        boxes = [box for box in (_box(self.found), _box(self.truth)) if box is not None]
        both = tuple(
            slice(min(part.start for part in parts), max(part.stop for part in parts))
            for parts in zip(*boxes, strict=True)
        )
        both = both or (slice(0, 0),) * self.found.ndim
        return self.found[both], self.truth[both]

    @cached_property
    def found_voxels(self) -> int:
        """Voxels or pixels of the found mask."""
        return int(np.count_nonzero(self.crop[0]))

    @cached_property
    def truth_voxels(self) -> int:
        """Voxels or pixels of the truth."""
        return int(np.count_nonzero(self.crop[1]))

    @cached_property
    def shared_voxels(self) -> int:
        """Voxels or pixels that lie in both."""
        found, truth = self.crop
        return int(np.count_nonzero(found & truth))

    @property
    def empty(self) -> Emptiness:
        """Which of the two is empty."""
        return Emptiness.of(self.found_voxels, self.truth_voxels)

    @property
    def diagonal(self) -> float:
        """From one corner of the whole image to the opposite one, in `unit`."""
        return math.hypot(*(n * s for n, s in zip(self.found.shape, self.spacing, strict=True)))

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in ml; NaN for pictures and for pixels, which have none."""
        if self.unit != "mm" or self.found.ndim != 3:
            return math.nan
        return math.prod(self.spacing) / 1000

    @cached_property
    def surfaces(self) -> SurfaceDistances:
        """The surfaces of both and how far they lie apart, in `unit`.

        Raises:
            GeometryError: If the masks are neither 2D nor 3D.
        """
        if self.found.ndim not in (2, 3):
            raise GeometryError(f"expected masks (y, x) or (z, y, x), got the shape {self.found.shape}")
        return distances_between(*self.crop, self.spacing)

    @cached_property
    def slices(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """For each slice along `axis` within the crop: is something found, is something in the truth."""
        if self.found.ndim < 3:
            return np.array([self.found_voxels > 0]), np.array([self.truth_voxels > 0])
        others = tuple(axis for axis in range(self.found.ndim) if axis != self.axis)
        found, truth = (np.asarray(mask.any(axis=others)) for mask in self.crop)
        return found, truth

    @property
    def empty_slices(self) -> int:
        """Slices along `axis` in which the truth is empty."""
        total = self.found.shape[self.axis] if self.found.ndim >= 3 else 1
        return total - int(np.count_nonzero(self.slices[1]))


def _checked_spacing(spacing: Sequence[float] | None, ndim: int) -> tuple[float, ...]:
    if spacing is None:
        return (1.0,) * ndim
    values = tuple(float(value) for value in spacing)
    if len(values) != ndim or not all(math.isfinite(value) and value > 0 for value in values):
        raise OptionError(f"expected {ndim} positive spacings in the order of the array axes, got {values}")
    return values


def _box(mask: NDArray[np.bool_]) -> tuple[slice, ...] | None:
    """The smallest box around a mask; None if it is empty."""
    box = [slice(None)] * mask.ndim
    # From the axis with the longest stride on, so that the whole volume is read once and in order.
    for axis in sorted(range(mask.ndim), key=lambda a: -abs(mask.strides[a])):
        others = tuple(a for a in range(mask.ndim) if a != axis)
        where = np.flatnonzero(mask[tuple(box)].any(axis=others))
        if not where.size:
            return None
        box[axis] = slice(int(where[0]), int(where[-1]) + 1)
    return tuple(box)
