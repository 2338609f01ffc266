"""Small folders of images and masks as people have them, and what recognising makes of them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from anytomy.datasets.finding import find_cases
from anytomy.datasets.recognising import Recognition, Wishes, recognise
from anytomy.datasets.recognising.trial import card_of
from anytomy.datasets.tree import Tree

Array = NDArray[Any]
SIZE = 48


def noise(seed: int = 0, shape: tuple[int, ...] = (SIZE, SIZE)) -> Array:
    """An image: smooth noise with many values."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def disc(value: int = 255, *, centre: tuple[float, float] = (24, 24), radius: float = 10) -> Array:
    """A mask with one disc."""
    y, x = np.mgrid[:SIZE, :SIZE]
    inside = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2
    return (inside * value).astype(np.uint8)


def ball(value: int = 1, depth: int = 6) -> Array:
    """A mask volume `(z, y, x)`."""
    return np.repeat(disc(value)[None], depth, axis=0)


def picture(path: Path, array: Array | None = None, **options: Any) -> Path:
    """Write a picture; noise, whose seed is the path, if none is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = noise(zlib.crc32(path.name.encode())) if array is None else array
    Picture.fromarray(values).save(path, **options)
    return path


def volume(path: Path, array: Array | None = None, affine: Array | None = None) -> Path:
    """Write a NIfTI file of an array `(z, y, x)` or `(t, z, y, x)`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = noise(3, (6, SIZE, SIZE)).astype(np.int16) if array is None else array
    image = nibabel.Nifti1Image(values.T.astype(values.dtype), np.eye(4) if affine is None else affine)
    nibabel.save(image, path)
    return path


def text(path: Path, content: str | dict[str, Any] | list[Any] = "x") -> Path:
    """Write a text or JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def series(folder: Path, count: int = 5, modality: str = "CT") -> Path:
    """Write a DICOM series."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    folder.mkdir(parents=True, exist_ok=True)
    uid, study, frame = generate_uid(), generate_uid(), generate_uid()
    for number in range(count):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        file = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        file.SOPClassUID, file.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        file.SeriesInstanceUID, file.StudyInstanceUID, file.FrameOfReferenceUID = uid, study, frame
        file.Modality, file.SeriesNumber, file.InstanceNumber = modality, 1, number + 1
        file.Rows = file.Columns = SIZE
        file.PixelSpacing, file.SliceThickness = [1.0, 1.0], 2.0
        file.ImagePositionPatient = [0.0, 0.0, 2.0 * number]
        file.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
        file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 16, 16, 15, 1
        file.RescaleSlope, file.RescaleIntercept = 1, -1024
        file.PixelData = noise(number).astype(np.int16).tobytes()
        file.save_as(folder / f"i{number:04d}.dcm", enforce_file_format=True)
    return folder


def recognised(root: Path, *, catalogue: bool = False, **wishes: Any) -> Recognition:
    """Recognise a folder, without the catalogue unless it is asked for."""
    return recognise(Tree.of(root), catalogue=catalogue, wishes=Wishes(**wishes))


def pairs(root: Path, found: Recognition | None = None) -> dict[str, list[str]]:
    """For each image the files of its masks, as paths below the root."""
    found = found or recognised(root)
    cases = find_cases(Tree.of(root), card_of(found.layouts)).cases
    return {
        _relative(case.image.path, root): sorted({_relative(p, root) for m in case.masks for p in m.paths})
        for case in cases
    }


def patients(root: Path, found: Recognition | None = None) -> dict[str, str]:
    """For each image its patient."""
    found = found or recognised(root)
    cases = find_cases(Tree.of(root), card_of(found.layouts)).cases
    return {_relative(case.image.path, root): case.patient for case in cases}


def meanings(found: Recognition) -> list[tuple[str, Any]]:
    """What labels mean: structures, and values, threshold, colour or how objects are told."""
    out: list[tuple[str, Any]] = []
    for target in dict.fromkeys(t for layout in found.layouts for t in layout.targets):
        how: Any = target.values or target.colour or target.objects
        if target.above is not None and target.objects == "one":
            how = f">{target.above:g}"
        out.append((target.structure, how))
    return out


def said(found: Recognition) -> str:
    """All sentences."""
    return "\n".join((*found.understood, *found.odd))


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def names(paths: Iterable[str]) -> list[str]:
    """The last parts of paths, sorted."""
    return sorted(path.split("/")[-1] for path in paths)
