"""Small volumes for a 3D view: `grey_solid`, `label_solid`, as NIfTI.

No axis is longer than 256, which every WebGL 2 can hold: of longer ones every second, third ... voxel is
taken. Both come from the same voxels, so that masks lie where they belong.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from anytomy.core.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from anytomy.core.geometry import Geometry
    from anytomy.core.image import Image
    from anytomy.core.intensity import GreyScale

MOST = 256
SOLID_MEDIA = "application/octet-stream"


def check_volume(image: Image) -> None:
    """Refuse a picture.

    Raises:
        OptionError: If it is one.
    """
    if not image.is_volume:
        raise OptionError("this is a single picture: there is nothing to show in 3D")


def steps(geometry: Geometry) -> tuple[int, int, int]:
    """Every how many voxels one is taken, along z, y, x."""
    z, y, x = (-(-n // MOST) for n in geometry.shape_zyx)
    return z, y, x


def grey_solid(image: Image, grey: GreyScale) -> bytes:
    """Grey levels of a volume; of colours their mean."""
    z, y, x = steps(image.geometry)
    planes = []
    for plane in image.volume[::z]:
        shown = grey.apply(plane[::y, ::x])
        planes.append(shown if shown.ndim == 2 else shown.mean(axis=2).astype(np.uint8))
    return _nifti(np.stack(planes), image.geometry)


def label_solid(geometry: Geometry, masks: Iterable[tuple[int, NDArray[np.bool_]]]) -> bytes:
    """The label map of masks `(z, y, x)`; where they overlap, the last one is shown."""
    z, y, x = steps(geometry)
    labels = np.zeros(
        [-(-n // step) for n, step in zip(geometry.shape_zyx, (z, y, x), strict=True)], np.uint16
    )
    for label, mask in masks:
        labels[mask[::z, ::y, ::x]] = label
    return _nifti(labels, geometry)


def _nifti(voxels: NDArray[np.uint8] | NDArray[np.uint16], geometry: Geometry) -> bytes:
    """A file of a volume `(z, y, x)` of which the first voxel is that of the grid."""
    from nibabel.nifti1 import Nifti1Image

    z, y, x = steps(geometry)
    size = voxels.shape[2], voxels.shape[1], voxels.shape[0]
    spacing = geometry.spacing_xyz_mm
    wider = (spacing[0] * x, spacing[1] * y, spacing[2] * z)
    reduced = replace(geometry, size_xyz=size, spacing_xyz_mm=wider)
    return Nifti1Image(voxels.transpose(2, 1, 0), reduced.affine_ras).to_bytes()
