"""Random grids, and the 48 ways to store the same grid."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from anytomy.core.geometry import Geometry

if TYPE_CHECKING:
    from numpy.typing import NDArray

ORDERS = tuple(itertools.permutations(range(3)))
FLIPS = tuple(itertools.product((False, True), repeat=3))
STORAGES = tuple(itertools.product(ORDERS, FLIPS))

sizes = st.tuples(*[st.integers(1, 6)] * 3)
spacings = st.tuples(*[st.floats(0.05, 12.0)] * 3)
origins = st.tuples(*[st.floats(-500.0, 500.0)] * 3)


def rotation_about(axis: int, degrees: float) -> NDArray[np.float64]:
    """3 x 3 rotation about one axis of the patient."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    first, second = (a for a in range(3) if a != axis)
    matrix = np.eye(3)
    matrix[first, first], matrix[first, second] = c, -s
    matrix[second, first], matrix[second, second] = s, c
    return matrix


def directions(max_degrees: float = 180.0) -> st.SearchStrategy[NDArray[np.float64]]:
    """Rotations by up to so many degrees about each axis in turn; multiples of 45 come up often."""
    exact = st.sampled_from([d for d in (-90.0, -45.0, 0.0, 30.0, 45.0, 90.0) if abs(d) <= max_degrees])
    angle = st.one_of(exact, st.floats(-max_degrees, max_degrees))
    return st.tuples(angle, angle, angle).map(
        lambda abc: rotation_about(0, abc[0]) @ rotation_about(1, abc[1]) @ rotation_about(2, abc[2])
    )


def rows(matrix: NDArray[Any]) -> Any:
    """A matrix as the tuple of rows that `Geometry` takes."""
    return tuple(tuple(float(v) for v in row) for row in matrix)


@st.composite
def geometries(draw: st.DrawFn, max_degrees: float = 180.0) -> Geometry:
    """Grids of up to six voxels a side, anywhere, turned by up to `max_degrees`, stored in any way."""
    geometry = Geometry(
        size_xyz=draw(sizes),
        spacing_xyz_mm=draw(spacings),
        origin_lps_mm=draw(origins),
        direction=rows(draw(directions(max_degrees))),
    )
    return stored(geometry, draw(st.sampled_from(ORDERS)), draw(st.sampled_from(FLIPS)))


def numbered_voxels(geometry: Geometry) -> NDArray[np.int64]:
    """An array (z, y, x) in which every voxel has its own value."""
    return np.arange(np.prod(geometry.shape_zyx)).reshape(geometry.shape_zyx)


def places(geometry: Geometry) -> NDArray[np.float64]:
    """Physical place of every voxel, (z, y, x, 3), straight from the definition of the grid."""
    x, y, z = (np.arange(n) for n in geometry.size_xyz)
    k, j, i = np.meshgrid(z, y, x, indexing="ij")
    index = np.stack([i, j, k], axis=-1) * np.asarray(geometry.spacing_xyz_mm)
    return index @ np.asarray(geometry.direction).T + np.asarray(geometry.origin_lps_mm)


def stored(geometry: Geometry, order: tuple[int, ...], flips: tuple[bool, ...]) -> Geometry:
    """The grid with its index axes in another order, some of them reversed."""
    out = geometry.permute(order)
    for axis, flip in enumerate(flips):
        out = out.flip(axis) if flip else out
    return out


def stored_array(array_zyx: NDArray[Any], order: tuple[int, ...], flips: tuple[bool, ...]) -> NDArray[Any]:
    """The array that goes with `stored`."""
    xyz = np.transpose(np.transpose(array_zyx, (2, 1, 0)), order)
    xyz = np.flip(xyz, [axis for axis, flip in enumerate(flips) if flip])
    return np.transpose(xyz, (2, 1, 0))
