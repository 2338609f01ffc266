"""Where a voxel grid lies in the patient: `Geometry`.

The physical frame is LPS in mm, as in DICOM and ITK: +x to the patient's left, +y to the back, +z to the
head. NIfTI's RAS+ is converted here and nowhere else.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from anytomy.core.errors import GeometryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

Triple = tuple[float, float, float]
IntTriple = tuple[int, int, int]

_IDENTITY: tuple[Triple, Triple, Triple] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
# RAS and LPS differ by the sign of the first two axes; the matrix is its own inverse.
_RAS_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
# Float32 headers and rounded DICOM cosines reach 1e-5; a real shear is far above.
_SHEAR_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Geometry:
    """A regular grid of voxels in physical space, without shear.

    Index order is x, y, z (the file's first, second and third axis); arrays of the same image are
    `(z, y, x)`. A 2D image is a grid with one slice.

    Attributes:
        size_xyz: Voxels along each index axis.
        spacing_xyz_mm: Distance of voxel centres along each index axis.
        origin_lps_mm: Physical position of the centre of voxel (0, 0, 0).
        direction: 3 x 3, rows L, P, S; column j is the unit vector of index axis j.

    Raises:
        GeometryError: For sizes or spacings that are not positive, values that are not finite, or axes
            that are not perpendicular.
    """

    size_xyz: IntTriple
    spacing_xyz_mm: Triple = (1.0, 1.0, 1.0)
    origin_lps_mm: Triple = (0.0, 0.0, 0.0)
    direction: tuple[Triple, Triple, Triple] = _IDENTITY

    def __post_init__(self) -> None:
        size = tuple(int(n) for n in self.size_xyz)
        spacing = tuple(float(s) for s in self.spacing_xyz_mm)
        origin = tuple(float(o) for o in self.origin_lps_mm)
        matrix = np.asarray(self.direction, dtype=np.float64)
        if len(size) != 3 or min(size) < 1:
            raise GeometryError(f"expected a grid of three positive sizes, got {self.size_xyz}")
        if len(spacing) != 3 or not np.all(np.isfinite(spacing)) or min(spacing) <= 0:
            raise GeometryError(f"expected three positive spacings in mm, got {self.spacing_xyz_mm}")
        if len(origin) != 3 or not np.all(np.isfinite(origin)):
            raise GeometryError(f"expected a finite origin in mm, got {self.origin_lps_mm}")
        if matrix.shape != (3, 3) or not np.all(np.isfinite(matrix)):
            raise GeometryError(f"expected a finite 3 x 3 direction matrix, got {self.direction}")
        skew = float(np.abs(matrix.T @ matrix - np.eye(3)).max())
        if skew > _SHEAR_TOLERANCE:
            raise GeometryError(
                f"expected perpendicular unit axes, got a sheared direction (off by {skew:.2g})",
                hint="resample the image onto a regular grid first",
            )
        object.__setattr__(self, "size_xyz", size)
        object.__setattr__(self, "spacing_xyz_mm", spacing)
        object.__setattr__(self, "origin_lps_mm", origin)
        rows = tuple(tuple(float(v) for v in row) for row in matrix)
        object.__setattr__(self, "direction", rows)

    # -- construction and views of the same facts ------------------------------------------------

    @classmethod
    def from_affine(
        cls, affine: ArrayLike, size_xyz: Sequence[int], *, frame: Literal["LPS", "RAS"] = "LPS"
    ) -> Geometry:
        """Geometry of a 4 x 4 affine that maps voxel (x, y, z) to mm in `frame`.

        Raises:
            GeometryError: If the affine is singular, not finite or sheared.
        """
        matrix = np.asarray(affine, dtype=np.float64)
        if matrix.shape != (4, 4) or not np.all(np.isfinite(matrix)):
            raise GeometryError(
                "expected a finite 4 x 4 affine, got one with NaN or infinity",
                hint="write true voxel sizes, directions and origin into the header",
            )
        if frame == "RAS":
            matrix = _RAS_LPS @ matrix
        spacing = np.linalg.norm(matrix[:3, :3], axis=0)
        if not np.all(spacing > 0):
            sizes = " x ".join(f"{size:g}" for size in spacing)
            raise GeometryError(
                f"expected an affine with three axes, got one with voxels of {sizes} mm",
                hint="write true voxel sizes into the header",
            )
        direction = matrix[:3, :3] / spacing
        return cls(
            size_xyz=_int_triple(size_xyz),
            spacing_xyz_mm=_triple(spacing),
            origin_lps_mm=_triple(matrix[:3, 3]),
            direction=(_triple(direction[0]), _triple(direction[1]), _triple(direction[2])),
        )

    @property
    def direction_matrix(self) -> NDArray[np.float64]:
        """3 x 3 direction; column j is the unit vector of index axis j in LPS."""
        return np.asarray(self.direction, dtype=np.float64)

    @property
    def affine_lps(self) -> NDArray[np.float64]:
        """4 x 4, voxel (x, y, z, 1) to LPS mm."""
        affine = np.eye(4)
        affine[:3, :3] = self.direction_matrix * np.asarray(self.spacing_xyz_mm)
        affine[:3, 3] = self.origin_lps_mm
        return affine

    @property
    def affine_ras(self) -> NDArray[np.float64]:
        """4 x 4, voxel (x, y, z, 1) to RAS mm, as NIfTI has it."""
        return _RAS_LPS @ self.affine_lps

    @property
    def shape_zyx(self) -> IntTriple:
        """Shape of an array on this grid."""
        return self.size_xyz[2], self.size_xyz[1], self.size_xyz[0]

    @property
    def spacing_zyx_mm(self) -> Triple:
        """Spacing in the order of array axes."""
        return self.spacing_xyz_mm[2], self.spacing_xyz_mm[1], self.spacing_xyz_mm[0]

    @property
    def nearest_axes(self) -> IntTriple:
        """For each index axis x, y, z the patient axis (0 L, 1 P, 2 S) that it runs nearest to.

        The assignment with the largest summed cosine; exact ties (a grid turned by 45 degrees) go to the
        assignment that is first by physical direction, so that it does not depend on how the grid is stored.
        """
        # Whole millionths: their sums do not depend on the order of the axes, as sums of floats would.
        cosines = np.round(np.abs(self.direction_matrix) * 1e6).astype(int)
        options = []
        for order in itertools.permutations(range(3)):
            total = round(sum(int(cosines[order[j], j]) for j in range(3)), -1)
            lead = tuple(self._along(order.index(patient)) for patient in range(3))
            options.append((total, lead, order))
        x, y, z = max(options)[2]
        return x, y, z

    def _along(self, axis: int) -> Triple:
        """Unit vector of an index axis, signed so that its first non-zero part is positive."""
        vector = np.round(self.direction_matrix[:, axis], 6)
        first = vector[np.flatnonzero(vector)[0]]
        return _triple(vector * np.sign(first))

    @property
    def orientation(self) -> str:
        """Where x, y, z point to, by their nearest patient axes: `LPS`, `RAS`, `PSR`, ..."""
        letters = (("R", "L"), ("A", "P"), ("I", "S"))
        matrix = self.direction_matrix
        return "".join(letters[p][int(matrix[p, j] > 0)] for j, p in enumerate(self.nearest_axes))

    # -- points ----------------------------------------------------------------------------------

    def to_physical(self, index_xyz: ArrayLike) -> NDArray[np.float64]:
        """Voxel coordinates (..., 3) in x, y, z to LPS mm."""
        index = np.asarray(index_xyz, dtype=np.float64)
        return index @ self.affine_lps[:3, :3].T + self.affine_lps[:3, 3]

    def to_index(self, physical_lps_mm: ArrayLike) -> NDArray[np.float64]:
        """LPS mm (..., 3) to (fractional) voxel coordinates in x, y, z."""
        offset = np.asarray(physical_lps_mm, dtype=np.float64) - self.affine_lps[:3, 3]
        index = np.linalg.solve(self.affine_lps[:3, :3], offset.reshape(-1, 3).T).T
        return np.asarray(index.reshape(offset.shape), dtype=np.float64)

    # -- derived grids: the same physical place for every voxel that is kept ----------------------

    def crop(self, start_xyz: Sequence[int], stop_xyz: Sequence[int]) -> Geometry:
        """The grid of `array[z0:z1, y0:y1, x0:x1]`; ends exclusive."""
        start, stop = np.asarray(start_xyz), np.asarray(stop_xyz)
        if np.any(start < 0) or np.any(stop > self.size_xyz) or np.any(start >= stop):
            raise GeometryError(
                f"expected a crop inside {self.size_xyz}, got {_int_triple(start)} to {_int_triple(stop)}"
            )
        return self._regrid(start, stop - start)

    def pad(self, before_xyz: Sequence[int], after_xyz: Sequence[int]) -> Geometry:
        """The grid with voxels added before and after each axis."""
        before, after = np.asarray(before_xyz), np.asarray(after_xyz)
        if np.any(before < 0) or np.any(after < 0):
            raise GeometryError("expected padding of zero or more voxels")
        return self._regrid(-before, np.asarray(self.size_xyz) + before + after)

    def flip(self, axis: int) -> Geometry:
        """The grid stored in reverse along index axis 0 (x), 1 (y) or 2 (z)."""
        start = np.zeros(3)
        start[axis] = self.size_xyz[axis] - 1
        matrix = self.direction_matrix.copy()
        matrix[:, axis] *= -1
        return replace(self, origin_lps_mm=_triple(self.to_physical(start)), direction=_rows(matrix))

    def permute(self, order: Sequence[int]) -> Geometry:
        """The grid whose index axes x, y, z are this one's axes `order`, e.g. (1, 0, 2)."""
        if sorted(order) != [0, 1, 2]:
            raise GeometryError(f"expected an order of the axes 0, 1 and 2, got {tuple(order)}")
        return Geometry(
            size_xyz=_int_triple([self.size_xyz[j] for j in order]),
            spacing_xyz_mm=_triple([self.spacing_xyz_mm[j] for j in order]),
            origin_lps_mm=self.origin_lps_mm,
            direction=_rows(self.direction_matrix[:, list(order)]),
        )

    def _regrid(self, start_xyz: NDArray[np.int_], size_xyz: NDArray[np.int_]) -> Geometry:
        origin = _triple(self.to_physical(start_xyz))
        return replace(self, size_xyz=_int_triple(size_xyz), origin_lps_mm=origin)

    def is_close(self, other: Geometry, *, rtol: float = 1e-6) -> bool:
        """Whether both are the same grid: equal size, and every voxel centre in the same place.

        The places may differ by `rtol` of the grid's extent, or of its distance from the origin where that is
        more (float32 headers round it).
        """
        if self.size_xyz != other.size_xyz:
            return False
        corners = np.array(list(itertools.product(*((0, n - 1) for n in self.size_xyz))))
        mine, theirs = self.to_physical(corners), other.to_physical(corners)
        extent = float(np.linalg.norm(np.asarray(self.size_xyz) * self.spacing_xyz_mm))
        scale = max(extent, float(np.abs(mine).max()))
        return bool(np.abs(mine - theirs).max() <= rtol * scale)


def _triple(values: ArrayLike) -> Triple:
    x, y, z = (float(v) for v in np.asarray(values))
    return x, y, z


def _int_triple(values: ArrayLike) -> IntTriple:
    x, y, z = (int(v) for v in np.asarray(values))
    return x, y, z


def _rows(matrix: NDArray[np.float64]) -> tuple[Triple, Triple, Triple]:
    return _triple(matrix[0]), _triple(matrix[1]), _triple(matrix[2])
