"""Where parallel rays first meet a body: `cast`.

Rays of an orthographic camera start just before the outermost voxels that they could meet and go on in
steps of less than a voxel of the smooth field; where its sign changes, the surface is found between steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anytomy.report.solid import Solid

    Floats = NDArray[np.float32]
    Vector = NDArray[np.float64]

_STEP = 0.9  # voxels
# The corners of a tetrahedron: differences between them give all three slopes.
_CORNERS = np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)], np.float32)
_SLACK = 1.5  # voxels that the surface may lie before the centre of the outermost voxel


@dataclass(frozen=True, eq=False)
class Camera:
    """An orthographic camera; vectors are units in LPS.

    Attributes:
        right: What is to the right in the picture.
        up: What is up.
        toward: From the body to the viewer.
        centre_lps_mm: What is in the middle of the picture.
        pixels_per_mm: Scale.
        width: Pixels.
        height: Pixels.
    """

    right: Vector
    up: Vector
    toward: Vector
    centre_lps_mm: Vector
    pixels_per_mm: float
    width: int
    height: int

    @property
    def axes(self) -> Vector:
        """3 x 3, rows right, up, toward."""
        return np.stack([self.right, self.up, self.toward])

    def project(self, places_lps_mm: Vector) -> Vector:
        """Places (n, 3) as column, row (a pixel's centre is a whole number) and mm towards the viewer."""
        seen = (places_lps_mm - self.centre_lps_mm) @ self.axes.T
        seen[:, 0] = self.width / 2 + seen[:, 0] * self.pixels_per_mm - 0.5
        seen[:, 1] = self.height / 2 - seen[:, 1] * self.pixels_per_mm - 0.5
        return seen

    def places(self, column: NDArray[np.int64], row: NDArray[np.int64]) -> Vector:
        """Places (n, 3) in LPS mm of pixels, in the plane through the centre."""
        across = (column + 0.5 - self.width / 2) / self.pixels_per_mm
        along = -(row + 0.5 - self.height / 2) / self.pixels_per_mm
        return self.centre_lps_mm + across[:, None] * self.right + along[:, None] * self.up


@dataclass(frozen=True, eq=False)
class Hits:
    """What rays met.

    Attributes:
        pixels: Flat indices (row * width + column), ascending.
        depth: For each, mm towards the viewer from the plane through the camera's centre.
        normals: `(n, 3)` units in the camera's right, up, toward.
    """

    pixels: NDArray[np.int64]
    depth: Floats
    normals: Floats


def cast(body: Solid, camera: Camera, front: Floats | None = None) -> Hits:
    """Send a ray through each pixel that the body could be seen in.

    Args:
        body: What is looked at.
        camera: From where.
        front: For each pixel the depth of what lies there already; what is behind it is left out.
    """
    from scipy.ndimage import map_coordinates

    pixels, near, far = _candidates(body, camera)
    if front is not None:
        ahead = near > front[pixels]
        pixels, near, far = pixels[ahead], near[ahead], np.maximum(far[ahead], front[pixels[ahead]])
    grid = body.geometry
    to_index = (grid.direction_matrix / np.asarray(grid.spacing_xyz_mm)).T
    start = (camera.places(pixels % camera.width, pixels // camera.width) - grid.origin_lps_mm) @ to_index.T
    # Along array axes z, y, x, in single precision: millions of them.
    start = np.ascontiguousarray(start[:, ::-1].T, dtype=np.float32)
    way = (to_index @ camera.toward)[::-1].astype(np.float32)[:, None]

    def field(at: Floats) -> Floats:
        sampled: Floats = map_coordinates(
            body.values, at, order=1, mode="constant", cval=-1.0, prefilter=False, output=np.float32
        )
        return sampled

    step = np.float32(_STEP * min(grid.spacing_xyz_mm))
    depth, found = np.full(len(pixels), -np.inf, np.float32), near.copy()
    going, before = np.arange(len(pixels)), np.full(len(pixels), -1.0, np.float32)
    while going.size:
        here = found[going]
        value = field(start[:, going] + way * here)
        hit = value > 0
        # The surface lies between this step and the one before: where the line between their values is 0.
        share = value[hit] / (value[hit] - np.minimum(before[hit], -1e-6))
        depth[going[hit]] = here[hit] + share * step
        left = ~hit & (here - step >= far[going])
        going, before = going[left], value[left]
        found[going] -= step
    met = np.isfinite(depth)
    pixels, depth = pixels[met], depth[met]
    return Hits(pixels, depth, _normals(field, start[:, met] + way * depth, body, camera))


def _normals(field: Any, at: Floats, body: Solid, camera: Camera) -> Floats:
    """Unit vectors away from the body, in the camera's axes, from four places around each hit."""
    slopes = np.zeros_like(at)
    for corner in _CORNERS:
        slopes -= corner[:, None] * field(at + corner[:, None])
    grid = body.geometry
    slopes = slopes[::-1] / np.asarray(grid.spacing_xyz_mm, np.float32)[:, None]
    seen = (camera.axes @ grid.direction_matrix).astype(np.float32) @ slopes
    length = np.linalg.norm(seen, axis=0)
    return np.ascontiguousarray((seen / np.maximum(length, 1e-12)).T)


def _candidates(body: Solid, camera: Camera) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Pixels in which the body may be seen, and the depths that its surface there lies between."""
    from scipy.ndimage import maximum_filter, minimum_filter

    voxel = max(body.geometry.spacing_xyz_mm)
    cell = max(voxel * camera.pixels_per_mm, 1.0)
    seen = camera.project(body.border)
    places = np.floor(seen[:, :2] / cell).astype(int)
    first = places.min(axis=0) - 2
    width, height = places.max(axis=0) + 3 - first
    flat = (places[:, 1] - first[1]) * width + places[:, 0] - first[0]
    near, far = np.full(width * height, -np.inf, np.float32), np.full(width * height, np.inf, np.float32)
    depth = seen[:, 2].astype(np.float32)
    np.maximum.at(near, flat, depth)
    np.minimum.at(far, flat, depth)
    # A voxel may be seen from the cells around its own.
    near = maximum_filter(near.reshape(height, width), 3)
    far = minimum_filter(far.reshape(height, width), 3)
    low = np.maximum(np.floor(first * cell).astype(int), 0)
    last = np.ceil((first + np.array([width, height])) * cell).astype(int)
    high = np.minimum(last, (camera.width, camera.height))
    columns, rows = np.arange(low[0], high[0]), np.arange(low[1], high[1])
    across = np.minimum((columns / cell).astype(int) - first[0], width - 1)
    along = np.minimum((rows / cell).astype(int) - first[1], height - 1)
    near, far = near[np.ix_(along, across)], far[np.ix_(along, across)]
    row, column = np.nonzero(np.isfinite(near))
    slack = np.float32(_SLACK * voxel)
    pixels = rows[row] * camera.width + columns[column]
    return pixels, near[row, column] + slack, far[row, column] - slack
