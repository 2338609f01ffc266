"""What the header of one DICOM file says: `Slice`.

Nothing that names the patient is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import ImageReadError
from anytomy.io.dicom_header import broken

if TYPE_CHECKING:
    from pathlib import Path

    from anytomy.core.geometry import Triple
    from anytomy.io.dicom_header import Header

_WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"

# What tells volumes at the same place apart, in this order, and whether by rank within each slice position
# (times, which differ from slice to slice) rather than by value.
VOLUME_MARKS: tuple[tuple[str, bool], ...] = (
    ("TemporalPositionIdentifier", False),
    ("TemporalPositionIndex", False),
    ("EchoNumbers", False),
    ("EchoTime", False),
    ("EffectiveEchoTime", False),
    ("DiffusionBValue", False),
    ("DiffusionGradientOrientation", False),
    ("ImageType", False),
    ("FrameType", False),
    ("AcquisitionNumber", False),
    ("FrameAcquisitionNumber", False),
    ("TriggerTime", True),
    ("NominalCardiacTriggerDelayTime", True),
    ("FrameReferenceTime", True),
    ("AcquisitionDateTime", True),
    ("FrameAcquisitionDateTime", True),
    ("AcquisitionTime", True),
    ("ContentTime", True),
    ("frame number", True),
)

# The functional group of a multi-frame object that holds an attribute.
_MACROS = {
    "ImagePositionPatient": ("PlanePositionSequence",),
    "ImageOrientationPatient": ("PlaneOrientationSequence",),
    "PixelSpacing": ("PixelMeasuresSequence",),
    "SliceThickness": ("PixelMeasuresSequence",),
    "SpacingBetweenSlices": ("PixelMeasuresSequence",),
    "RescaleSlope": ("PixelValueTransformationSequence",),
    "RescaleIntercept": ("PixelValueTransformationSequence",),
    "TemporalPositionIndex": ("FrameContentSequence",),
    "FrameAcquisitionNumber": ("FrameContentSequence",),
    "FrameAcquisitionDateTime": ("FrameContentSequence",),
    "EffectiveEchoTime": ("MREchoSequence",),
    "DiffusionBValue": ("MRDiffusionSequence",),
    "DiffusionGradientOrientation": ("MRDiffusionSequence", "DiffusionGradientDirectionSequence"),
    "NominalCardiacTriggerDelayTime": ("CardiacSynchronizationSequence",),
    "FrameType": ("MRImageFrameTypeSequence",),
}

KEYWORDS = [
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"),
    *("Modality", "SeriesDescription", "SeriesNumber", "Rows", "Columns", "NumberOfFrames"),
    *("SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "PixelRepresentation"),
    *("ImagerPixelSpacing", "NominalScannedPixelSpacing", "GantryDetectorTilt", "ModalityLUTSequence"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *_MACROS,
    *(keyword for keyword, _ in VOLUME_MARKS if " " not in keyword),
]


@dataclass(frozen=True)
class Slice:
    """One slice by its header: a file, or a frame of a multi-frame file.

    Attributes:
        path: The file.
        name: How messages call it: the file relative to the folder that was read, and the frame.
        frame: 0-based frame; None in a file with one frame.
        sop_instance_uid: The object.
        size_yx: Rows and columns.
        samples: 1, or 3 for colour.
        photometric: `MONOCHROME2`, `RGB`, ...
        slope: Of the rescaling; None where a lookup table does it.
        intercept: Of the rescaling.
        bounds: Least and largest value that can occur after rescaling; None for real-valued pixels.
        spacing_yx_mm: Distance of rows and of columns; None where the file makes no claim.
        step_mm: What the file claims as the distance of slices.
        position_lps_mm: Centre of the first pixel.
        orientation: Direction of a row (increasing column), then of a column (increasing row).
        tilt_degrees: Stated tilt of a CT gantry.
        marks: Values of `VOLUME_MARKS`.
    """

    path: Path
    name: str
    frame: int | None
    sop_instance_uid: str
    size_yx: tuple[int, int]
    samples: int
    photometric: str
    slope: float | None
    intercept: float
    bounds: tuple[float, float] | None
    spacing_yx_mm: tuple[float, float] | None
    step_mm: float | None
    position_lps_mm: Triple | None
    orientation: tuple[float, ...] | None
    tilt_degrees: float
    marks: tuple[Any, ...]


def slices_of(header: Header, file: Path, name: str) -> list[Slice]:
    """The slices of one image file.

    Args:
        header: What `read_header` gave.
        file: The file.
        name: How messages call it.

    Raises:
        ImageReadError: If the file is truncated, has no pixels or holds values that cannot be used.
    """
    dataset = header.dataset
    if dataset.get("SOPClassUID") == _WHOLE_SLIDE:
        raise ImageReadError(f"{file} is a whole-slide image in tiles", hint="export the region as a TIFF")
    if not dataset.get("Rows") or not dataset.get("Columns"):
        raise ImageReadError(broken(file, "its header ends before the image size"))
    if not header.pixels:
        raise ImageReadError(f"{file} has no pixel data")
    count = max(1, int(dataset.get("NumberOfFrames") or 1))
    needed = _bytes(dataset, count) if header.is_native else 8 * count  # a compressed frame has 8 and more
    if header.bytes_left < needed:
        raise ImageReadError(
            broken(file, f"expected {needed} bytes of pixels, {header.bytes_left} are there")
        )
    groups = list(dataset.get("PerFrameFunctionalGroupsSequence") or [])
    if groups and len(groups) != count:
        raise ImageReadError(broken(file, f"expected places of {count} frames, got {len(groups)}"))
    shared = list(dataset.get("SharedFunctionalGroupsSequence") or [])[:1]
    if count == 1:
        return [_slice(header, _Facts(dataset, [*groups, *shared]), file, name)]
    if groups:
        made = [_slice(header, _Facts(dataset, [group, *shared]), file, name) for group in groups]
        return [replace(s, frame=i, name=f"{name} frame {i + 1}") for i, s in enumerate(made)]
    # A cine, or a stack without functional groups: its frames differ by nothing but their number.
    one = _slice(header, _Facts(dataset, shared), file, name)
    return [
        replace(one, frame=i, name=f"{name} frame {i + 1}", marks=(*one.marks[:-1], float(i)))
        for i in range(count)
    ]


@dataclass(frozen=True)
class _Facts:
    """Attributes of one frame: from its functional groups, the shared ones, the dataset."""

    dataset: Any
    groups: list[Any]

    def get(self, keyword: str) -> Any:
        for group in self.groups if keyword in _MACROS else ():
            item = group
            for sequence in _MACROS[keyword]:
                items = item.get(sequence) if item is not None else None
                item = items[0] if items else None
            if item is not None and item.get(keyword) is not None:
                return item[keyword].value
        return self.dataset.get(keyword)

    def numbers(self, keyword: str, count: int) -> tuple[float, ...] | None:
        """That many numbers; None where the attribute is absent or empty."""
        value = self.get(keyword)
        if value is None or value == "":
            return None
        values = tuple(float(v) for v in (value if hasattr(value, "__len__") else (value,)))
        if not values:
            return None
        if len(values) != count or not np.isfinite(values).all():
            raise ValueError(f"{keyword} is {values}")
        return values

    def number(self, keyword: str) -> float | None:
        values = self.numbers(keyword, 1)
        return values[0] if values else None


def _slice(header: Header, facts: _Facts, file: Path, name: str) -> Slice:
    dataset = header.dataset
    spacings = (
        facts.numbers(keyword, 2)
        for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
    )
    spacing = next((s for s in spacings if s and min(s) > 0), None)
    steps = (abs(facts.number(keyword) or 0.0) for keyword in ("SpacingBetweenSlices", "SliceThickness"))
    position = facts.numbers("ImagePositionPatient", 3)
    slope, intercept, bounds = _rescaling(header, facts)
    return Slice(
        path=file,
        name=name,
        frame=None,
        sop_instance_uid=str(dataset.get("SOPInstanceUID") or ""),
        size_yx=(int(dataset.Rows), int(dataset.Columns)),
        samples=_samples(dataset),
        photometric=str(dataset.PhotometricInterpretation),
        slope=slope,
        intercept=intercept,
        bounds=bounds,
        spacing_yx_mm=(spacing[0], spacing[1]) if spacing else None,
        step_mm=next((s for s in steps if s > 0), None),
        position_lps_mm=(position[0], position[1], position[2]) if position else None,
        orientation=facts.numbers("ImageOrientationPatient", 6),
        tilt_degrees=facts.number("GantryDetectorTilt") or 0.0,
        marks=(*(_mark(facts.get(keyword)) for keyword, _ in VOLUME_MARKS[:-1]), None),
    )


def _bytes(dataset: Any, frames: int) -> int:
    """Size of the pixels of a file that is not compressed; subsampled colour has two samples per pixel."""
    samples = 2 if "422" in dataset.PhotometricInterpretation else _samples(dataset)
    return frames * int(dataset.Rows) * int(dataset.Columns) * samples * int(dataset.BitsAllocated) // 8


def _samples(dataset: Any) -> int:
    samples = int(dataset.get("SamplesPerPixel") or 1)
    if samples not in (1, 3):
        raise ValueError(f"{samples} samples per pixel, expected 1 or 3")
    return samples


def _rescaling(header: Header, facts: _Facts) -> tuple[float | None, float, tuple[float, float] | None]:
    """Slope (None for a lookup table), intercept, and the range of values after it."""
    dataset = header.dataset
    tables = dataset.get("ModalityLUTSequence")
    if tables:
        return None, 0.0, (0.0, 2.0 ** int(tables[0].LUTDescriptor[2]) - 1)
    given = facts.number("RescaleSlope"), facts.number("RescaleIntercept")
    slope, intercept = 1.0 if given[0] is None else given[0], given[1] or 0.0
    if slope == 0:
        raise ValueError("RescaleSlope is 0")
    if header.pixels != "PixelData":
        return slope, intercept, None
    bits = int(dataset.get("BitsStored") or dataset.BitsAllocated)
    least = -(2.0 ** (bits - 1)) if dataset.get("PixelRepresentation") == 1 else 0.0
    ends = least * slope + intercept, (least + 2.0**bits - 1) * slope + intercept
    return slope, intercept, (min(ends), max(ends))


def _mark(value: Any) -> Any:
    """A value that can be compared and sorted with others of the same attribute."""
    if value is None or value == "":
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return str(value)
