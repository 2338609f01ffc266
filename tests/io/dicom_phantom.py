"""Synthetic DICOM files for tests: series, enhanced multi-frame objects, pictures."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from anytomy.core.geometry import Geometry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "US": "1.2.840.10008.5.1.4.1.1.3.1",
    "SC": "1.2.840.10008.5.1.4.1.1.7",
    "SEG": "1.2.840.10008.5.1.4.1.1.66.4",
    "RTSTRUCT": "1.2.840.10008.5.1.4.1.1.481.3",
    "enhanced CT": "1.2.840.10008.5.1.4.1.1.2.1",
    "enhanced MR": "1.2.840.10008.5.1.4.1.1.4.1",
}
AXIAL = np.eye(3)
SAGITTAL = np.array([[0, 0, -1], [1, 0, 0], [0, -1, 0]], dtype=float)  # columns are x, y, z; right-handed
CORONAL = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=float)
FLIPPED = np.diag([-1.0, -1.0, 1.0])


def oblique(first: float = 0.3, second: float = -0.5) -> np.ndarray:
    """A rotation about two axes."""
    a, b = np.array([[np.cos(t), -np.sin(t)] for t in (first, second)])
    about_x = np.array([[1, 0, 0], [0, *a], [0, -a[1], a[0]]])
    about_z = np.array([[*b, 0], [-b[1], b[0], 0], [0, 0, 1]])
    return about_z @ about_x


def grid(
    size_xyz: tuple[int, int, int] = (7, 6, 5),
    direction: np.ndarray = AXIAL,
    spacing_xyz_mm: tuple[float, float, float] = (0.75, 0.5, 2.5),
    origin_lps_mm: tuple[float, float, float] = (-12.5, 30.25, -101.5),
) -> Geometry:
    """A small grid with a different size and spacing along each axis."""
    rows = tuple(tuple(float(v) for v in row) for row in direction)
    return Geometry(size_xyz, spacing_xyz_mm, origin_lps_mm, rows)


def voxels(geometry: Geometry, dtype: Any = np.int16) -> np.ndarray:
    """An array (z, y, x) in which each voxel has its own value."""
    return np.arange(int(np.prod(geometry.size_xyz)), dtype=dtype).reshape(geometry.shape_zyx)


def dataset(pixels: np.ndarray, modality: str, *, kind: str | None = None) -> FileDataset:
    """An object with the pixels `(y, x)`, `(y, x, 3)`, or with `frames` set, `(frame, y, x)`."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID = meta.MediaStorageSOPClassUID = CLASSES[kind or modality]
    made.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = generate_uid()
    made.StudyInstanceUID, made.SeriesInstanceUID = generate_uid(), generate_uid()
    made.FrameOfReferenceUID = generate_uid()
    made.PatientName, made.PatientID = "Doe^Jane", "4711"
    made.Modality = modality
    put_pixels(made, pixels)
    return made


def put_pixels(made: Dataset, pixels: np.ndarray) -> None:
    """Set pixels and what describes them."""
    colour = pixels.ndim > 2 and pixels.shape[-1] == 3
    frames = pixels.ndim - (3 if colour else 2)
    made.Rows, made.Columns = pixels.shape[frames : frames + 2]
    if frames:
        made.NumberOfFrames = len(pixels)
    made.SamplesPerPixel = 3 if colour else 1
    if colour:
        made.PlanarConfiguration = 0
    made.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    made.BitsAllocated = made.BitsStored = 8 * pixels.dtype.itemsize
    made.HighBit = made.BitsStored - 1
    made.PixelRepresentation = int(pixels.dtype.kind == "i")
    made.PixelData = pixels.tobytes()
    made["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 else "OW"


def save(made: FileDataset, path: Path) -> Path:
    """Write it; values that break the standard on purpose pass."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.save_as(path, enforce_file_format=True)
    return path


def series(
    geometry: Geometry, array: np.ndarray, *, modality: str = "CT", number: int = 3
) -> list[FileDataset]:
    """One object per slice, in the order of z."""
    uids = {key: generate_uid() for key in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")}
    made = []
    for z, pixels in enumerate(array):
        one = dataset(pixels, modality)
        for key, uid in uids.items():
            setattr(one, key, uid)
        one.SeriesNumber, one.InstanceNumber = number, z + 1
        one.SeriesDescription = f"phantom {modality}"
        one.ImagePositionPatient = _decimal(geometry.to_physical((0, 0, z)))
        one.ImageOrientationPatient = _decimal(geometry.direction_matrix[:, :2].T)
        one.PixelSpacing = _decimal(geometry.spacing_xyz_mm[1::-1])
        one.SliceThickness = "9"  # not the distance of slices
        made.append(one)
    return made


def write_series(
    folder: Path,
    geometry: Geometry,
    array: np.ndarray | None = None,
    *,
    modality: str = "CT",
    number: int = 3,
    order: Sequence[int] | None = None,
    edit: Callable[[Dataset, int], None] | None = None,
    name: str = "IM{:03}",
) -> list[Path]:
    """Write a series; returns the files in the order of z.

    Args:
        folder: Where to.
        geometry: The grid.
        array: `(z, y, x)`; each voxel its own value by default.
        modality: Of the objects.
        number: SeriesNumber.
        order: File number of each slice; ascending by default.
        edit: Changes an object, given its z, before it is written.
        name: Of the files, by file number.
    """
    array = voxels(geometry) if array is None else array
    files = []
    for z, one in enumerate(series(geometry, array, modality=modality, number=number)):
        if edit:
            edit(one, z)
        files.append(save(one, folder / name.format(z if order is None else order[z])))
    return files


def enhanced(
    geometry: Geometry, array: np.ndarray, order: Sequence[int], *, modality: str = "CT"
) -> FileDataset:
    """A multi-frame object that stores slice `order[i]` in frame i; values are 2 * stored - 5."""
    made = dataset(array[list(order)], modality, kind=f"enhanced {modality}")
    made.SeriesNumber = 3
    orientation = Dataset()
    orientation.ImageOrientationPatient = _decimal(geometry.direction_matrix[:, :2].T)
    measures = Dataset()
    measures.PixelSpacing = _decimal(geometry.spacing_xyz_mm[1::-1])
    measures.SliceThickness = "9"
    shared = Dataset()
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = Items([orientation]), Items([measures])
    made.SharedFunctionalGroupsSequence = Items([shared])
    frames = []
    for z in order:
        position, values, content, frame = Dataset(), Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = _decimal(geometry.to_physical((0, 0, z)))
        values.RescaleSlope, values.RescaleIntercept, values.RescaleType = "2", "-5", "HU"
        content.TemporalPositionIndex = 1
        frame.PlanePositionSequence, frame.FrameContentSequence = Items([position]), Items([content])
        frame.PixelValueTransformationSequence = Items([values])
        frames.append(frame)
    made.PerFrameFunctionalGroupsSequence = Items(frames)
    return made


def _decimal(values: Any) -> list[str]:
    """Decimal strings of at most 16 characters."""
    return [f"{v:.10g}"[:16] for v in np.asarray(values, dtype=float).ravel()]
