"""An image with its place in the patient: `Image`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import ImageReadError
from anytomy.core.geometry import Geometry

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


# Formats that say nothing of millimetres, or whose resolution says nothing of a body.
PLACELESS = frozenset({"png", "jpeg", "bmp", "gif", "tiff", "npz", "npy", ""})


@dataclass(frozen=True, eq=False)
class Image:
    """Pixels or voxels and where they lie.

    Attributes:
        array: `(y, x[, c])` for an image, `(z, y, x[, c])` for a volume; `c` is 3 for colour, absent for
            grey. The values are the file's own (HU for a CT), in the file's own type where possible.
        geometry: The grid; one slice for an image.
        is_volume: Whether the first array axis is z.
        modality: The DICOM code that the file states (`CT`, `MR`, `US`, ...); None where it states none.
        path: Where it came from.
        format: `nifti`, `nrrd`, `mha`, `dicom`, `png`, `tiff`, ...; empty for an array in memory.
        header: What the format's own writer needs to write the same header again; opaque elsewhere.

    Raises:
        ImageReadError: If the array is empty, complex, not numeric, or does not fit the geometry.
    """

    array: NDArray[Any]
    geometry: Geometry
    is_volume: bool
    modality: str | None = None
    path: Path | None = None
    format: str = ""
    header: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        name = str(self.path) if self.path else "the image"
        array = self.array
        if array.size == 0:
            raise ImageReadError(f"{name} is empty (shape {array.shape})")
        if array.dtype == bool:
            object.__setattr__(self, "array", array.astype(np.uint8))
        elif not np.issubdtype(array.dtype, np.integer) and not np.issubdtype(array.dtype, np.floating):
            raise ImageReadError(
                f"{name} has values of type {array.dtype}, expected whole or real numbers",
                hint="convert it first (for example to its magnitude)",
            )
        spatial = 3 if self.is_volume else 2
        grid = self.geometry.shape_zyx[3 - spatial :]
        if array.ndim not in (spatial, spatial + 1) or array.shape[:spatial] != grid:
            raise ImageReadError(f"{name} has shape {array.shape}, expected {grid} and maybe channels")
        if not self.is_volume and self.geometry.size_xyz[2] != 1:
            raise ImageReadError(f"{name} is 2D, but its geometry has {self.geometry.size_xyz[2]} slices")
        if array.ndim == spatial + 1 and array.shape[-1] != 3:
            raise ImageReadError(
                f"{name} has {array.shape[-1]} channels, expected one (grey) or three (colour)",
                hint="choose one with --channel",
            )

    @classmethod
    def from_array(
        cls,
        array: NDArray[Any],
        *,
        is_volume: bool | None = None,
        geometry: Geometry | None = None,
        modality: str | None = None,
    ) -> Image:
        """An image of an array in memory.

        Args:
            array: `(y, x)`, `(y, x, 3)`, `(z, y, x)` or `(z, y, x, 3)`.
            is_volume: Says what three axes mean; by default `(y, x, 3)` is a colour image.
            geometry: The grid; 1 mm at the origin by default.
            modality: DICOM code, `CT` say.
        """
        array = np.asarray(array)
        if is_volume is None:
            is_volume = array.ndim == 4 or (array.ndim == 3 and array.shape[-1] != 3)
        spatial = array.shape[: 3 if is_volume else 2]
        if len(spatial) < (3 if is_volume else 2) or array.size == 0:
            raise ImageReadError(f"expected an image or a volume, got shape {array.shape}")
        if geometry is None:
            depth = spatial[0] if is_volume else 1
            geometry = Geometry(size_xyz=(spatial[-1], spatial[-2], depth))
        return cls(array=array, geometry=geometry, is_volume=is_volume, modality=modality)

    @property
    def is_colour(self) -> bool:
        """Whether the last array axis holds red, green and blue."""
        return self.array.ndim == (4 if self.is_volume else 3)

    @property
    def has_place(self) -> bool:
        """Whether its format says where pixels lie in mm."""
        return self.format not in PLACELESS

    @property
    def has_scale(self) -> bool:
        """Whether it is known how many mm a pixel is; a spacing of 1 is what readers set where it is not."""
        axes = 3 if self.is_volume else 2
        stated = any(s != 1.0 for s in self.geometry.spacing_xyz_mm[:axes])
        return stated or (self.is_volume and self.has_place)

    @property
    def volume(self) -> NDArray[Any]:
        """The array as `(z, y, x[, c])`, also for an image; no copy."""
        return self.array if self.is_volume else self.array[None]

    @property
    def name(self) -> str:
        """File name for messages."""
        return str(self.path) if self.path else "image"
