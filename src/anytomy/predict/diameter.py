"""How long a mask is: in space, and in the slice where it is longest, as RECIST measures lesions.

Distances run between the outer edges of pixels, at the middle of a voxel's faces: an object of ten pixels in
a row is ten pixels long, and one of a single voxel as long as that. That is where radiologists set callipers,
and the surface that the Image Biomarker Standardisation Initiative measures its maximum 3D diameter on
(Zwanenburg et al. 2020, arXiv 1612.07003).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_ROUNDING = 1e-9
_BLOCK = 1 << 22


@dataclass(frozen=True)
class Diameters:
    """Lengths in the unit of the spacing.

    Attributes:
        longest: The largest distance of two points of the object.
        in_plane: The largest distance within one plane.
        across: In that plane, the longest chord of the object's convex hull that is perpendicular to it.
        plane: Number of that plane; of equals the one with the longest chord, then the first.
    """

    longest: float
    in_plane: float
    across: float
    plane: int


def diameters(planes: NDArray[np.bool_], spacing: Sequence[float]) -> Diameters:
    """Exact diameters of a mask that is not empty.

    Args:
        planes: `(plane, row, column)`.
        spacing: Between planes, rows and columns.
    """
    steps = np.asarray(spacing, dtype=np.float64)
    corners, best = [], Diameters(0.0, 0.0, 0.0, 0)
    for number, plane in enumerate(planes):
        ends = _row_ends(plane)
        if not ends.size:
            continue
        owners, hull = _hull(ends, steps[1:])
        corners.append(np.column_stack([np.full(len(owners), number), owners]))
        if np.hypot(*np.ptp(hull, axis=0)) < best.in_plane * (1 - _ROUNDING):
            continue
        length, across = _in_plane(hull)
        equal = abs(length - best.in_plane) <= _ROUNDING * length
        if length > best.in_plane * (1 + _ROUNDING) or (equal and across > best.across * (1 + _ROUNDING)):
            best = Diameters(0.0, length, across, number)
    _, hull = _hull(np.concatenate(corners), steps)
    return Diameters(_longest(hull), best.in_plane, best.across, best.plane)


def _row_ends(plane: NDArray[np.bool_]) -> NDArray[np.int_]:
    """First and last pixel of each row that has some: the convex hull needs no others."""
    rows = np.flatnonzero(plane.any(axis=1))
    inside = plane[rows]
    first = inside.argmax(axis=1)
    last = plane.shape[1] - 1 - inside[:, ::-1].argmax(axis=1)
    return np.concatenate([np.column_stack([rows, first]), np.column_stack([rows, last])])


def _hull(
    voxels: NDArray[np.int_], steps: NDArray[np.float64]
) -> tuple[NDArray[np.int_], NDArray[np.float64]]:
    """Corners of the convex hull of the middles of voxel faces, and the voxels that they belong to."""
    from scipy.spatial import ConvexHull

    middles = np.concatenate([np.eye(len(steps)), -np.eye(len(steps))]) / 2
    points = ((voxels[:, None] + middles) * steps).reshape(-1, len(steps))
    corners = ConvexHull(points).vertices
    return voxels[np.unique(corners // len(middles))], points[corners]


def _in_plane(hull: NDArray[np.float64]) -> tuple[float, float]:
    """The diameter of a convex polygon and its longest chord perpendicular to that; of equals the longest."""
    distances = np.hypot(*(hull[:, None] - hull[None]).transpose(2, 0, 1))
    length = float(distances.max())
    pairs = np.argwhere(np.triu(distances) >= length * (1 - _ROUNDING))
    return length, max(_chord(hull, hull[i], hull[j]) for i, j in pairs)


def _chord(hull: NDArray[np.float64], start: NDArray[np.float64], stop: NDArray[np.float64]) -> float:
    """The longest chord of a convex polygon perpendicular to a diameter of it.

    Beside the diameter run an upper and a lower border, both of straight pieces, so that their distance is
    largest at a corner.
    """
    along = (stop - start) / np.linalg.norm(stop - start)
    places = (hull - start) @ along
    heights = (hull - start) @ np.array([-along[1], along[0]])
    order = np.argsort(places)
    places, heights = places[order], heights[order]
    # Both ends of the diameter belong to both borders.
    nothing = _ROUNDING * places[-1]
    upper, lower = heights >= -nothing, heights <= nothing
    top = np.interp(places, places[upper], heights[upper])
    bottom = np.interp(places, places[lower], heights[lower])
    return float((top - bottom).max())


def _longest(points: NDArray[np.float64]) -> float:
    """The largest distance of two points."""
    points = points - points.mean(axis=0)
    reach = np.linalg.norm(points, axis=1)
    # A pair that is known; points too near to the middle cannot be part of a longer one.
    first = points[reach.argmax()]
    known = float(np.linalg.norm(points - first, axis=1).max())
    points = points[reach >= known - reach.max() - _ROUNDING * known]
    squares = np.square(points).sum(axis=1)
    largest = 0.0
    for start in range(0, len(points), max(_BLOCK // len(points), 1)):
        part = slice(start, start + max(_BLOCK // len(points), 1))
        apart = squares[part, None] + squares - 2 * points[part] @ points.T
        largest = max(largest, float(apart.max()))
    return float(np.sqrt(largest))
