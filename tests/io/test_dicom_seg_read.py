"""DICOM segmentations of others, compared with highdicom and with the NRRD files of dcmqi of the same."""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING, Any

import highdicom
import nrrd
import numpy as np
import pydicom
import pytest
from highdicom.sr import CodedConcept
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from anytomy import read, read_segments
from anytomy.core.errors import (
    AnytomyError,
    AnytomyWarning,
    GeometryError,
    ImageReadError,
    OptionError,
)
from anytomy.core.geometry import Geometry
from anytomy.io.dicom_codes import Code
from anytomy.io.dicom_source import load_sources
from tests.io import dicom_phantom as phantom

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from anytomy.core.image import Image

GRID = phantom.grid((7, 6, 5), direction=phantom.oblique())


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Values that break the standard on purpose pass; our own warnings are looked for by name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pydicom|highdicom")
        yield


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """A series on an oblique grid."""
    phantom.write_series(tmp_path / "ct", GRID)
    return read(tmp_path / "ct")


Make = Any


@pytest.fixture
def make(tmp_path: Path, image: Image) -> Callable[..., Any]:
    """A maker of segmentations by highdicom: an array with frames first, `kind`, numbers of the segments."""

    def make_(array: NDArray[Any], kind: str = "BINARY", numbers: Any = (1,), **options: Any) -> Any:
        tissue = CodedConcept("85756007", "SCT", "Tissue")
        return highdicom.seg.Segmentation(
            source_images=load_sources(image),
            pixel_array=array,
            segmentation_type=kind,
            segment_descriptions=[
                highdicom.seg.SegmentDescription(n, f"segment {n}", tissue, tissue, "MANUAL") for n in numbers
            ],
            series_instance_uid=highdicom.UID(),
            series_number=7,
            sop_instance_uid=highdicom.UID(),
            instance_number=1,
            manufacturer="M",
            manufacturer_model_name="M",
            software_versions="1",
            device_serial_number="1",
            **options,
        )

    return make_


@pytest.fixture
def binary(make: Make) -> Any:
    """A segmentation with the two segments of `labels`."""
    return make(labels(), numbers=(1, 2))


def labels() -> NDArray[np.uint8]:
    array = np.zeros(GRID.shape_zyx, np.uint8)
    array[1:4, 1:4, 1:5], array[2:, 4:, 2:] = 1, 2
    return array


def saved(made: Any, path: Path) -> Path:
    made.save_as(path)
    return path


def refusal(path: Path, kind: type[AnytomyError] = ImageReadError) -> str:
    with pytest.raises(kind) as caught:
        read_segments(path)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


# -- kinds -------------------------------------------------------------------------------------------


def test_binary(tmp_path: Path, binary: Any, image: Image) -> None:
    segments = read_segments(saved(binary, tmp_path / "a.dcm"))
    assert (segments.kind, segments.numbers, segments.overlap) == ("BINARY", (1, 2), 0)
    assert segments.names == ("segment 1", "segment 2")
    assert segments.segments[0].type == Code("85756007", "SCT", "Tissue")
    np.testing.assert_array_equal(segments.on(image.geometry).label_map(), labels())


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless])
@pytest.mark.parametrize("most", [255, 100])
def test_fractional_counts_from_a_half_and_says_so(
    tmp_path: Path, make: Make, image: Image, syntax: str, most: int
) -> None:
    values = np.random.default_rng(0).integers(0, most + 1, GRID.shape_zyx) / most
    made = make(values, "FRACTIONAL", max_fractional_value=most, transfer_syntax_uid=syntax)
    path = saved(made, tmp_path / "a.dcm")
    with pytest.warns(AnytomyWarning, match="0.5 of the largest value"):
        segments = read_segments(path)
    assert segments.kind == "FRACTIONAL"
    np.testing.assert_array_equal(segments.masks[0], values * most >= most / 2)


def test_label_map_with_gaps_in_its_numbers(tmp_path: Path, make: Make, image: Image) -> None:
    array = np.where(labels() == 2, np.uint16(300), labels())
    made = make(array, "LABELMAP", (1, 7, 300))
    segments = read_segments(saved(made, tmp_path / "a.dcm"))
    assert segments.kind == "LABELMAP"
    assert segments.numbers == (1, 7, 300)  # not the background
    assert segments.label_map().dtype == np.uint16
    np.testing.assert_array_equal(segments.on(image.geometry).label_map(), array)


def test_padding_of_a_label_map_is_background(tmp_path: Path, make: Make, image: Image) -> None:
    made = make(labels(), "LABELMAP", (1, 2))
    made.PixelPaddingValue = 9
    made.PixelData = np.where(made.pixel_array == 0, 9, made.pixel_array).astype(np.uint8).tobytes()
    segments = read_segments(saved(made, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(segments.on(image.geometry).label_map(), labels())


def test_as_an_image_it_is_a_label_map(tmp_path: Path, binary: Any, image: Image) -> None:
    found = read(saved(binary, tmp_path / "a.dcm"))
    assert (found.format, found.modality, found.is_volume) == ("dicom-seg", "SEG", True)
    assert found.array.dtype == np.uint8
    np.testing.assert_array_equal(found.array, labels()[1:])
    assert found.geometry.is_close(image.geometry.crop((0, 0, 1), (7, 6, 5)))
    for option in ({"series": "3"}, {"time": 1}, {"channel": 1}):
        with pytest.raises(OptionError):
            read(tmp_path / "a.dcm", **option)


def test_where_segments_overlap_the_higher_number_counts_and_it_is_said(
    tmp_path: Path, make: Make, image: Image
) -> None:
    array = np.zeros((*GRID.shape_zyx, 2), np.uint8)
    array[:, :4, :, 1] = array[:, 2:, :, 0] = 1
    path = saved(make(array, numbers=(1, 2)), tmp_path / "a.dcm")
    with pytest.warns(AnytomyWarning, match=f"overlap in {5 * 2 * 7} voxels"):
        found = read(path)
    np.testing.assert_array_equal(found.array, np.where(array[..., 1], 2, array[..., 0]))


# -- frames ------------------------------------------------------------------------------------------


def test_frames_in_any_order(tmp_path: Path, binary: Any, image: Image) -> None:
    pixels, frames = binary.pixel_array, list(binary.PerFrameFunctionalGroupsSequence)
    order = np.random.default_rng(1).permutation(len(frames))
    binary.PerFrameFunctionalGroupsSequence = [frames[i] for i in order]
    binary.PixelData = np.packbits(pixels[order].ravel(), bitorder="little").tobytes() + b"\0"
    segments = read_segments(saved(binary, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(segments.on(image.geometry).label_map(), labels())


def test_gaps_are_filled_by_the_stated_distance(tmp_path: Path, make: Make, image: Image) -> None:
    array = np.zeros(GRID.shape_zyx, np.uint8)
    array[[0, 2, 4]] = 1
    made = make(array)
    segments = read_segments(saved(made, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(segments.masks[0], array)
    assert segments.geometry.is_close(image.geometry)
    # Without it nothing says that there is a slice between two.
    del made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices
    segments = read_segments(saved(made, tmp_path / "b.dcm"))
    assert segments.geometry.size_xyz == (7, 6, 3)
    assert segments.geometry.spacing_xyz_mm[2] == pytest.approx(5)


@pytest.mark.parametrize("stated", ["0.3", "9", "-2.5", None])
def test_a_stated_distance_that_fits_nothing_does_not_count(
    tmp_path: Path, binary: Any, image: Image, stated: str | None
) -> None:
    measures = binary.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    measures.SpacingBetweenSlices = stated
    segments = read_segments(saved(binary, tmp_path / "a.dcm"))
    assert segments.geometry.is_close(image.geometry.crop((0, 0, 1), (7, 6, 5)))


def test_rounded_positions(tmp_path: Path) -> None:
    phantom.write_series(tmp_path / "ct", phantom.grid((7, 6, 200), spacing_xyz_mm=(1, 1, 0.625)))

    def put(position: Any) -> list[float]:
        return [round(float(v), 1) for v in position]

    for file in (tmp_path / "ct").iterdir():
        made = pydicom.dcmread(file)
        made.ImagePositionPatient = put(made.ImagePositionPatient)
        phantom.save(made, file)
    image = read(tmp_path / "ct")
    from anytomy.io.write import write_prediction
    from tests.io.conftest import make_prediction

    mask = np.zeros(image.array.shape, bool)
    mask[[0, 3, 90, 91, 199], 2:4, 1:5] = True
    write_prediction(tmp_path / "a.seg.dcm", make_prediction(image, [mask]), image)
    segments = read_segments(tmp_path / "a.seg.dcm")
    np.testing.assert_array_equal(segments.masks[0], mask)
    assert segments.geometry.is_close(image.geometry)


def edit_frame(made: Any, number: int, edit: Callable[[Any], None]) -> Any:
    edit(made.PerFrameFunctionalGroupsSequence[number])
    return made


def test_a_frame_without_a_position(tmp_path: Path, binary: Any) -> None:
    edit_frame(binary, 1, lambda frame: frame.__delattr__("PlanePositionSequence"))
    assert "states no place for a.dcm frame 2" in refusal(saved(binary, tmp_path / "a.dcm"))
    for frame in binary.PerFrameFunctionalGroupsSequence:
        frame.pop("PlanePositionSequence", None)
    assert "states no place for b.dcm frame 1" in refusal(saved(binary, tmp_path / "b.dcm"))


def test_frames_without_functional_groups(tmp_path: Path, binary: Any) -> None:
    del binary.PerFrameFunctionalGroupsSequence
    assert "which segment its frame 1" in refusal(saved(binary, tmp_path / "a.dcm"))


def test_two_frames_of_a_segment_at_a_place(tmp_path: Path, binary: Any) -> None:
    first = binary.PerFrameFunctionalGroupsSequence[0]
    edit_frame(binary, 1, lambda frame: setattr(frame, "PlanePositionSequence", first.PlanePositionSequence))
    assert "several frames of one segment" in refusal(saved(binary, tmp_path / "a.dcm"))


def test_a_segment_that_is_not_described(tmp_path: Path, binary: Any) -> None:
    def edit(frame: Any) -> None:
        frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber = 5

    path = saved(edit_frame(binary, 0, edit), tmp_path / "a.dcm")
    assert "segment 5, which it does not describe" in refusal(path)


def test_irregular_positions(tmp_path: Path, binary: Any) -> None:
    def edit(frame: Any) -> None:
        position = frame.PlanePositionSequence[0]
        moved = np.array(position.ImagePositionPatient, float) + 0.4 * GRID.direction_matrix[:, 2]
        position.ImagePositionPatient = phantom._decimal(moved)

    for frame in list(binary.PerFrameFunctionalGroupsSequence)[:1]:
        edit(frame)
    assert "irregular slice distances" in refusal(saved(binary, tmp_path / "a.dcm"), GeometryError)


def test_two_far_frames_do_not_fill_the_memory(tmp_path: Path, make: Make) -> None:
    array = np.zeros(GRID.shape_zyx, np.uint8)
    array[:3] = 1
    made = make(array)
    far = np.array([1e9, 0, 0]) * 0 + 1e9 * GRID.direction_matrix[:, 2]
    frame = made.PerFrameFunctionalGroupsSequence[0]
    frame.PlanePositionSequence[0].ImagePositionPatient = [f"{v:.9g}" for v in far]
    refusal(saved(made, tmp_path / "a.dcm"), AnytomyError)


# -- grids -------------------------------------------------------------------------------------------


def test_on_another_grid_is_refused(tmp_path: Path, binary: Any, image: Image) -> None:
    segments = read_segments(saved(binary, tmp_path / "a.dcm"))
    grid = image.geometry
    others = [
        grid.flip(2),
        grid.permute((1, 0, 2)),
        grid.crop((0, 0, 2), grid.size_xyz),
        Geometry(grid.size_xyz, (0.8, 0.5, 2.5), grid.origin_lps_mm, grid.direction),
        Geometry(grid.size_xyz, grid.spacing_xyz_mm, (0, 0, 0), grid.direction),
    ]
    for other in others:
        with pytest.raises(GeometryError, match="do not lie on the grid"):
            segments.on(other)
    wider = segments.on(grid.pad((3, 2, 1), (1, 0, 4)))
    inside = wider.label_map()[1:-4, 2:, 3:-1]
    np.testing.assert_array_equal(inside, labels())
    assert np.count_nonzero(wider.label_map()) == np.count_nonzero(labels())


# -- what is no segmentation, or half of one ---------------------------------------------------------


def test_what_is_no_segmentation(tmp_path: Path, image: Image) -> None:
    assert "another kind (CT)" in refusal(image.header.slices[0].path)
    assert "is no file" in refusal(tmp_path / "missing.dcm")
    assert "is no file" in refusal(tmp_path / "ct")
    (tmp_path / "text").write_text("no DICOM")
    assert "is no DICOM" in refusal(tmp_path / "text")
    (tmp_path / "text.dcm").write_text("no DICOM")
    refusal(tmp_path / "text.dcm")
    made = phantom.dataset(np.zeros((3, 2, 2), np.uint8), "SEG")
    assert "type ''" in refusal(phantom.save(made, tmp_path / "a.dcm"))
    made.SegmentationType = "BINARY"
    assert "describes no segment" in refusal(phantom.save(made, tmp_path / "b.dcm"))
    with pytest.raises(ImageReadError):
        read(tmp_path / "b.dcm")


@pytest.mark.parametrize("part", [0.999, 0.98, 0.9, 0.7, 0.5, 0.3, 0.1, 0.03])
def test_a_file_that_was_cut_off(tmp_path: Path, binary: Any, part: float) -> None:
    data = saved(binary, tmp_path / "whole.dcm").read_bytes()
    # The last byte may be a filler.
    (tmp_path / "a.dcm").write_bytes(data[: int(part * (len(data) - 2))])
    refusal(tmp_path / "a.dcm")
    with pytest.raises(ImageReadError):
        read(tmp_path / "a.dcm")


def test_flipped_bytes_lead_to_an_error_of_ours_or_to_masks(tmp_path: Path, binary: Any) -> None:
    data = saved(binary, tmp_path / "whole.dcm").read_bytes()
    random = np.random.default_rng(0)
    for _ in range(60):
        broken = bytearray(data)
        for at in random.integers(132, len(data), 8):
            broken[at] = int(random.integers(256))
        (tmp_path / "a.dcm").write_bytes(bytes(broken))
        with contextlib.suppress(AnytomyError):
            read_segments(tmp_path / "a.dcm")


def test_without_a_referenced_series(tmp_path: Path, binary: Any, image: Image) -> None:
    del binary.ReferencedSeriesSequence, binary.SourceImageSequence
    for frame in binary.PerFrameFunctionalGroupsSequence:
        del frame.DerivationImageSequence
    segments = read_segments(saved(binary, tmp_path / "a.dcm"))
    assert segments.source_series_uid == ""
    np.testing.assert_array_equal(segments.on(image.geometry).label_map(), labels())


def test_empty_sequences_and_texts(tmp_path: Path, binary: Any) -> None:
    for item in binary.SegmentSequence:
        item.SegmentLabel = ""
        item.SegmentedPropertyTypeCodeSequence = []
        del item.SegmentedPropertyCategoryCodeSequence
    segments = read_segments(saved(binary, tmp_path / "a.dcm"))
    assert segments.names == ("segment 1", "segment 2")
    assert segments.segments[0].type is None


def test_a_file_without_preamble(tmp_path: Path, binary: Any) -> None:
    path = saved(binary, tmp_path / "a.dcm")
    data = path.read_bytes()
    start = 144 + int.from_bytes(data[140:144], "little")
    path.write_bytes(data[start:])
    np.testing.assert_array_equal(read(path).array, labels()[1:])


def test_a_folder_with_nothing_else_says_how_to_read_it(tmp_path: Path, binary: Any) -> None:
    (tmp_path / "seg").mkdir()
    saved(binary, tmp_path / "seg" / "a.dcm")
    with pytest.raises(ImageReadError, match=r"1 SEG.*a SEG itself"):
        read(tmp_path / "seg")


# -- real ones ---------------------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize(
    ("file", "labels_in"),
    [
        ("liver.dcm", ["liver_seg.nrrd"]),
        ("partial_overlaps.dcm", [f"partial_overlaps-{n}.nrrd" for n in (1, 2, 3)]),
        ("23x38x3/seg/label.seg", ["23x38x3/nrrd/label.nrrd"]),
        ("24x38x3/seg/label.seg", ["24x38x3/nrrd/label.nrrd"]),
        ("sparse-labelmap-noppv.dcm", ["sparse_labelmap_noppv_seg.nrrd"]),
        ("sparse-labelmap-ppv5.dcm", ["sparse_labelmap_ppv5_seg.nrrd"]),
    ],
)
def test_the_same_as_the_nrrd_files_of_dcmqi(shared: Path, file: str, labels_in: list[str]) -> None:
    folder = shared / "data" / "dcmqi_ct_liver"
    segments = read_segments(folder / file)
    expected: dict[int, NDArray[np.bool_]] = {}
    for name in labels_in:
        values, header = nrrd.read(str(folder / name))
        assert segments.geometry.size_xyz == values.shape
        affine = np.eye(4)
        affine[:3, :3], affine[:3, 3] = header["space directions"].T, header["space origin"]
        np.testing.assert_allclose(segments.geometry.affine_lps, affine, atol=1e-6)
        padding = 5 if "ppv5" in name else 0  # what dcmqi fills a missing slice with
        expected |= {int(n): n == values.T for n in np.unique(values) if n not in (0, padding)}
    assert segments.numbers == tuple(sorted(expected))
    for number, mask in zip(segments.numbers, segments.masks, strict=True):
        np.testing.assert_array_equal(mask, expected[number])
    assert (segments.overlap > 0) == (file == "partial_overlaps.dcm")


@pytest.mark.shared
@pytest.mark.parametrize(
    "file", ["liver.dcm", "partial_overlaps.dcm", "23x38x3/seg/label.seg", "sparse-labelmap-noppv.dcm"]
)
def test_the_same_as_highdicom(shared: Path, file: str) -> None:
    path = shared / "data" / "dcmqi_ct_liver" / file
    segments = read_segments(path)
    theirs = highdicom.seg.segread(path).get_volume(
        segment_numbers=list(segments.numbers), allow_missing_positions=True
    )
    affine = segments.geometry.affine_lps[:, [2, 1, 0, 3]]
    for number, mask in enumerate(segments.masks):
        index = np.argwhere(theirs.array[..., number])
        back = np.linalg.solve(affine, theirs.affine @ np.c_[index, np.ones(len(index))].T).T[:, :3]
        np.testing.assert_allclose(back, np.round(back), atol=1e-3)
        found = np.zeros_like(mask)
        found[tuple(np.round(back).astype(int).T)] = True
        np.testing.assert_array_equal(found, mask)


@pytest.mark.shared
def test_names_and_codes_of_others(shared: Path) -> None:
    segments = read_segments(shared / "data" / "dcmqi_ct_liver" / "partial_overlaps.dcm")
    assert segments.names == ("GREEN", "ORANGE", "PURPLE", "LIGHT_BLUE", "DARK_BLUE")
    assert segments.segments[1].type.meaning == "Artery"
    image = read(shared / "data" / "dcmqi_ct_liver" / "ct-3slice")
    assert segments.frame_of_reference_uid == image.header.frame_of_reference_uid
    np.testing.assert_array_equal(segments.on(image.geometry).masks, segments.masks)
