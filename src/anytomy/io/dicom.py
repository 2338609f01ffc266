"""DICOM files and folders as images: `matches` and `read`.

A series becomes a volume on its true grid (see `dicom_grid` for checks and tolerances, `dicom_pixels` for
values); a radiograph, a photograph or another picture without a place in the patient becomes a 2D image.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from anytomy.core.errors import ImageReadError, OptionError
from anytomy.core.image import Image
from anytomy.io.dicom_header import looks_like_dicom
from anytomy.io.dicom_series import choose, scan, walk

if TYPE_CHECKING:
    from pathlib import Path

# A folder is recognised by its first DICOM file; files with these endings are not even opened.
_OTHER_ENDINGS = (
    *(".bmp", ".csv", ".gif", ".gz", ".h5", ".html", ".jpeg", ".jpg", ".json", ".md", ".mha", ".mhd", ".nii"),
    *(".npy", ".npz", ".nrrd", ".pdf", ".png", ".py", ".tif", ".tiff", ".toml", ".tsv", ".txt", ".xlsx"),
    *(".xml", ".yaml", ".yml", ".zip"),
)
_OPENED_AT_MOST = 200


@dataclass(frozen=True)
class DicomSlice:
    """Where a slice came from.

    Attributes:
        path: The file.
        sop_instance_uid: The object.
        frame_number: 1-based frame of a multi-frame object; None in one with a single frame.
    """

    path: Path
    sop_instance_uid: str
    frame_number: int | None


@dataclass(frozen=True)
class DicomHeader:
    """What objects derived from an image must refer to (DICOM SEG); nothing that names the patient.

    Attributes:
        slices: In the order of the array's z axis.
        sop_class_uid: Kind of object.
        study_instance_uid: The study.
        series_instance_uid: The series; empty where the file has none.
        frame_of_reference_uid: The frame that positions refer to; empty where there is none.
    """

    slices: tuple[DicomSlice, ...]
    sop_class_uid: str
    study_instance_uid: str
    series_instance_uid: str
    frame_of_reference_uid: str


def matches(path: Path, head: bytes) -> bool:
    """Whether this is a DICOM file, or a folder that holds one (looked for at little cost).

    Args:
        path: A file or folder.
        head: The first bytes of a file, 132 or more; anything for a folder.
    """
    if not path.is_dir():
        return looks_like_dicom(head)
    candidates = (file for file in walk(path) if file.suffix.lower() not in _OTHER_ENDINGS)
    return any(looks_like_dicom(_head(file)) for file in islice(candidates, _OPENED_AT_MOST))


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(512)
    except OSError:
        return b""


def read(
    path: Path, *, series: str | None = None, time: int | None = None, channel: int | None = None
) -> Image:
    """The image in a DICOM file, or in a folder and the folders below it.

    A file is read alone, also if others of its series lie beside it. Objects without image pixels (DICOMDIR,
    SEG, structures, reports) and other files are skipped.

    Args:
        path: A file or folder.
        series: Which series of several: SeriesInstanceUID, a unique beginning or end of it, or SeriesNumber.
        time: Which of several volumes at the same place, or which frame of a cine; 0-based.
        channel: 0, 1 or 2 for the red, green or blue of a colour image as a grey one.

    Returns:
        A volume where the file states a place in the patient (of one slice for a single file), else a 2D
        image; see `dicom_pixels` for its values. Its `header` is a `DicomHeader`.

    Raises:
        ImageReadError: If there is no image, a file is broken, or it must be chosen among several.
        GeometryError: If the slices do not make a regular grid.
        OptionError: If a choice does not exist.
        MissingDependencyError: If no decoder for the compression is installed.
    """
    from anytomy.io.dicom_grid import arrange
    from anytomy.io.dicom_pixels import load

    if not path.exists():
        raise ImageReadError(f"{path} does not exist")
    chosen = choose(scan(path), series, path)
    slices, geometry, is_volume = arrange(chosen.slices, time, path)
    array = load(slices, chosen.modality)
    if channel is not None:
        count = array.shape[3] if array.ndim == 4 else 1
        if not 0 <= channel < count:
            raise OptionError(f"expected --channel 0 to {count - 1} for {path}, got {channel}")
        array = array[..., channel].copy() if array.ndim == 4 else array
    header = DicomHeader(
        slices=tuple(
            DicomSlice(s.path, s.sop_instance_uid, None if s.frame is None else s.frame + 1) for s in slices
        ),
        sop_class_uid=chosen.sop_class_uid,
        study_instance_uid=chosen.study_instance_uid,
        series_instance_uid=chosen.uid,
        frame_of_reference_uid=chosen.frame_of_reference_uid,
    )
    return Image(
        array=array if is_volume else array[0],
        geometry=geometry,
        is_volume=is_volume,
        modality=chosen.modality or None,
        path=path,
        format="dicom",
        header=header,
    )
