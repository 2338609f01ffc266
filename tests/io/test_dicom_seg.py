"""DICOM segmentations that we write, as highdicom, pydicom, SimpleITK and dciodvfy see them, and as we do."""

from __future__ import annotations

import shutil
import subprocess
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import highdicom
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from anytomy import read, read_segments
from anytomy.core.errors import AnytomyWarning, OutputError
from anytomy.core.image import Image
from anytomy.core.prediction import MaskStack, ObjectMask
from anytomy.core.view import SliceView
from anytomy.io.dicom_codes import ANATOMY, LESION, TISSUE, coding_of
from anytomy.io.write import check_output, write_prediction
from tests.core.strategies import geometries
from tests.io import dicom_phantom as phantom
from tests.io.conftest import make_prediction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

ORIENTATIONS = {
    "axial": phantom.AXIAL,
    "sagittal": phantom.SAGITTAL,
    "coronal": phantom.CORONAL,
    "flipped": phantom.FLIPPED,
    "oblique": phantom.oblique(),
}
DCIODVFY = shutil.which("dciodvfy")


def block(shape: Sequence[int], z: slice, y: slice, x: slice) -> NDArray[np.bool_]:
    mask = np.zeros(shape, bool)
    mask[z, y, x] = True
    return mask


def three(shape: Sequence[int]) -> list[NDArray[np.bool_]]:
    """Two objects that overlap, and one with a slice of its own and a gap."""
    first = block(shape, slice(1, 4), slice(1, 4), slice(1, 5))
    second = block(shape, slice(2, 4), slice(2, 6), slice(3, 7))
    third = block(shape, slice(0, None, 4), slice(0, 1), slice(0, 2))
    return [first, second, third]


def series(folder: Path, size: tuple[int, int, int] = (16, 8, 5), **options: Any) -> Image:
    """A series that was read."""
    direction = options.pop("direction", phantom.AXIAL)
    phantom.write_series(folder, phantom.grid(size, direction=direction), **options)
    return read(folder)


def written(path: Path, image: Image, masks: Sequence[NDArray[Any]], **options: Any) -> Path:
    options = {"overlap": "keep", **options}
    assert write_prediction(path, make_prediction(image, masks, **options), image) == [path]
    return path


def complaints(path: Path) -> list[str]:
    """Errors that the validator of dicom3tools finds; none without it, see the test that is skipped then."""
    if DCIODVFY is None:
        return []
    found = subprocess.run([DCIODVFY, str(path)], capture_output=True, text=True, check=False)
    lines = found.stderr.splitlines()
    assert "Segmentation" in lines
    return [line for line in lines if line.startswith("Error")]


def places(mask: NDArray[Any], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where in mm the voxels of a mask are, in an order of their own; the affine is for its axes."""
    index = np.argwhere(mask)
    found = index @ affine[:3, :3].T + affine[:3, 3]
    return found[np.lexsort(np.round(found, 3).T)]


def zyx_affine(image: Image) -> NDArray[np.float64]:
    affine = image.geometry.affine_lps
    return affine[:, [2, 1, 0, 3]]


# -- voxels and their places, as others see them -------------------------------------------------------


@pytest.mark.parametrize("size", [(16, 8, 5), (7, 6, 5)], ids=["whole bytes", "odd"])
@pytest.mark.parametrize("direction", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_our_reader_gives_the_same_masks_at_the_same_places(
    tmp_path: Path, direction: Any, size: tuple[int, int, int]
) -> None:
    image = series(tmp_path / "ct", size, direction=direction)
    masks = three(image.array.shape)
    segments = read_segments(written(tmp_path / "a.seg.dcm", image, masks, names=["liver", None, "spleen"]))
    assert segments.kind == "BINARY"
    assert segments.is_volume
    assert segments.names == ("liver", "object 2", "spleen")
    assert segments.numbers == (1, 2, 3)
    assert segments.geometry.size_xyz == image.geometry.size_xyz
    np.testing.assert_allclose(segments.geometry.affine_lps, image.geometry.affine_lps, atol=1e-6)
    assert segments.masks.shape == (3, *image.array.shape)
    np.testing.assert_array_equal(segments.masks, masks)
    assert segments.overlap == int((masks[0] & masks[1]).sum()) > 0
    np.testing.assert_array_equal(segments.label_map(), np.select([masks[2], masks[1], masks[0]], [3, 2, 1]))


@pytest.mark.parametrize("size", [(16, 8, 5), (7, 6, 5)], ids=["whole bytes", "odd"])
@pytest.mark.parametrize("direction", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_highdicom_gives_the_same_voxels_at_the_same_places(
    tmp_path: Path, direction: Any, size: tuple[int, int, int]
) -> None:
    image = series(tmp_path / "ct", size, direction=direction)
    masks = three(image.array.shape)
    volume = highdicom.seg.segread(written(tmp_path / "a.seg.dcm", image, masks)).get_volume()
    assert volume.array.shape == (*image.array.shape, 3)
    for number, mask in enumerate(masks):
        theirs = places(volume.array[..., number], volume.affine)
        np.testing.assert_allclose(theirs, places(mask, zyx_affine(image)), atol=1e-6)


@pytest.mark.parametrize("size", [(16, 8, 5), (7, 6, 5)], ids=["whole bytes", "odd"])
def test_pydicom_gives_the_same_frames_with_the_positions_of_the_source(
    tmp_path: Path, size: tuple[int, int, int]
) -> None:
    image = series(tmp_path / "ct", size, direction=phantom.oblique())
    masks = three(image.array.shape)
    made = pydicom.dcmread(written(tmp_path / "a.seg.dcm", image, masks))
    sources = [pydicom.dcmread(slice_.path) for slice_ in image.header.slices]
    assert made.NumberOfFrames == sum(int(mask.any(axis=(1, 2)).sum()) for mask in masks)
    seen = []
    for pixels, frame in zip(made.pixel_array, made.PerFrameFunctionalGroupsSequence, strict=True):
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        z = next(z for z, one in enumerate(sources) if one.ImagePositionPatient == position)
        number = frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        np.testing.assert_array_equal(pixels, masks[number - 1][z])
        source = frame.DerivationImageSequence[0].SourceImageSequence[0]
        assert source.ReferencedSOPInstanceUID == sources[z].SOPInstanceUID
        seen.append((number, z))
    assert sorted(seen) == [(n + 1, z) for n, m in enumerate(masks) for z in range(5) if m[z].any()]
    shared = made.SharedFunctionalGroupsSequence[0]
    orientation = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    assert orientation == sources[0].ImageOrientationPatient
    assert shared.PixelMeasuresSequence[0].PixelSpacing == sources[0].PixelSpacing


@pytest.mark.parametrize("direction", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_simpleitk_gives_the_same_voxels_at_the_same_places(tmp_path: Path, direction: Any) -> None:
    # ITK stacks frames and knows no segments: one segment. It unpacks bits where slices end with a byte only.
    image = series(tmp_path / "ct", direction=direction)
    mask = block(image.array.shape, slice(1, 4), slice(1, 4), slice(2, 9))
    mask[2, 0, 0] = True
    theirs = sitk.ReadImage(str(written(tmp_path / "a.seg.dcm", image, [mask])))
    affine = np.eye(4)
    direction = np.reshape(theirs.GetDirection(), (3, 3)) * theirs.GetSpacing()
    affine[:3, :3], affine[:3, 3] = direction[:, ::-1], theirs.GetOrigin()
    found = places(sitk.GetArrayFromImage(theirs) > 0, affine)
    np.testing.assert_allclose(found, places(mask, zyx_affine(image)), atol=1e-5)


@given(geometry=geometries(), seed=st.integers(0, 9999))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_masks_on_any_grid(tmp_path_factory: Any, geometry: Any, seed: int) -> None:
    assume(geometry.size_xyz[0] * geometry.size_xyz[1] >= 8)
    folder = tmp_path_factory.mktemp("any")
    phantom.write_series(folder / "ct", geometry, np.zeros(geometry.shape_zyx, np.int16))
    image = read(folder / "ct")
    masks = np.random.default_rng(seed).random((2, *image.array.shape)) < 0.3
    masks[:, 0, 0, 0] = True
    segments = read_segments(written(folder / "a.seg.dcm", image, list(masks))).on(image.geometry)
    np.testing.assert_array_equal(segments.masks, masks)
    assert segments.geometry is image.geometry


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_masks_kept_in_a_flipped_view_are_mapped_back(tmp_path: Path, axis: str) -> None:
    image = series(tmp_path / "mr", (7, 6, 5), direction=phantom.FLIPPED @ phantom.SAGITTAL, modality="MR")
    view = SliceView.canonical(image.geometry, axis)
    assert any(view.reversed_)
    masks = three(image.array.shape)[:2]
    packed = [ObjectMask(view) for _ in masks]
    for mask, new in zip(masks, packed, strict=True):
        for index, plane in enumerate(view.apply(mask)):
            new.set(index, plane)
    stack = MaskStack(packed, is_volume=True, shape_zyx=image.array.shape)
    prediction = replace(make_prediction(image, masks, overlap="keep"), masks=stack)
    write_prediction(tmp_path / "a.seg.dcm", prediction, image)
    np.testing.assert_array_equal(read_segments(tmp_path / "a.seg.dcm").on(image.geometry).masks, masks)


def test_a_series_whose_files_run_backwards(tmp_path: Path) -> None:
    image = series(tmp_path / "ct", direction=phantom.CORONAL, order=[4, 3, 2, 1, 0])
    masks = three(image.array.shape)
    segments = read_segments(written(tmp_path / "a.seg.dcm", image, masks))
    np.testing.assert_array_equal(segments.masks, masks)
    assert segments.geometry.is_close(image.geometry)


def test_slices_without_voxels_have_no_frames_and_keep_their_place(tmp_path: Path) -> None:
    image = series(tmp_path / "ct", (16, 8, 12))
    mask = np.zeros(image.array.shape, bool)
    mask[[3, 5, 9], 2, 3] = True
    segments = read_segments(written(tmp_path / "a.seg.dcm", image, [mask]))
    assert segments.geometry.size_xyz == (16, 8, 7)
    assert segments.geometry.is_close(image.geometry.crop((0, 0, 3), (16, 8, 10)))
    np.testing.assert_array_equal(segments.masks[0], mask[3:10])
    np.testing.assert_array_equal(segments.on(image.geometry).masks[0], mask)
    assert pydicom.dcmread(tmp_path / "a.seg.dcm").NumberOfFrames == 3


@pytest.mark.parametrize("overlap", ["higher-logit", "last"])
def test_overlaps_that_were_resolved_stay_so(tmp_path: Path, overlap: str) -> None:
    image = series(tmp_path / "ct")
    first, second, third = three(image.array.shape)
    path = written(tmp_path / "a.seg.dcm", image, [first, second, third], overlap=overlap)
    np.testing.assert_array_equal(read_segments(path).masks, [first & ~second, second, third])
    assert pydicom.dcmread(path).SegmentsOverlap == "NO"


def test_many_objects(tmp_path: Path) -> None:
    image = series(tmp_path / "ct", (32, 16, 2))
    labels = np.zeros(image.array.shape, int)
    labels[0].flat[:300] = np.arange(1, 301)
    path = written(tmp_path / "a.dcm", image, [labels == n for n in range(1, 301)], dtype=np.uint16)
    found = read(path)
    assert found.array.dtype == np.uint16
    np.testing.assert_array_equal(found.array, labels[:1])


# -- other sources -----------------------------------------------------------------------------------


@pytest.mark.parametrize("per_frame", [False, True], ids=["shared groups", "groups of each frame"])
def test_a_multi_frame_source_with_shuffled_frames(tmp_path: Path, per_frame: bool) -> None:
    geometry = phantom.grid((7, 6, 5), direction=phantom.oblique())
    order = [3, 0, 4, 1, 2]
    made = phantom.enhanced(geometry, phantom.voxels(geometry), order)
    if per_frame:
        for frame in made.PerFrameFunctionalGroupsSequence:
            for keyword in ("PlaneOrientationSequence", "PixelMeasuresSequence"):
                frame[keyword] = made.SharedFunctionalGroupsSequence[0][keyword]
        del made.SharedFunctionalGroupsSequence
    image = read(phantom.save(made, tmp_path / "mf.dcm"))
    masks = three(image.array.shape)
    path = written(tmp_path / "a.seg.dcm", image, masks)
    segments = read_segments(path)
    np.testing.assert_array_equal(segments.masks, masks)
    assert segments.geometry.is_close(image.geometry)
    for frame in pydicom.dcmread(path).PerFrameFunctionalGroupsSequence:
        source = frame.DerivationImageSequence[0].SourceImageSequence[0]
        there = made.PerFrameFunctionalGroupsSequence[int(source.ReferencedFrameNumber) - 1]
        ours, theirs = frame.PlanePositionSequence[0], there.PlanePositionSequence[0]
        np.testing.assert_allclose(ours.ImagePositionPatient, theirs.ImagePositionPatient)
    assert not complaints(path)


def test_one_time_of_several_in_a_multi_frame_source(tmp_path: Path) -> None:
    geometry = phantom.grid((7, 6, 5))
    twice = np.concatenate([phantom.voxels(geometry)] * 2)
    made = phantom.enhanced(geometry, twice, list(range(10)), modality="MR")
    for i, frame in enumerate(made.PerFrameFunctionalGroupsSequence):
        frame.PlanePositionSequence[0].ImagePositionPatient = list(geometry.to_physical((0, 0, i % 5)))
        frame.FrameContentSequence[0].TemporalPositionIndex = i // 5 + 1
    image = read(phantom.save(made, tmp_path / "mf.dcm"), time=1)
    path = written(tmp_path / "a.seg.dcm", image, three(image.array.shape))
    np.testing.assert_array_equal(read_segments(path).masks, three(image.array.shape))
    frames = pydicom.dcmread(path).PerFrameFunctionalGroupsSequence
    used = {int(f.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber) for f in frames}
    assert used == {6, 7, 8, 9, 10}


def test_a_single_slice(tmp_path: Path) -> None:
    files = phantom.write_series(tmp_path / "ct", phantom.grid((7, 6, 3), direction=phantom.oblique()))
    image = read(files[1])
    mask = block((1, 6, 7), slice(None), slice(2, 4), slice(1, 6))
    path = written(tmp_path / "a.seg.dcm", image, [mask])
    label_map = read(path)
    assert label_map.is_volume
    np.testing.assert_array_equal(label_map.array, mask)
    assert label_map.geometry.is_close(image.geometry)
    assert not complaints(path)


@pytest.mark.parametrize("modality", ["DX", "US", "SC"])
@pytest.mark.parametrize("overlap", ["keep", "last"])
def test_a_picture_without_a_place(tmp_path: Path, modality: str, overlap: str) -> None:
    pixels = np.zeros((6, 7) if modality == "DX" else (6, 7, 3), np.uint8)
    made = phantom.dataset(pixels, modality)
    if modality == "SC":
        del made.FrameOfReferenceUID
    image = read(phantom.save(made, tmp_path / "picture.dcm"))
    first, second = np.zeros((2, 6, 7), bool)
    first[1:3, 1:4], second[2:5, 3:] = True, True
    path = written(tmp_path / "a.seg.dcm", image, [first, second], overlap=overlap)
    segments = read_segments(path)
    assert not segments.is_volume
    np.testing.assert_array_equal(segments.masks[1], second)
    np.testing.assert_array_equal(segments.label_map(), np.select([second, first], [2, 1]))
    np.testing.assert_array_equal(segments.on(image.geometry).masks, segments.masks)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert read(path).array.shape == (6, 7)
    assert [("overlap in 1 voxels" in str(w.message)) for w in said] == [True] * (overlap == "keep")
    assert not complaints(path)


def test_a_source_that_lacks_what_may_be_empty_or_holds_nonsense(tmp_path: Path) -> None:
    def edit(made: Any, z: int) -> None:
        del made.PatientID, made.PatientName, made.SliceThickness
        made.PatientSex, made.PatientBirthDate, made.StudyTime = "W", "19xx", "noon"
        made.SpacingBetweenSlices = "0.1"
        made.ImageOrientationPatient = [1, 0.0000001 * z, 0, 0, 1, 0]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = series(tmp_path / "ct", edit=edit)
    path = written(tmp_path / "a.seg.dcm", image, three(image.array.shape))
    made = pydicom.dcmread(path)
    for keyword in ("PatientID", "PatientName", "PatientSex", "PatientBirthDate", "StudyTime"):
        assert made[keyword].is_empty
    segments = read_segments(path)
    np.testing.assert_array_equal(segments.masks, three(image.array.shape))
    assert segments.geometry.is_close(image.geometry)
    assert not complaints(path)


@pytest.mark.skipif(DCIODVFY is None, reason="dciodvfy (of dicom3tools) is not installed")
@pytest.mark.parametrize("overlap", ["keep", "last"])
@pytest.mark.parametrize("modality", ["CT", "MR", "PT"])
def test_the_validator_finds_no_error(tmp_path: Path, modality: str, overlap: str) -> None:
    image = series(tmp_path / "series", modality=modality)
    names = ["left kidney", "liver tumour", "Frobnicator"]
    path = written(tmp_path / "a.seg.dcm", image, three(image.array.shape), names=names, overlap=overlap)
    assert not complaints(path)
    made = pydicom.dcmread(path)
    del made.SegmentSequence[0].SegmentNumber
    made.save_as(tmp_path / "broken.dcm")
    assert complaints(tmp_path / "broken.dcm")


# -- header ------------------------------------------------------------------------------------------


def test_patient_study_and_frame_of_reference_are_those_of_the_source(tmp_path: Path) -> None:
    def edit(made: Any, z: int) -> None:
        made.PatientBirthDate, made.PatientSex, made.StudyDate = "19700102", "F", "20200304"
        made.AccessionNumber, made.StudyID, made.BodyPartExamined = "A1", "S1", "ABDOMEN"
        made.StudyDescription, made.PatientAge = "CT abdomen", "050Y"

    image = series(tmp_path / "ct", edit=edit)
    path = written(tmp_path / "a.seg.dcm", image, three(image.array.shape), names=["liver", "spleen", None])
    made, source = pydicom.dcmread(path), pydicom.dcmread(image.header.slices[0].path)
    same = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge", "StudyInstanceUID")
    same += ("StudyDate", "StudyID", "AccessionNumber", "StudyDescription", "FrameOfReferenceUID")
    for keyword in (*same, "BodyPartExamined"):
        assert made[keyword].value == source[keyword].value
    assert made.SeriesInstanceUID != source.SeriesInstanceUID
    assert made.SeriesDescription == "Anytomy: liver, spleen, object 3"
    assert (made.Modality, made.SegmentationType, made.SegmentsOverlap) == ("SEG", "BINARY", "YES")
    referred = made.ReferencedSeriesSequence[0]
    assert referred.SeriesInstanceUID == source.SeriesInstanceUID
    uids = {item.ReferencedSOPInstanceUID for item in referred.ReferencedInstanceSequence}
    assert uids == {slice_.sop_instance_uid for slice_ in image.header.slices}
    segments = read_segments(path)
    assert segments.frame_of_reference_uid == source.FrameOfReferenceUID
    assert segments.source_series_uid == source.SeriesInstanceUID
    assert not complaints(path)


def test_all_slices_are_referred_to_also_those_without_voxels(tmp_path: Path) -> None:
    image = series(tmp_path / "ct", (16, 8, 12))
    mask = block(image.array.shape, slice(4, 6), slice(2, 5), slice(2, 5))
    made = pydicom.dcmread(written(tmp_path / "a.seg.dcm", image, [mask]))
    uids = [i.ReferencedSOPInstanceUID for i in made.ReferencedSeriesSequence[0].ReferencedInstanceSequence]
    assert sorted(uids) == sorted(slice_.sop_instance_uid for slice_ in image.header.slices)


def test_segments_say_what_they_are_and_what_made_them(tmp_path: Path) -> None:
    image = series(tmp_path / "ct")
    names = ["R_kidney", "liver tumour", "Frobnicator"]
    prediction = make_prediction(image, three(image.array.shape), names=names, overlap="keep")
    prediction = replace(prediction, details={"model": "litemedsam"})
    write_prediction(tmp_path / "a.seg.dcm", prediction, image)
    kidney, tumour, other = read_segments(tmp_path / "a.seg.dcm").segments
    assert [s.name for s in (kidney, tumour, other)] == names
    assert (kidney.category, kidney.type.value, kidney.type.scheme) == (ANATOMY, "64033007", "SCT")
    assert [(m.value, m.meaning) for m in kidney.modifiers] == [("24028007", "Right")]
    assert tumour.category.meaning == "Morphologically Abnormal Structure"
    assert tumour.type == LESION
    assert [region.value for region in tumour.regions] == ["10200004"]
    assert (other.category, other.type, other.modifiers, other.regions) == (TISSUE, TISSUE, (), ())
    assert {s.algorithm for s in (kidney, tumour, other)} == {"litemedsam"}
    assert len({s.tracking_uid for s in (kidney, tumour, other)} - {""}) == 3
    for number, item in enumerate(pydicom.dcmread(tmp_path / "a.seg.dcm").SegmentSequence, start=1):
        assert item.SegmentNumber == number
        assert item.SegmentAlgorithmType == "SEMIAUTOMATIC"
        assert item.SegmentationAlgorithmIdentificationSequence[0].AlgorithmSource == "Anytomy"
        assert item.TrackingID == f"{names[number - 1]} ({number})"
        assert len(item.RecommendedDisplayCIELabValue) == 3
    # As highdicom's own classes have it, which check codes and sequences.
    described = highdicom.seg.segread(tmp_path / "a.seg.dcm").get_segment_description(1)
    assert described.segmented_property_type.meaning == "Kidney"
    assert described.tracking_uid == kidney.tracking_uid
    assert not complaints(tmp_path / "a.seg.dcm")


@pytest.mark.parametrize(
    ("name", "type_", "side", "region"),
    [
        ("liver", "10200004", None, None),
        ("LK", "64033007", "Left", None),
        ("kidneys", "64033007", None, None),
        ("left ventricle", "87878005", None, None),
        ("pancreas", "15776009", None, None),
        ("kidney tumour right", "52988006", "Right", "64033007"),
        ("central gland of prostate", "85756007", None, "41216001"),
        ("lung nodule", "52988006", None, "39607008"),
        (None, "85756007", None, None),
        ("", "85756007", None, None),
    ],
)
def test_codes(name: str | None, type_: str, side: str | None, region: str | None) -> None:
    coding = coding_of(name)
    assert coding.type.value == type_
    assert (coding.side and coding.side.meaning) == side
    assert (coding.region and coding.region.value) == region


def test_every_structure_has_codes_that_fit_into_a_file() -> None:
    from pydicom.sr.codedict import codes

    from anytomy.core.structures import structures

    categories = {code.value for code in codes.cid7150.concepts.values()}
    for structure in structures():
        coding = coding_of(structure.name)
        assert coding.category.value in categories
        for code in (coding.category, coding.type, coding.side, coding.region):
            assert code is None or (0 < len(code.value) <= 16 and 0 < len(code.meaning) <= 64)
        assert coding.side is None or coding.side.meaning.lower() == structure.side


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Milz, größer", "Milz, größer"),
        ("肝臓", "肝臓"),
        ("🫀", "🫀"),
        ("a\\b\nc", "a b c"),
        ("x" * 100, "x" * 64),
        (" ", "object"),
    ],
    ids=range(6),
)
def test_any_name(tmp_path: Path, name: str, label: str) -> None:
    image = series(tmp_path / "ct")
    path = written(tmp_path / "a.seg.dcm", image, [three(image.array.shape)[0]], names=[name])
    assert read_segments(path).names == (label,)
    item = pydicom.dcmread(path).SegmentSequence[0]
    assert ("SegmentDescription" in item) == (name != label)
    assert not complaints(path)


@pytest.mark.parametrize(
    ("charset", "patient"),
    [
        ("ISO_IR 100", "Müller^Jörg"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎"),
        ("ISO_IR 192", "肝^臓"),
    ],
)
def test_the_patients_name_in_any_character_set(tmp_path: Path, charset: Any, patient: str) -> None:
    def edit(made: Any, z: int) -> None:
        made.SpecificCharacterSet, made.PatientName = charset, patient

    image = series(tmp_path / "ct", edit=edit)
    path = written(tmp_path / "a.seg.dcm", image, three(image.array.shape), names=["größer 肝"])
    made = pydicom.dcmread(path)
    assert made.PatientName == patient
    assert made.SegmentSequence[0].SegmentLabel == "größer 肝"


# -- refusals ----------------------------------------------------------------------------------------


def refusal(path: Path, image: Image, masks: Sequence[NDArray[Any]]) -> str:
    with pytest.raises(OutputError) as caught:
        write_prediction(path, make_prediction(image, masks, overlap="keep"), image)
    assert not path.exists()
    assert not [p for p in path.parent.iterdir() if p.name.startswith(".anytomy")]
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_objects_without_voxels_are_left_out_and_named(tmp_path: Path) -> None:
    image = series(tmp_path / "ct")
    first, second, third = three(image.array.shape)
    empty = np.zeros_like(first)
    for overlap in ("keep", "last"):
        masks = [empty, first, third, second if overlap == "keep" else empty]
        prediction = make_prediction(image, masks, names=["liver", "spleen"], overlap=overlap)
        with pytest.warns(AnytomyWarning, match=r"for want of voxels: liver"):
            write_prediction(tmp_path / "a.seg.dcm", prediction, image)
        segments = read_segments(tmp_path / "a.seg.dcm")
        assert segments.names[:2] == ("spleen", "object 3")
        assert segments.numbers[:2] == (1, 2)
        np.testing.assert_array_equal(segments.on(image.geometry).masks[1], third)
    assert "no object has any" in refusal(tmp_path / "b.seg.dcm", image, [empty, empty])


@pytest.mark.parametrize("format_", ["nifti", "nrrd", ""])
def test_what_is_not_dicom_has_a_way_out(tmp_path: Path, format_: str) -> None:
    image = replace(Image.from_array(np.zeros((5, 6, 7), np.int16)), format=format_)
    text = refusal(tmp_path / "a.seg.dcm", image, [np.ones((5, 6, 7))])
    assert "choose .seg.nrrd" in text
    with pytest.raises(OutputError, match=r"not DICOM"):
        check_output(tmp_path / "a.seg.dcm", image=image)
    check_output(tmp_path / "a.seg.nrrd", image=image)


@pytest.mark.parametrize("keyword", ["FrameOfReferenceUID", "StudyInstanceUID"])
def test_a_source_without_what_must_be_referred_to(tmp_path: Path, keyword: str) -> None:
    image = series(tmp_path / "ct", edit=lambda made, z: made.__delattr__(keyword))
    assert f"has no {keyword}" in refusal(tmp_path / "a.seg.dcm", image, three(image.array.shape))


def test_a_source_that_highdicom_does_not_take(tmp_path: Path) -> None:
    image = series(tmp_path / "ct", edit=lambda made, z: setattr(made, "SOPClassUID", "1.2.3"))
    text = refusal(tmp_path / "a.seg.dcm", image, three(image.array.shape))
    assert "no DICOM segmentation can refer to" in text


def test_slices_of_less_than_a_byte(tmp_path: Path) -> None:
    image = series(tmp_path / "ct", (7, 1, 2))
    assert "needs slices of 8 pixels" in refusal(tmp_path / "a.seg.dcm", image, [np.ones((2, 1, 7))])


def test_a_frame_of_a_cine(tmp_path: Path) -> None:
    cine = phantom.dataset(np.zeros((3, 6, 7), np.uint8), "US")
    image = read(phantom.save(cine, tmp_path / "cine" / "cine.dcm"), time=1)
    assert "a place for each frame" in refusal(tmp_path / "a.seg.dcm", image, [np.ones((6, 7))])
    cine.ImagePositionPatient, cine.ImageOrientationPatient = [1, 2, 3], [1, 0, 0, 0, 1, 0]
    cine.PixelSpacing = [1, 1]
    image = read(phantom.save(cine, tmp_path / "placed" / "cine.dcm"), time=1)
    assert "no functional groups" in refusal(tmp_path / "a.seg.dcm", image, [np.ones((1, 6, 7))])


def test_an_image_that_is_not_as_it_was_read(tmp_path: Path) -> None:
    image = series(tmp_path / "ct")
    flipped = replace(image, geometry=image.geometry.flip(2))
    turned = replace(image, geometry=image.geometry.flip(0))
    cropped = replace(
        image, array=image.array[:, 1:], geometry=image.geometry.crop((0, 1, 0), image.geometry.size_xyz)
    )
    for other in (flipped, turned, cropped):
        text = refusal(tmp_path / "a.seg.dcm", other, [np.ones(other.array.shape)])
        assert "the grid is not that of" in text


def test_files_that_are_gone(tmp_path: Path) -> None:
    image = series(tmp_path / "ct")
    image.header.slices[2].path.unlink()
    assert "cannot be read again" in refusal(tmp_path / "a.seg.dcm", image, three(image.array.shape))


def test_no_slice_is_written_over(tmp_path: Path) -> None:
    image = series(tmp_path / "ct", name="IM{:03}.dcm")
    for path in (tmp_path / "ct" / "IM002.dcm", tmp_path / "ct" / ".." / "ct" / "IM000.dcm"):
        before = path.read_bytes()
        with pytest.raises(OutputError, match="is the input itself"):
            write_prediction(path, make_prediction(image, three(image.array.shape)), image)
        assert path.read_bytes() == before


def test_a_segmentation_beside_its_images_is_not_one_of_them(tmp_path: Path) -> None:
    image = series(tmp_path / "ct")
    written(tmp_path / "ct" / "a.seg.dcm", image, three(image.array.shape))
    np.testing.assert_array_equal(read(tmp_path / "ct").array, image.array)


@pytest.mark.shared
@pytest.mark.parametrize(
    "folder",
    ["chaos_ct/1/DICOM_anon", "dcmqi_ct_liver/ct-3slice", "dcmqi_ct_liver/23x38x3/multiframe"],
)
def test_real_sources(shared: Path, tmp_path: Path, folder: str, predict: Callable[..., Any]) -> None:
    image = read(shared / "data" / folder)
    masks = np.random.default_rng(0).random((2, *image.array.shape)) < 0.1
    path = tmp_path / "a.seg.dcm"
    write_prediction(path, predict(image, list(masks), names=["liver", "left kidney"], overlap="keep"), image)
    segments = read_segments(path)
    np.testing.assert_array_equal(segments.masks, masks)
    assert segments.geometry.is_close(image.geometry)
    assert not complaints(path)
