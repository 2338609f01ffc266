"""A mask as a smooth body for three-dimensional pictures: `solid`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.core.geometry import Geometry, IntTriple

    Field = NDArray[np.float32]

_MARGIN = 3
# Slices this much thicker than their pixels are interpolated by shape: contours move from one to the next.
_THICK = 1.6
# In voxels: what takes the steps away without taking much of the shape, and the kinks of interpolation.
_SMOOTH, _SMOOTH_THICK, _KINKS = 1.0, 1.2, 0.45
_SMOOTH_SEEN, _SMOOTH_LEAST = 1.5, 0.6  # in details that are seen; in voxels of the axis itself
# Half the width of what is kept of a line of voxels, the share of it that counts, and the share of a merged
# voxel that must be filled.
_THIN, _THIN_LEAST = 0.6, 0.16
_FILLED = 0.2
# Distances in pixels beyond which all is the same, across which a wall's thickness is looked for, and the
# share of that thickness that it may be away.
_DEEPEST, _WALL, _TIE = 30.0, 15, 0.75


@dataclass(frozen=True, eq=False)
class Solid:
    """An object as a field of numbers: positive inside, its surface where they are zero.

    Attributes:
        values: float32 `(z, y, x)`, negative at all borders.
        geometry: The grid of `values`; finer or coarser than the file's.
        border: `(n, 3)`, places in LPS mm of the outermost voxels that are inside.
    """

    values: Field
    geometry: Geometry
    border: NDArray[np.float64]


def solid(mask: NDArray[np.bool_], start_xyz: IntTriple, geometry: Geometry, detail_mm: float) -> Solid:
    """The body of a mask, steps of voxels smoothed by about one voxel.

    Args:
        mask: `(z, y, x)`, a part of the grid, not empty.
        start_xyz: The first voxel of that part.
        geometry: The whole grid.
        detail_mm: What is smaller than this will not be seen; voxels are merged up to it.
    """
    stop = tuple(start + n for start, n in zip(start_xyz, mask.shape[::-1], strict=True))
    # Also beyond the image: a body that is cut off by its border is closed there.
    grid = geometry.crop(start_xyz, stop)
    values, grid = _coarser(mask.astype(np.float32), grid, detail_mm)
    values = np.pad(values, _MARGIN)
    grid = grid.pad((_MARGIN,) * 3, (_MARGIN,) * 3)
    spacing = np.asarray(grid.spacing_zyx_mm)
    thick = np.arange(3) == (spacing.argmax() if spacing.max() > _THICK * spacing.min() else -1)
    inside = values >= 0.5
    # Where voxels were merged, a vessel fills none of them.
    thin = _thin(values >= min(_FILLED, 0.9 * float(values.max())), thick)
    values = _smooth(values, inside, spacing, thick, detail_mm)
    step = max(detail_mm, float(spacing.min()) / 3)
    times = [max(1, round(float(s) / step)) for s in spacing]
    for axis in range(3):
        values, grid = _finer(values, grid, axis, times[axis])
    if thin is not None:
        np.maximum(values, _kept(thin, times), out=values)
    return Solid(values, grid, _border(values, grid))


def _smooth(
    values: Field,
    inside: NDArray[np.bool_],
    spacing: NDArray[np.float64],
    thick: NDArray[np.bool_],
    detail_mm: float,
) -> Field:
    from scipy.ndimage import gaussian_filter

    field = _by_shape(inside, spacing) if thick.any() else values - np.float32(0.5)
    # Steps in a contour become streaks where it is drawn out between slices.
    least = _SMOOTH_THICK if thick.any() else _SMOOTH
    width = np.maximum(least * float(spacing.min()), _SMOOTH_SEEN * detail_mm) / spacing
    width = np.maximum(width, _SMOOTH_LEAST)
    smooth = gaussian_filter(field, np.where(thick, 0.0, width), truncate=3)
    return np.asarray(smooth, dtype=np.float32)


def _thin(inside: NDArray[np.bool_], thick: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Walls and vessels, which smoothing would wipe out; None where there are none."""
    from scipy.ndimage import binary_dilation, binary_opening

    cross = np.zeros((3, 3, 3), dtype=bool)
    for axis in range(3):
        # One slice that is thicker than pixels are is not thin.
        reach = 0 if thick[axis] else 1
        for step in range(1 - reach, 2 + reach):
            cross[tuple(step if other == axis else 1 for other in range(3))] = True
    # The voxels of an edge are near the body that it belongs to.
    thin = inside & ~binary_dilation(binary_opening(inside, cross), iterations=2)
    return thin if thin.any() else None


def _kept(thin: NDArray[np.bool_], times: list[int]) -> Field:
    """A field that is positive within about half a voxel of thin parts, in voxels so many times as fine."""
    from scipy.ndimage import gaussian_filter

    fine = thin.astype(np.float32)
    for axis, count in enumerate(times):
        fine = np.repeat(fine, count, axis=axis)
    field: Field = gaussian_filter(fine, [_THIN * count for count in times], truncate=3)
    field -= np.float32(_THIN_LEAST)
    return field


def _by_shape(inside: NDArray[np.bool_], spacing: NDArray[np.float64]) -> Field:
    """Signed distances to the contour within each slice, in pixels.

    Between two slices their zeros move from the one contour to the other (Raya and Udupa, Shape-based
    interpolation of multidimensional objects, IEEE TMI 1990); from a slice to an empty one they end half-way.
    """
    from scipy.ndimage import distance_transform_edt, maximum_filter

    axis = int(spacing.argmax())
    scale = spacing / spacing.min()
    scale[axis] = 1e4  # each slice on its own
    field = distance_transform_edt(inside, scale) - distance_transform_edt(~inside, scale)
    slices = np.moveaxis(field.astype(np.float32), axis, 0)
    filled = (slices > 0).any(axis=(1, 2))
    # A wall that moves by more than its thickness would be torn between two slices: outside of one it must
    # not count more than inside of the other.
    depth = maximum_filter(np.maximum(slices, 0), (1, _WALL, _WALL)) * (slices > 0)
    limit = np.zeros_like(depth)
    limit[1:] = depth[:-1]
    limit[:-1] = np.maximum(limit[:-1], depth[1:])
    limit = np.where(limit > 0, _TIE * limit, _DEEPEST)
    np.maximum(slices, -limit, out=slices)
    for index in np.flatnonzero(~filled):
        beside = [n for n in (index - 1, index + 1) if 0 <= n < len(filled) and filled[n]]
        slices[index] = -np.max([np.abs(slices[n]) for n in beside], axis=0) if beside else -_DEEPEST
    field = np.moveaxis(np.clip(slices, -_DEEPEST, _DEEPEST), 0, axis)
    return np.ascontiguousarray(field, dtype=np.float32)


def _coarser(values: Field, grid: Geometry, detail_mm: float) -> tuple[Field, Geometry]:
    """Blocks of voxels merged where these are finer than what is seen."""
    times = [max(1, int(detail_mm / s + 0.25)) for s in grid.spacing_zyx_mm]
    if max(times) == 1:
        return values, grid
    extra = [-n % k for n, k in zip(values.shape, times, strict=True)]
    values = np.pad(values, [(0, n) for n in extra])
    z, y, x = (n // k for n, k in zip(values.shape, times, strict=True))
    blocks = values.reshape(z, times[0], y, times[1], x, times[2])
    return blocks.mean(axis=(1, 3, 5), dtype=np.float32), _regrid(grid, (x, y, z), times[::-1])


def _finer(values: Field, grid: Geometry, axis: int, times: int) -> tuple[Field, Geometry]:
    """Values between voxels along one array axis, without kinks at them."""
    from scipy.ndimage import gaussian_filter1d

    if times == 1:
        return values, grid
    count = values.shape[axis]
    at = np.clip((np.arange(count * times) + 0.5) / times - 0.5, 0, count - 1)
    low = np.minimum(at.astype(int), count - 2)
    shape = [1, 1, 1]
    shape[axis] = -1
    share = (at - low).astype(np.float32).reshape(shape)
    below, above = np.take(values, low, axis=axis), np.take(values, low + 1, axis=axis)
    above -= below
    above *= share
    above += below
    fine = gaussian_filter1d(above, _KINKS * times, axis=axis, truncate=3)
    factors = [1.0, 1.0, 1.0]
    factors[2 - axis] = 1 / times
    z, y, x = fine.shape
    return fine, _regrid(grid, (x, y, z), factors)


def _regrid(grid: Geometry, size_xyz: IntTriple, times_xyz: list[float] | list[int]) -> Geometry:
    """The same space in voxels so many times as large."""
    from anytomy.core.geometry import Geometry

    times = np.asarray(times_xyz, dtype=float)
    origin = grid.to_physical((times - 1) / 2)
    spacing = np.asarray(grid.spacing_xyz_mm) * times
    return Geometry(
        size_xyz=size_xyz,
        spacing_xyz_mm=(float(spacing[0]), float(spacing[1]), float(spacing[2])),
        origin_lps_mm=(float(origin[0]), float(origin[1]), float(origin[2])),
        direction=grid.direction,
    )


def _border(values: Field, grid: Geometry) -> NDArray[np.float64]:
    inside = values > 0
    deep = inside[1:-1, 1:-1, 1:-1].copy()
    for axis in range(3):
        for side in (slice(None, -2), slice(2, None)):
            window = [slice(1, -1)] * 3
            window[axis] = side
            deep &= inside[tuple(window)]
    inside[1:-1, 1:-1, 1:-1] &= ~deep
    return grid.to_physical(np.argwhere(inside)[:, ::-1])
