"""How the slices of a volume are shown to a 2D model: `SliceView`.

The same scan can be stored with any axis first and any axis reversed. A 2D model must not see that, so
slices are shown as a radiologist would look at them: left of the patient on the right of the picture; in
axial slices the front on top, in coronal and sagittal ones the head on top; sagittal ones from the left
(front on the left of the picture). Slices are counted towards left, back or head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

    from anytomy.core.geometry import Geometry, IntTriple

# For slices across patient axis L, P, S: the patient axes that columns and rows should run along, and
# whether they run against it. Rows of coronal and sagittal slices run from head to foot.
_PICTURE = {0: ((1, False), (2, True)), 1: ((0, False), (2, True)), 2: ((0, False), (1, False))}


@dataclass(frozen=True)
class SliceView:
    """A flip and transposition between a file's grid and the slices that a model sees.

    View coordinates are column, row, slice; they are 0-based voxels as in the file.

    Attributes:
        axes: The file's index axis (0 x, 1 y, 2 z) behind column, row and slice.
        reversed_: Whether column, row, slice run against that axis.
        size: Number of columns, rows and slices.
    """

    axes: IntTriple
    reversed_: tuple[bool, bool, bool]
    size: IntTriple

    @classmethod
    def canonical(cls, geometry: Geometry, axis: str | int = "z") -> SliceView:
        """The radiological view of slices across the file's index axis `x`, `y` or `z`.

        Raises:
            OptionError: If the axis is none of these.
        """
        across = axis_number(axis)
        nearest = geometry.nearest_axes
        matrix = geometry.direction_matrix
        axes, reverse = [], []
        for patient, against in (*_PICTURE[nearest[across]], (nearest[across], False)):
            index_axis = nearest.index(patient)
            axes.append(index_axis)
            reverse.append(bool(matrix[patient, index_axis] < 0) != against)
        size = geometry.size_xyz
        return cls(
            axes=(axes[0], axes[1], axes[2]),
            reversed_=(reverse[0], reverse[1], reverse[2]),
            size=(size[axes[0]], size[axes[1]], size[axes[2]]),
        )

    @classmethod
    def stored(cls, geometry: Geometry, axis: str | int = "z") -> SliceView:
        """Slices exactly as the file stores them: nothing flipped, lower index axis along columns."""
        across = axis_number(axis)
        first, second = (a for a in range(3) if a != across)
        size = geometry.size_xyz
        return cls(
            axes=(first, second, across),
            reversed_=(False, False, False),
            size=(size[first], size[second], size[across]),
        )

    def apply(self, array_zyx: NDArray[Any]) -> NDArray[Any]:
        """An array (z, y, x[, c]) of the file as (slice, row, column[, c]); no copy."""
        column, row, slice_ = (2 - a for a in self.axes)
        rest = tuple(range(3, array_zyx.ndim))
        return np.transpose(array_zyx, (slice_, row, column, *rest))[self._steps()]

    def restore(self, array: NDArray[Any]) -> NDArray[Any]:
        """The inverse of `apply`: (slice, row, column[, c]) as (z, y, x[, c]); no copy."""
        order = np.argsort([2 - a for a in (self.axes[2], self.axes[1], self.axes[0])])
        rest = tuple(range(3, array.ndim))
        return np.transpose(array[self._steps()], (*(int(i) for i in order), *rest))

    def _steps(self) -> tuple[slice, ...]:
        column, row, slice_ = (slice(None, None, -1 if r else 1) for r in self.reversed_)
        return slice_, row, column

    def to_view(self, points_xyz: ArrayLike) -> NDArray[np.float64]:
        """Voxel centres (..., 3) of the file in x, y, z as column, row, slice."""
        points = np.asarray(points_xyz, dtype=np.float64)[..., list(self.axes)]
        return np.where(self.reversed_, np.asarray(self.size) - 1 - points, points)

    def to_file(self, points: ArrayLike) -> NDArray[np.float64]:
        """The inverse of `to_view`: column, row, slice (..., 3) as the file's x, y, z."""
        seen = np.asarray(points, dtype=np.float64)
        out = np.empty_like(seen)
        out[..., list(self.axes)] = np.where(self.reversed_, np.asarray(self.size) - 1 - seen, seen)
        return out

    def box_to_view(self, box_xyz: Sequence[float]) -> tuple[float, ...]:
        """A box x0, y0, z0, x1, y1, z1 (ends exclusive) as column, row, slice starts and ends."""
        start = np.asarray(box_xyz[:3], dtype=np.float64)[list(self.axes)]
        stop = np.asarray(box_xyz[3:], dtype=np.float64)[list(self.axes)]
        size = np.asarray(self.size)
        low = np.where(self.reversed_, size - stop, start)
        high = np.where(self.reversed_, size - start, stop)
        return (*(float(v) for v in low), *(float(v) for v in high))

    def slice_to_view(self, index: int) -> int:
        """A slice number of the file as a slice number of the view (and back)."""
        return self.size[2] - 1 - index if self.reversed_[2] else index


def axis_number(axis: str | int) -> int:
    """0, 1, 2 for x, y, z.

    Raises:
        OptionError: For anything else.
    """
    if isinstance(axis, str) and axis.lower() in ("x", "y", "z"):
        return "xyz".index(axis.lower())
    if isinstance(axis, int) and axis in (0, 1, 2):
        return axis
    raise OptionError(f"expected the axis x, y or z, got {axis!r}")
