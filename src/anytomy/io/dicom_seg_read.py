"""DICOM segmentations (SEG and label map): `read_segments`, and label maps as images for `io.read`.

A file holds frames for some slices of some segments, in any order. They are put on the smallest regular grid
that holds them all, ascending along the normal of the slices as images are; where there is no frame, nothing
is. `Segments.on` puts them on the (larger) grid of the image.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy.core.errors import AnytomyError, AnytomyWarning, ImageReadError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.core.prediction import MaskStack, ObjectMask
from anytomy.core.view import SliceView
from anytomy.io.dicom_codes import BACKGROUND, Code
from anytomy.io.dicom_header import broken, read_header
from anytomy.io.dicom_slice import KEYWORDS, slices_of
from anytomy.io.frames import choose_frame, refuse_series
from anytomy.io.segments import Segment, Segments

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from anytomy.io.dicom_slice import Slice

_CLASSES = {"1.2.840.10008.5.1.4.1.1.66.4": "", "1.2.840.10008.5.1.4.1.1.66.7": "LABELMAP"}
# The class in the file's head, which precedes the data set, or in a data set without one.
_CLASS_UID = re.compile(
    rb"(?:\x02\x00\x02\x00|\x08\x00\x16\x00)(?:UI\x1c\x00|\x1c\x00\x00\x00)1\.2\.840\.10008\.5\.1\.4\.1\.1\.66\.[47]"
)
_KEYWORDS = [
    *KEYWORDS,
    *("SegmentationType", "SegmentSequence", "MaximumFractionalValue", "PixelPaddingValue"),
    "ReferencedSeriesSequence",
]
_THRESHOLD = 0.5


def matches(path: Path, head: bytes) -> bool:
    """Whether this is a DICOM segmentation.

    Args:
        path: A file or folder.
        head: The first bytes of a file.
    """
    return _CLASS_UID.search(head) is not None


def read(
    path: Path, *, series: str | None = None, time: int | None = None, channel: int | None = None
) -> Image:
    """A segmentation as a label map; see `Segments.label_map`. Its `header` are the `Segments`.

    Args:
        path: The file.
        series: Refused; a file has one.
        time: Refused.
        channel: Refused.

    Raises:
        ImageReadError: As `read_segments`.
        GeometryError: As `read_segments`.
        OptionError: If there is something to choose from.
    """
    refuse_series(path, series)
    choose_frame(path, 1, time=time, channel=channel)
    segments = read_segments(path)
    if segments.overlap:
        warnings.warn(
            f"{path}: segments overlap in {segments.overlap} voxels, where the higher number is taken",
            AnytomyWarning,
            stacklevel=2,
        )
    return Image(
        array=segments.label_map(),
        geometry=segments.geometry,
        is_volume=segments.is_volume,
        modality="SEG",
        path=path,
        format="dicom-seg",
        header=segments,
    )


def read_segments(path: str | os.PathLike[str]) -> Segments:
    """The segments in a DICOM segmentation, kept apart.

    Args:
        path: A file with an object of the class Segmentation or Label Map Segmentation.

    Raises:
        ImageReadError: If the file is missing, truncated or no segmentation, or its frames cannot be placed.
        GeometryError: If the frames do not fit into a regular grid.
        MissingDependencyError: If no decoder for the compression is installed.

    Example:
        >>> segments = read_segments("liver.seg.dcm")  # doctest: +SKIP
        >>> segments.names, segments.masks[0].shape  # doctest: +SKIP
        (('liver',), (42, 512, 512))
    """
    path = Path(path)
    if not path.is_file():
        raise ImageReadError(f"{path} is no file, expected a DICOM segmentation")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pydicom, about values that break a rule of the standard
            found = _read(path)
    except (AnytomyError, MemoryError):
        raise
    except Exception as error:  # pydicom and its plug-ins raise whatever broken data lead to
        raise ImageReadError(broken(path, error), hint="copy it again from its source") from None
    if found.kind == "FRACTIONAL":
        message = f"{path} is fractional: voxels of {_THRESHOLD:g} of the largest value and more count"
        warnings.warn(message, AnytomyWarning, stacklevel=2)
    return found


def _read(path: Path) -> Segments:
    header = read_header(path, _KEYWORDS)
    dataset = header.dataset if header is not None else {}
    sop_class = str(dataset.get("SOPClassUID", ""))
    if header is None or sop_class not in _CLASSES:
        what = (
            f"a DICOM object of another kind ({dataset.get('Modality') or 'unknown'})"
            if header
            else "no DICOM"
        )
        raise ImageReadError(f"{path} is {what}, expected a segmentation")
    kind = _CLASSES[sop_class] or str(dataset.get("SegmentationType", ""))
    if kind not in ("BINARY", "FRACTIONAL", "LABELMAP"):
        raise ImageReadError(
            f"{path} is a segmentation of type {kind!r}, expected BINARY, FRACTIONAL or LABELMAP"
        )
    background = {0, int(dataset.get("PixelPaddingValue") or 0)} if kind == "LABELMAP" else set()
    described = sorted(
        (_segment(item) for item in dataset.get("SegmentSequence") or ()), key=lambda s: s.number
    )
    segments = [s for s in described if s.number not in background and not BACKGROUND.same(s.type)]
    if not described:
        raise ImageReadError(f"{path} describes no segment")
    background |= {s.number for s in described} - {s.number for s in segments}
    frames = slices_of(header, path, path.name)
    owners: list[int | None] = [None] * len(frames)
    if kind != "LABELMAP":
        owners = _owners(dataset, len(frames), path)
    z_of, geometry, is_volume = _place(dataset, frames, owners, path)
    view = SliceView.stored(geometry)
    masks = {segment.number: ObjectMask(view) for segment in segments}
    _paint(masks, zip(owners, z_of, strict=True), frames, path, kind, dataset, background)
    return Segments(
        path=path,
        kind=kind,
        geometry=geometry,
        is_volume=is_volume,
        segments=tuple(segments),
        masks=MaskStack(list(masks.values()), is_volume=is_volume, shape_zyx=geometry.shape_zyx),
        frame_of_reference_uid=str(dataset.get("FrameOfReferenceUID") or ""),
        source_series_uid=_source_series(dataset),
    )


def _owners(dataset: Any, count: int, path: Path) -> list[int | None]:
    """The segment of each frame."""
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [{}])[0]
    frames = dataset.get("PerFrameFunctionalGroupsSequence") or [{}] * count
    owners: list[int | None] = []
    for number, frame in enumerate(frames, start=1):
        items = frame.get("SegmentIdentificationSequence") or shared.get("SegmentIdentificationSequence")
        if not items or items[0].get("ReferencedSegmentNumber") is None:
            raise ImageReadError(f"{path} does not say which segment its frame {number} belongs to")
        owners.append(int(items[0].ReferencedSegmentNumber))
    return owners


def _place(
    dataset: Any, frames: list[Slice], owners: list[int | None], path: Path
) -> tuple[list[int], Geometry, bool]:
    """The z index of each frame, the grid, and whether it is a volume."""
    from anytomy.io.dicom_grid import arrange_sparse

    unplaced = [f for f in frames if not (f.position_lps_mm and f.orientation and f.spacing_yx_mm)]
    if not unplaced:
        z_of, geometry = arrange_sparse(frames, _stated_step(dataset), path)
        if len(set(zip(owners, z_of, strict=True))) < len(frames):
            raise ImageReadError(f"{path} holds several frames of one segment at the same place")
        return z_of, geometry, True
    if len(set(owners)) < len(frames) or any(f.position_lps_mm for f in frames):
        raise ImageReadError(
            f"{path} states no place for {unplaced[0].name}",
            hint="frames need an ImagePositionPatient, an ImageOrientationPatient and a PixelSpacing",
        )
    rows, columns = frames[0].size_yx
    dy, dx = frames[0].spacing_yx_mm or (1.0, 1.0)
    return [0] * len(frames), Geometry(size_xyz=(columns, rows, 1), spacing_xyz_mm=(dx, dy, 1.0)), False


def _stated_step(dataset: Any) -> float | None:
    """SpacingBetweenSlices, unlike the thickness the distance of slices that may be absent."""
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for measures in (group.get("PixelMeasuresSequence") for group in (dataset.get(name) or ())[:1]):
            if measures and measures[0].get("SpacingBetweenSlices"):
                return abs(float(measures[0].SpacingBetweenSlices)) or None
    return None


def _paint(
    masks: dict[int, ObjectMask],
    places: Iterable[tuple[int | None, int]],
    frames: list[Slice],
    path: Path,
    kind: str,
    dataset: Any,
    background: set[int],
) -> None:
    from anytomy.io.dicom_pixels import decoded

    least = _THRESHOLD * float(dataset.get("MaximumFractionalValue") or 255) if kind == "FRACTIONAL" else 1.0
    _, pixels = decoded(path, [frame.frame for frame in frames])
    for (owner, z), values in zip(places, pixels, strict=True):
        found = {owner: values >= least} if owner is not None else {}
        if owner is None:
            found = {int(n): values == n for n in np.unique(values) if int(n) not in background}
        for number, mask in found.items():
            if number not in masks:
                raise ImageReadError(f"{path} has voxels of segment {number}, which it does not describe")
            masks[number].set(z, mask)


def _segment(item: Any) -> Segment:
    algorithm = str(item.get("SegmentAlgorithmName") or "")
    return Segment(
        number=int(item.SegmentNumber),
        name=_text(item.get("SegmentLabel")) or f"segment {item.SegmentNumber}",
        category=next(iter(_codes(item, "SegmentedPropertyCategoryCodeSequence")), None),
        type=next(iter(_codes(item, "SegmentedPropertyTypeCodeSequence")), None),
        modifiers=tuple(
            code
            for type_ in item.get("SegmentedPropertyTypeCodeSequence") or ()
            for code in _codes(type_, "SegmentedPropertyTypeModifierCodeSequence")
        ),
        regions=_codes(item, "AnatomicRegionSequence"),
        algorithm=_text(algorithm),
        tracking_uid=str(item.get("TrackingUID") or ""),
    )


def _codes(item: Any, keyword: str) -> tuple[Code, ...]:
    return tuple(
        Code(
            value=_text(code.get("CodeValue") or code.get("LongCodeValue") or code.get("URNCodeValue")),
            scheme=_text(code.get("CodingSchemeDesignator")),
            meaning=_text(code.get("CodeMeaning")),
        )
        for code in item.get(keyword) or ()
    )


def _text(value: Any) -> str:
    plain = str("" if value is None else value)
    return "".join(c if c.isprintable() else " " for c in plain).strip()


def _source_series(dataset: Any) -> str:
    found = {
        str(item.get("SeriesInstanceUID") or "") for item in dataset.get("ReferencedSeriesSequence") or ()
    }
    return found.pop() if len(found) == 1 else ""
