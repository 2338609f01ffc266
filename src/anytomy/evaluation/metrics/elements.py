"""Surface elements of masks, and how far those of two masks lie apart.

Between 2 x 2 (x 2) neighbouring voxels passes a piece of the surface if some of them are inside and some are
not. It lies at the point where they meet, and its length (area) is that of marching squares (cubes) through
the middles of the edges: Nikolov et al. 2018, arXiv 1809.04430; Lorensen and Cline 1987.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Sums and products of spacings are exact to far more than that; a tolerance of 0.3 holds 3 steps of 0.1.
_ROUNDING = 1e-9

_CORNERS = tuple((z, y, x) for z in (0, 1) for y in (0, 1) for x in (0, 1))  # bit 0 is z = y = x = 0


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """For each surface element of one mask the distance to the nearest of the other.

    Attributes:
        found_to_truth: Distances from the found surface, in the unit of the spacing; infinite where the
            truth has none.
        truth_to_found: Distances from the true surface.
        found_sizes: Areas of the found elements in the squared unit; in 2D lengths in the unit.
        truth_sizes: Areas or lengths of the true elements.
    """

    found_to_truth: NDArray[np.float64]
    truth_to_found: NDArray[np.float64]
    found_sizes: NDArray[np.float64]
    truth_sizes: NDArray[np.float64]

    def within(self, tolerance: float) -> float:
        """The share of both surfaces that lies within `tolerance` of the other one; NaN if there is none."""
        limit = tolerance * (1 + _ROUNDING)
        near = self.found_sizes[self.found_to_truth <= limit].sum()
        near += self.truth_sizes[self.truth_to_found <= limit].sum()
        total = self.found_sizes.sum() + self.truth_sizes.sum()
        return float(near / total) if total else math.nan

    def percentile(self, percent: float) -> float:
        """The larger of the two distances within which so many percent of a surface's area lie."""
        return max(
            _percentile(self.found_to_truth, self.found_sizes, percent),
            _percentile(self.truth_to_found, self.truth_sizes, percent),
        )


def distances_between(
    found: NDArray[np.bool_], truth: NDArray[np.bool_], spacing: tuple[float, ...]
) -> SurfaceDistances:
    """Surface elements of two masks `(z, y, x)` or `(y, x)` of one shape; spacing in the same order.

    What lies outside the array is background: an object that touches the border has a surface there.
    """
    table = element_sizes(spacing)
    codes = _codes(found), _codes(truth)
    sizes = [table[code] for code in codes]
    on = [size > 0 for size in sizes]
    return SurfaceDistances(
        found_to_truth=_nearest(on[0], on[1], spacing),
        truth_to_found=_nearest(on[1], on[0], spacing),
        found_sizes=sizes[0][on[0]],
        truth_sizes=sizes[1][on[1]],
    )


@lru_cache(maxsize=64)
def element_sizes(spacing: tuple[float, ...]) -> NDArray[np.float64]:
    """Length (area) of the surface element for each of the 16 (256) patterns of 4 (8) neighbours.

    Bit `x + 2 y + 4 z` of a pattern is the neighbour at offset `(z, y, x)`.
    """
    if len(spacing) == 2:
        height, width = spacing
        slant = math.hypot(height, width) / 2
        one_row, one_column, opposite = (0b0011, 0b1100), (0b0101, 0b1010), (0b0110, 0b1001)
        sizes = dict.fromkeys(range(1, 15), slant)  # one corner is in, or all but one
        sizes |= dict.fromkeys(one_row, width) | dict.fromkeys(one_column, height)
        sizes |= dict.fromkeys(opposite, 2 * slant)
        return np.array([sizes.get(code, 0.0) for code in range(16)])
    return np.array([_area(code, spacing) for code in range(256)])


def _area(code: int, spacing: tuple[float, ...]) -> float:
    """Area of the surface between eight neighbours.

    Opposite corners of a face are not connected, neither of the inside nor, where that has fewer corners, of
    the outside; each group of connected corners is cut off by itself.
    """
    inside = [corner for bit, corner in enumerate(_CORNERS) if code >> bit & 1]
    rest = inside if len(inside) <= 4 else [corner for corner in _CORNERS if corner not in inside]
    area = 0.0
    while rest:
        group, fresh = [], [rest.pop()]
        while fresh:
            group.append(fresh.pop())
            near = [c for c in rest if sum(a != b for a, b in zip(c, group[-1], strict=True)) == 1]
            fresh += near
            rest = [corner for corner in rest if corner not in near]
        area += _cut_area(group, spacing)
    return area


def _cut_area(group: list[tuple[int, int, int]], spacing: tuple[float, ...]) -> float:
    """Area of the surface that cuts one to four connected corners off a cell.

    The triangles run through the middles of the edges that leave the group. By symmetry there are seven
    kinds of groups. `face[a]` is the area of the cell's face across axis a, `slope[a]` that of a whole
    section parallel to axis a, `corner` that of a plane across all three axes.
    """
    face = [math.prod(spacing) / s for s in spacing]
    slope = [math.hypot(*(face[b] for b in range(3) if b != a)) for a in range(3)]
    corner = math.hypot(*face)
    # How many corners of the group lie on the far side, for each axis.
    far = [sum(c[axis] for c in group) for axis in range(3)]
    flat = [axis for axis in range(3) if far[axis] in (0, len(group))]
    if len(group) == 1:
        return corner / 8
    if len(group) == 2:  # an edge
        along = next(axis for axis in range(3) if axis not in flat)
        return slope[along] / 2
    if len(group) == 3:  # an angle in a face: a triangle over it and a trapezium beside it
        return face[flat[0]] / 2 + corner * 3 / 8
    if flat:  # a face
        return face[flat[0]]
    if 2 not in far:  # a corner with its three neighbours: a plane hexagon
        return corner * 3 / 4
    # A path along all three axes: a hexagon that is not plane, cut into a triangle and three at its sides.
    return corner / 2 + sum(slope[axis] for axis in range(3) if far[axis] != 2) / 4


def _codes(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """For each point where voxels meet the pattern of those around it; one longer along each axis."""
    codes = np.pad(mask, 1).view(np.uint8)
    for bit, axis in enumerate(reversed(range(mask.ndim))):
        before = [slice(None)] * mask.ndim
        after = list(before)
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        codes = codes[tuple(before)] | codes[tuple(after)] << np.uint8(1 << bit)
    return codes


def _nearest(start: NDArray[np.bool_], goal: NDArray[np.bool_], spacing: tuple[float, ...]) -> Any:
    """The distance from each point of `start` to the nearest of `goal`."""
    from scipy.spatial import KDTree

    apart = ~goal[start]
    distances = np.zeros(apart.shape)
    if not goal.any():
        return np.full(apart.shape, np.inf)
    if apart.any():
        # Points on a grid are spread evenly: sorting them for a balanced tree costs more than it saves.
        tree = KDTree(np.argwhere(goal) * spacing, balanced_tree=False, compact_nodes=False)
        distances[apart] = tree.query(np.argwhere(start & ~goal) * spacing)[0]
    return distances


def _percentile(distances: NDArray[np.float64], sizes: NDArray[np.float64], percent: float) -> float:
    if not distances.size:
        return math.inf
    order = np.argsort(distances, kind="stable")
    covered = np.cumsum(sizes[order])
    index = int(np.searchsorted(covered, covered[-1] * percent / 100 * (1 - _ROUNDING)))
    return float(distances[order[min(index, order.size - 1)]])
