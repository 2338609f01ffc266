"""The DICOM images that something is derived from, as its header must refer to them: `load_sources`.

Nothing is written to them: what highdicom asks for and a file lacks is filled in memory. Missing facts of the
patient and the study become empty, as DICOM has it for what is not known; none is invented.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import OutputError
from anytomy.io.dicom import DicomHeader

if TYPE_CHECKING:
    from pathlib import Path

    from anytomy.core.image import Image

UTF_8 = "ISO_IR 192"
_HINT = "choose .seg.nrrd or .nii.gz"
_MAY_BE_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"),
    *("StudyDate", "StudyTime", "ReferringPhysicianName"),
)
_DIRECTION = 1e-3


def source_files(image: Image) -> list[Path]:
    """The DICOM files of an image, in the order of its slices; none for another format."""
    if not isinstance(image.header, DicomHeader):
        return []
    return list(dict.fromkeys(slice_.path for slice_ in image.header.slices))


def check_source(image: Image) -> DicomHeader:
    """What an image came from.

    Raises:
        OutputError: If that is not DICOM, or lacks what a derived object must refer to.
    """
    header = image.header
    if image.format != "dicom" or not isinstance(header, DicomHeader):
        kind = f"of the format {image.format}" if image.format else "an array"
        raise OutputError(
            f"a DICOM segmentation belongs to a patient and a series, and {image.name} is {kind}, not DICOM",
            hint=_HINT,
        )
    names = {"study_instance_uid": "StudyInstanceUID", "series_instance_uid": "SeriesInstanceUID"}
    if image.is_volume:
        names["frame_of_reference_uid"] = "FrameOfReferenceUID"
    for field, keyword in names.items():
        if not getattr(header, field):
            raise OutputError(
                f"a DICOM segmentation refers to its images, and {image.name} has no {keyword}", hint=_HINT
            )
    if not image.is_volume and header.slices[0].frame_number is not None:
        raise OutputError(
            f"a DICOM segmentation needs a place for each frame, and those of {image.name} have none",
            hint=_HINT,
        )
    return header


def load_sources(image: Image) -> list[Any]:
    """The headers of an image's files, one dataset a file, in the order of its slices; text in UTF-8.

    Args:
        image: It must have passed `check_source`.

    Raises:
        OutputError: If a file is not there any more, or the image does not lie where its files do.
    """
    from pydicom import dcmread

    datasets = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pydicom, about values that break a rule of the standard
        for path in source_files(image):
            try:
                dataset = dcmread(path, stop_before_pixels=True, force=True)
                dataset.decode()
                dataset.SpecificCharacterSet = UTF_8
            except Exception as error:  # pydicom raises whatever a broken value leads to
                raise OutputError(
                    f"{path} cannot be read again: {str(error) or type(error).__name__}"
                ) from error
            datasets.append(dataset)
        for dataset in datasets:
            _complete(dataset, datasets[0], image)
    _check_place(datasets, image)
    return datasets


def _complete(dataset: Any, first: Any, image: Image) -> None:
    for keyword in _MAY_BE_EMPTY:
        if keyword not in dataset or not _is_valid(keyword, dataset[keyword].value):
            setattr(dataset, keyword, "")
    dataset.setdefault("NumberOfFrames", 1)
    dx, dy, dz = image.geometry.spacing_xyz_mm
    _default(dataset, "PixelSpacing", _decimal((dy, dx)))
    _default(dataset, "SliceThickness", _decimal((dz,))[0])
    if "ImageOrientationPatient" in dataset:
        # Equal within a tolerance; highdicom wants them to be the same to the digit.
        dataset.ImageOrientationPatient = first.ImageOrientationPatient
    _complete_groups(dataset)


def _complete_groups(dataset: Any) -> None:
    """Shared functional groups, where highdicom looks for what holds for all frames of a multi-frame kind."""
    from pydicom.dataset import Dataset

    shared = (dataset.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    frame = (dataset.get("PerFrameFunctionalGroupsSequence") or [Dataset()])[0]
    for keyword in ("PlaneOrientationSequence", "PixelMeasuresSequence"):
        if keyword not in shared and keyword in frame:
            shared[keyword] = frame[keyword]
    if "PixelMeasuresSequence" not in shared:
        measures = Dataset()
        for keyword in ("PixelSpacing", "SliceThickness"):
            measures[keyword] = dataset[keyword]
        shared.PixelMeasuresSequence = [measures]
    dataset.SharedFunctionalGroupsSequence = [shared]


def _default(dataset: Any, keyword: str, value: Any) -> None:
    if dataset.get(keyword) in (None, ""):
        setattr(dataset, keyword, value)


def _is_valid(keyword: str, value: Any) -> bool:
    """Whether a date, a time or a sex is one; anything may be an id or a name."""
    from pydicom.valuerep import DA, TM

    try:
        if keyword.endswith("Date"):
            DA(value)
        elif keyword.endswith("Time"):
            TM(value)
        return keyword != "PatientSex" or value in ("M", "F", "O", "", None)
    except (TypeError, ValueError):
        return False


def _check_place(datasets: list[Any], image: Image) -> None:
    """Refuse an image that was cropped or turned since it was read."""
    geometry, first = image.geometry, datasets[0]
    count = len(image.header.slices)
    same = geometry.size_xyz == (int(first.Columns), int(first.Rows), count)
    if same and "ImagePositionPatient" in first:
        cosines = np.array(first.ImageOrientationPatient, dtype=float).reshape(2, 3).T
        same = bool(np.abs(cosines - geometry.direction_matrix[:, :2]).max() < _DIRECTION)
        for z in (0, count - 1) if count == len(datasets) else ():
            place = np.array(datasets[z].ImagePositionPatient, dtype=float)
            same &= bool(np.abs(geometry.to_index(place) - (0, 0, z)).max() < 0.5)
    if not same:
        raise OutputError(
            f"a DICOM segmentation lies on its images, and the grid is not that of {image.name} any more",
            hint=_HINT,
        )


def _decimal(values: tuple[float, ...]) -> list[Any]:
    from pydicom.valuerep import DS

    return [DS(value, auto_format=True) for value in values]
