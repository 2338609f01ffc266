"""What the phantoms of data sets are made of: drawn label maps, files, and what must come out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.io.dicom_phantom import grid

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from anytomy.core.geometry import Geometry

Array = np.ndarray


@dataclass(frozen=True)
class Expected:
    """What a case must be.

    Attributes:
        patient: Its patient key.
        labels: One label map for each structure, as the image's array lies.
        split: The publisher's split.
        modality: The case's modality.
        image: The image's values, where they are worth a check.
    """

    patient: str
    labels: dict[str, NDArray[Any]] = field(default_factory=dict)
    split: str = ""
    modality: str = ""
    image: NDArray[Any] | None = None


Tree = dict[str, Expected]  # by the image's path below the root


def draw(shape: tuple[int, ...], values: list[int], seed: int) -> Array:
    """A label map with each of the values and background."""
    rng = np.random.default_rng(seed)
    out = rng.choice([0, *values], size=shape).astype(np.uint8)
    out.flat[: len(values)] = values
    return out


def two_blobs(shape: tuple[int, ...]) -> Array:
    """Two objects that do not touch, 1 and 2 in reading order."""
    out = np.zeros(shape, np.uint8)
    height, width = shape
    out[1 : height // 2 - 1, 1 : width // 2] = 1
    out[height // 2 + 1 : height - 1, width // 2 + 1 : width - 1] = 2
    return out


def noise(shape: tuple[int, ...], seed: int) -> Array:
    """An image."""
    return np.random.default_rng(seed).integers(0, 255, size=shape).astype(np.uint8)


def chosen(label: Array, wanted: dict[str, list[int]]) -> dict[str, Array]:
    """A label map for each structure from values of one map."""
    return {name: np.isin(label, values).astype(np.uint8) for name, values in wanted.items()}


# -- files ------------------------------------------------------------------------------------------


def picture(path: Path, array: Array) -> None:
    """A picture of the format that the ending says."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def nifti(path: Path, array: Array, geometry: Geometry | None = None) -> None:
    """An array `([t,] z, y, x)` as NIfTI."""
    import nibabel

    path.parent.mkdir(parents=True, exist_ok=True)
    geometry = geometry or grid(array.shape[:-4:-1])  # type: ignore[arg-type]
    stored = array.transpose(3, 2, 1, 0) if array.ndim == 4 else array.T
    nibabel.save(nibabel.Nifti1Image(stored, geometry.affine_ras), path)


def simple_itk(path: Path, array: Array, geometry: Geometry) -> None:
    """An array `(z, y, x)` as MHD or NRRD."""
    import SimpleITK as sitk  # noqa: N813

    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(geometry.spacing_xyz_mm)
    image.SetOrigin(geometry.origin_lps_mm)
    image.SetDirection(geometry.direction_matrix.ravel().tolist())
    sitk.WriteImage(image, str(path))


def pair(root: Path, image: str, mask: str, label: Array, seed: int = 0) -> None:
    """A NIfTI volume and its label on one grid."""
    nifti(root / image, noise(label.shape, seed).astype(np.int16))
    nifti(root / mask, label)
