"""DICOM segmentations, `.seg.dcm`: one coded segment per object, on the images that it was made from.

Written by highdicom as BINARY, which every viewer knows. Frames are stored for slices with voxels only;
patient, study and frame of reference are those of the source, text is in UTF-8. Segments are numbered from 1
in the order of the objects; objects without voxels are left out. See `dicom_codes` for terms,
`dicom_seg_read` for reading.

Memory: one label map of the slices that hold an object. highdicom takes all masks at once, so objects that
overlap and are kept whole need a byte for each voxel of those slices and each object, and 8 bytes for its own
check.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from anytomy import __version__
from anytomy.core.errors import AnytomyWarning, OutputError
from anytomy.io.dicom_codes import ARTIFICIAL_INTELLIGENCE, coding_of
from anytomy.io.dicom_source import UTF_8, check_source, load_sources
from anytomy.io.seg_nrrd import colour_of, overlapping

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from anytomy.core.image import Image
    from anytomy.core.prediction import Prediction
    from anytomy.io.dicom import DicomHeader
    from anytomy.io.dicom_codes import Code

_MAKER = "Anytomy"
_SERIES_NUMBER = 300  # as dcmqi has it; need not be unique
_SERIAL_NUMBER = "0"  # DICOM wants one, software has none


def check(image: Image) -> None:
    """Find out before any work is done that an image cannot have a DICOM segmentation.

    Raises:
        OutputError: If it is not from DICOM, lacks what a segmentation refers to, or is tiny.
    """
    check_source(image)
    columns, rows, _ = image.geometry.size_xyz
    if rows * columns < 8:
        # highdicom (0.28) begins a new byte for each frame of that size, which no reader expects.
        raise OutputError(
            f"a DICOM segmentation needs slices of 8 pixels, {image.name} has {columns} x {rows}",
            hint="choose .seg.nrrd or .nii.gz",
        )


def write_prediction(path: Path, prediction: Prediction, image: Image) -> None:
    """Write all objects with their names and codes.

    Args:
        path: Where to write.
        prediction: Objects; those that overlap are whole if that is kept, else as in the label map.
        image: What was segmented, as it was read from DICOM; its files must still be there.

    Raises:
        OutputError: If the image is not from DICOM, its files are gone or are not what highdicom can refer
            to, or no object has voxels.
    """
    check(image)
    whole = overlapping(prediction)
    kept = _with_voxels(prediction, whole=whole)
    sources = load_sources(image)
    try:
        frames = _frames(prediction, image.header, sources)
        array = _stacked(prediction, kept, frames) if whole else _labelled(prediction, kept, frames)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pydicom, about values that break a rule of the standard
            made = _segmentation(prediction, kept, array, frames)
            _complete(made, sources[0], image)
            _number(made, frames)
            made.save_as(path)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # highdicom and pydicom raise whatever an unusual source leads to
        lines = str(error).splitlines() or [type(error).__name__]
        raise OutputError(
            f"no DICOM segmentation can refer to {image.name}: {lines[0]}", hint="choose .seg.nrrd or .nii.gz"
        ) from error


# -- voxels ------------------------------------------------------------------------------------------


def _with_voxels(prediction: Prediction, *, whole: bool) -> list[int]:
    """Positions of the objects that will have voxels; the others are named in a warning."""
    if whole:
        found = [mask.voxels > 0 for mask in prediction.masks.objects]
    else:
        present = set(np.unique(prediction.label_map).tolist())
        found = [id_ in present for id_ in prediction.ids]
    missing = [name for name, has in zip(prediction.names, found, strict=True) if not has]
    if len(missing) == len(found):
        raise OutputError(
            "a DICOM segmentation needs voxels, and no object has any",
            hint="look at the prompts, or write .nii.gz",
        )
    if missing:
        listed = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        message = f"left out of the DICOM segmentation, for want of voxels: {listed}"
        warnings.warn(message, AnytomyWarning, stacklevel=4)
    return [position for position, has in enumerate(found) if has]


@dataclass(frozen=True)
class _Frames:
    """Slices with voxels, for which highdicom makes frames.

    Attributes:
        used: Their z, ascending.
        sources: Their images; of a multi-frame image a copy with these frames only.
        others: Images of the series without any.
        numbers: Their frame numbers in a multi-frame image; empty for one image a slice.
    """

    used: list[int]
    sources: list[Any]
    others: list[Any]
    numbers: list[int]


def _frames(prediction: Prediction, header: DicomHeader, sources: list[Any]) -> _Frames:
    used = np.flatnonzero(_volume(prediction).any(axis=(1, 2))).tolist()
    numbers = [header.slices[z].frame_number for z in used]
    if None in numbers:
        others = [sources[z] for z in sorted(set(range(len(sources))) - set(used))]
        return _Frames(used, [sources[z] for z in used], others, [])
    for source in sources:
        frames = source.get("PerFrameFunctionalGroupsSequence")
        if not frames:
            raise ValueError("it has many frames, and no functional groups that say where they are")
        source.PerFrameFunctionalGroupsSequence = [frames[(number or 1) - 1] for number in numbers]
        source.NumberOfFrames = len(numbers)
    return _Frames(used, sources, [], [number or 1 for number in numbers])


def _volume(prediction: Prediction) -> NDArray[Any]:
    return prediction.label_map if prediction.is_volume else prediction.label_map[None]


def _labelled(prediction: Prediction, kept: Sequence[int], frames: _Frames) -> NDArray[Any]:
    """`(frame, y, x)`, the number of the segment."""
    labels = _volume(prediction)
    number_of = np.zeros(int(labels.max()) + 1, dtype=np.uint8 if len(kept) < 256 else np.uint16)
    for number, position in enumerate(kept, start=1):
        number_of[prediction.ids[position]] = number
    return np.stack([number_of[labels[z]] for z in frames.used])


def _stacked(prediction: Prediction, kept: Sequence[int], frames: _Frames) -> NDArray[np.bool_]:
    """`(frame, y, x, segment)`; the masks are expanded one at a time."""
    shape = _volume(prediction).shape
    array = np.zeros((len(kept), len(frames.used), *shape[1:]), dtype=bool)
    for stored, position in zip(array, kept, strict=True):
        stored[:] = prediction.masks[position].reshape(shape)[frames.used]
    return np.moveaxis(array, 0, -1)


# -- header ------------------------------------------------------------------------------------------


def _segmentation(prediction: Prediction, kept: Sequence[int], array: NDArray[Any], frames: _Frames) -> Any:
    import highdicom

    names = ", ".join(_text(prediction.names[position]) for position in kept)
    return highdicom.seg.Segmentation(
        source_images=frames.sources,
        further_source_images=frames.others or None,
        pixel_array=array,
        segmentation_type="BINARY",
        segment_descriptions=[
            _description(prediction, position, number) for number, position in enumerate(kept, start=1)
        ],
        series_instance_uid=highdicom.UID(),
        series_number=_SERIES_NUMBER,
        series_description=_text(f"{_MAKER}: {names}"),
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer=_MAKER,
        manufacturer_model_name=_MAKER,
        software_versions=__version__,
        device_serial_number=_SERIAL_NUMBER,
        content_label="SEGMENTATION",
        content_description=_text(names),
    )


def _description(prediction: Prediction, position: int, number: int) -> Any:
    import highdicom

    source, name = prediction.sources[position], prediction.names[position]
    coding = coding_of(source.name)
    algorithm = highdicom.AlgorithmIdentificationSequence(
        name=_text(str(prediction.details.get("model") or _MAKER)),
        family=_concept(ARTIFICIAL_INTELLIGENCE),
        version=__version__,
        source=_MAKER,
    )
    made = highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=_text(name),
        segmented_property_category=_concept(coding.category),
        segmented_property_type=_concept(coding.type),
        algorithm_type="SEMIAUTOMATIC",
        algorithm_identification=algorithm,
        tracking_id=_text(f"{name} ({source.id})"),
        tracking_uid=highdicom.UID(),
        anatomic_regions=[_concept(coding.region)] if coding.region else None,
        display_color=highdicom.color.CIELabColor.from_rgb(*colour_of(position)),
    )
    if coding.side is not None:
        modifiers = [_concept(coding.side)]
        made.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = modifiers
    if _text(name) != name:
        made.SegmentDescription = name[:1024]
    return made


def _complete(made: Any, source: Any, image: Image) -> None:
    """What highdicom leaves to us: the distance of slices, the body part, how a picture lies."""
    from pydicom.valuerep import DS

    made.SpecificCharacterSet = UTF_8
    shared = made.SharedFunctionalGroupsSequence[0]
    if image.is_volume:
        # Often wrong in images, where nobody needs it; here it says where there are no frames.
        measures = shared.PixelMeasuresSequence[0]
        measures.SpacingBetweenSlices = DS(image.geometry.spacing_xyz_mm[2], auto_format=True)
    else:
        # They need a thickness, which a radiograph or a photograph does not have.
        del shared.PixelMeasuresSequence
        made.PatientOrientation = source.get("PatientOrientation")
    for keyword in ("BodyPartExamined", "Laterality"):
        if source.get(keyword):
            made[keyword] = source[keyword]


def _number(made: Any, frames: _Frames) -> None:
    """Refer to the frames as they are numbered in the file, not in the copy with some of them."""
    items = [
        item
        for frame in (made.PerFrameFunctionalGroupsSequence if frames.numbers else ())
        for item in frame.DerivationImageSequence[0].SourceImageSequence
    ]
    for item in {id(item): item for item in items}.values():  # segments share them
        item.ReferencedFrameNumber = frames.numbers[int(item.ReferencedFrameNumber) - 1]


def _concept(code: Code) -> Any:
    from highdicom.sr import CodedConcept

    return CodedConcept(value=code.value, scheme_designator=code.scheme, meaning=code.meaning[:64])


def _text(text: str) -> str:
    """As DICOM's short texts are: one line, no backslash, at most 64 characters."""
    plain = "".join(c if c.isprintable() and c != "\\" else " " for c in text)
    return " ".join(plain.split())[:64].strip() or "object"
