from __future__ import annotations

import re
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    MPEG2MPML,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from anytomy.core.errors import (
    AnytomyError,
    GeometryError,
    ImageReadError,
    MissingDependencyError,
    OptionError,
)
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.io import dicom
from tests.io import dicom_phantom as phantom

ORIENTATIONS = {
    "axial": phantom.AXIAL,
    "sagittal": phantom.SAGITTAL,
    "coronal": phantom.CORONAL,
    "flipped": phantom.FLIPPED,
    "oblique": phantom.oblique(),
}


def assert_is(image: Image, geometry: Geometry, array: np.ndarray) -> None:
    assert image.is_volume
    np.testing.assert_array_equal(image.array, array)
    assert image.geometry.size_xyz == geometry.size_xyz
    np.testing.assert_allclose(image.geometry.affine_lps, geometry.affine_lps, atol=1e-6)


def assert_agrees_with_itk(image: Image, folder: Path) -> None:
    """ITK's reader, an independent one, gives the same voxels at the same places."""
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    theirs = reader.Execute()
    np.testing.assert_allclose(image.array, SimpleITK.GetArrayFromImage(theirs), rtol=1e-6)
    ends = np.array([[0, 0, 0], [1, 2, 3], [s - 1 for s in image.geometry.size_xyz]])
    places = [theirs.TransformContinuousIndexToPhysicalPoint([float(i) for i in end]) for end in ends]
    np.testing.assert_allclose(image.geometry.to_physical(ends), places, atol=1e-5)


def refusal(kind: type[AnytomyError], path: Path, **options: Any) -> str:
    with pytest.raises(AnytomyError) as caught:
        dicom.read(path, **options)
    assert type(caught.value) is kind, caught.value
    message = str(caught.value)
    assert "\n" not in message
    assert "Doe" not in message
    assert "4711" not in message
    return message


# -- series on their grid ---------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ORIENTATIONS.values(), ids=ORIENTATIONS)
@pytest.mark.parametrize(
    "order", [None, [4, 3, 2, 1, 0], [2, 4, 0, 3, 1]], ids=["as is", "reversed", "shuffled"]
)
def test_series_lies_where_it_was_written(
    tmp_path: Path, direction: np.ndarray, order: list[int] | None
) -> None:
    geometry = phantom.grid(direction=direction)
    phantom.write_series(tmp_path, geometry, order=order)
    image = dicom.read(tmp_path)
    assert_is(image, geometry, phantom.voxels(geometry))
    assert np.linalg.det(image.geometry.direction_matrix) == pytest.approx(1)
    assert_agrees_with_itk(image, tmp_path)


def test_series_with_what_later_writers_need(tmp_path: Path) -> None:
    files = phantom.write_series(tmp_path, phantom.grid(), modality="MR", order=[2, 4, 0, 3, 1])
    image = dicom.read(tmp_path)
    assert (image.modality, image.format, image.path) == ("MR", "dicom", tmp_path)
    header = image.header
    datasets = [dcmread(file) for file in files]
    assert [s.path for s in header.slices] == files
    assert [s.sop_instance_uid for s in header.slices] == [d.SOPInstanceUID for d in datasets]
    assert [s.frame_number for s in header.slices] == [None] * 5
    assert header.study_instance_uid == datasets[0].StudyInstanceUID
    assert header.series_instance_uid == datasets[0].SeriesInstanceUID
    assert header.frame_of_reference_uid == datasets[0].FrameOfReferenceUID
    assert header.sop_class_uid == phantom.CLASSES["MR"]
    assert "Doe" not in repr(header)


def test_one_file_of_a_series_is_one_slice(tmp_path: Path) -> None:
    geometry = phantom.grid(direction=phantom.oblique())

    def distance(made: Dataset, z: int) -> None:
        made.SpacingBetweenSlices = "2.5"

    files = phantom.write_series(tmp_path, geometry, edit=distance)
    expected = geometry.crop((0, 0, 3), (7, 6, 4))
    assert_is(dicom.read(files[3]), expected, phantom.voxels(geometry)[3:4])


def test_single_slice_without_distance_takes_its_thickness(tmp_path: Path) -> None:
    files = phantom.write_series(tmp_path, phantom.grid())
    assert dicom.read(files[0]).geometry.spacing_xyz_mm == (0.75, 0.5, 9.0)


def test_distance_is_that_of_positions_also_where_they_are_rounded(tmp_path: Path) -> None:
    geometry = phantom.grid((4, 4, 41), spacing_xyz_mm=(0.7, 0.7, 0.625), origin_lps_mm=(0, 0, 0))

    def rounded(made: Dataset, z: int) -> None:
        made.ImagePositionPatient[2] = f"{0.625 * z:.1f}"
        made.SpacingBetweenSlices = "77"

    phantom.write_series(tmp_path, geometry, edit=rounded)
    assert dicom.read(tmp_path).geometry.spacing_xyz_mm == pytest.approx((0.7, 0.7, 0.625), abs=1e-9)


def test_rounded_cosines_pass(tmp_path: Path) -> None:
    direction = phantom.oblique(0.123, 0.456)

    def rounded(made: Dataset, z: int) -> None:
        made.ImageOrientationPatient = [f"{float(v):.4f}" for v in made.ImageOrientationPatient]

    phantom.write_series(tmp_path, phantom.grid(direction=direction), edit=rounded)
    np.testing.assert_allclose(dicom.read(tmp_path).geometry.direction_matrix, direction, atol=2e-4)


def test_nested_folders_and_other_files(tmp_path: Path) -> None:
    geometry = phantom.grid()
    files = phantom.write_series(tmp_path / "a" / "b", geometry)
    (tmp_path / "c").mkdir()
    files[0].rename(tmp_path / "c" / "no_ending")
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "._IM000").write_bytes(b"macOS")
    directory = phantom.dataset(np.zeros((2, 2), np.uint8), "CT")
    directory.file_meta.MediaStorageSOPClassUID = directory.SOPClassUID = "1.2.840.10008.1.3.10"
    phantom.save(directory, tmp_path / "DICOMDIR")
    segments = phantom.dataset(np.zeros((3, 2, 2), np.uint8), "SEG")
    phantom.save(segments, tmp_path / "seg.dcm")
    structures = phantom.dataset(np.zeros((2, 2), np.uint8), "RTSTRUCT")
    for keyword in ("Rows", "Columns", "PixelData"):
        del structures[keyword]
    phantom.save(structures, tmp_path / "rtstruct.dcm")
    assert_is(dicom.read(tmp_path), geometry, phantom.voxels(geometry))
    assert "SEG" in refusal(ImageReadError, tmp_path / "seg.dcm")
    assert "RTSTRUCT" in refusal(ImageReadError, tmp_path / "rtstruct.dcm")
    assert "DICOMDIR" in refusal(ImageReadError, tmp_path / "DICOMDIR")


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_other_encodings(tmp_path: Path, syntax: Any) -> None:
    geometry = phantom.grid()
    array = phantom.voxels(geometry)
    for z, made in enumerate(phantom.series(geometry, array)):
        made.file_meta.TransferSyntaxUID = syntax
        if syntax == ExplicitVRBigEndian:
            made.PixelData = array[z].astype(">i2").tobytes()
        order = {"implicit_vr": syntax.is_implicit_VR, "little_endian": syntax.is_little_endian}
        dcmwrite(tmp_path / f"{z}.dcm", made, force_encoding=True, **order)
    assert_is(dicom.read(tmp_path), geometry, array)


@pytest.mark.parametrize("implicit", [True, False], ids=["implicit", "explicit"])
def test_without_preamble(tmp_path: Path, implicit: bool) -> None:
    geometry = phantom.grid()
    for z, made in enumerate(phantom.series(geometry, phantom.voxels(geometry))):
        del made.file_meta
        made.preamble = None
        dcmwrite(
            tmp_path / f"s{z}", made, implicit_vr=implicit, little_endian=True, enforce_file_format=False
        )
    assert (tmp_path / "s0").read_bytes()[128:132] != b"DICM"
    assert dicom.matches(tmp_path / "s0", (tmp_path / "s0").read_bytes()[:132])
    assert dicom.matches(tmp_path, b"")
    assert_is(dicom.read(tmp_path), geometry, phantom.voxels(geometry))


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_compressed(tmp_path: Path, syntax: Any) -> None:
    if syntax == JPEG2000Lossless:
        pytest.importorskip("openjpeg")
    geometry = phantom.grid((64, 64, 3))
    array = phantom.voxels(geometry)
    for z, made in enumerate(phantom.series(geometry, array)):
        made.compress(syntax)
        phantom.save(made, tmp_path / f"{z}.dcm")
    assert_is(dicom.read(tmp_path), geometry, array)


# -- what is DICOM ----------------------------------------------------------------------------------


def test_matches(tmp_path: Path) -> None:
    files = phantom.write_series(tmp_path / "series" / "below", phantom.grid())
    assert dicom.matches(files[0], files[0].read_bytes()[:512])
    assert dicom.matches(tmp_path / "series", b"")
    other = tmp_path / "other"
    other.mkdir()
    assert not dicom.matches(other, b"")
    for name, head in {
        "image.png": b"\x89PNG\r\n\x1a\n" + bytes(200),
        "zeros": bytes(512),
        "text": b"a text that is long enough" * 20,
        "volume.nii": b"\x5c\x01\x00\x00" + bytes(400),
        "eights": b"\x08\x00" * 256,
        "short": b"\x08\x00",
        "empty": b"",
    }.items():
        (other / name).write_bytes(head)
        assert not dicom.matches(other / name, head[:512]), name
    assert not dicom.matches(other, b"")


def test_matches_opens_few_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(300):
        (tmp_path / f"{i:03}.raw").write_bytes(b"x" * 600)
        (tmp_path / f"{i:03}.png").write_bytes(b"x" * 600)
    opened: list[Path] = []
    original = Path.open

    def counted(self: Path, *args: Any, **kwargs: Any) -> Any:
        opened.append(self)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", counted)
    assert not dicom.matches(tmp_path, b"")
    assert len(opened) <= 200
    assert all(path.suffix == ".raw" for path in opened)


# -- choosing a series ------------------------------------------------------------------------------


@pytest.fixture
def two_series(tmp_path: Path) -> tuple[Path, list[str]]:
    uids = ["1.2.826.0.1.77.100", "1.2.826.0.1.77.200"]
    for number, uid in zip((4, 12), uids, strict=True):

        def put(made: Dataset, z: int, uid: str = uid) -> None:
            made.SeriesInstanceUID = uid

        geometry = phantom.grid((7, 6, number))
        phantom.write_series(tmp_path / str(number), geometry, number=number, edit=put)
    return tmp_path, uids


def test_several_series_are_listed(two_series: tuple[Path, list[str]]) -> None:
    folder, uids = two_series
    message = refusal(ImageReadError, folder)
    assert all(uid in message for uid in uids)
    assert "number 4, CT 'phantom CT', 4 files" in message
    assert "--series" in message


def test_series_by_uid_its_ends_or_number(two_series: tuple[Path, list[str]]) -> None:
    folder, uids = two_series
    for wanted in (uids[1], "12", "77.200", "200"):
        assert dicom.read(folder, series=wanted).array.shape[0] == 12, wanted
    assert dicom.read(folder / "4", series="4").array.shape[0] == 4


@pytest.mark.parametrize(("wanted", "fits"), [("1.2.826", "2"), ("9", "none"), ("", "none")])
def test_series_that_fits_none_or_both(two_series: tuple[Path, list[str]], wanted: str, fits: str) -> None:
    message = refusal(OptionError, two_series[0], series=wanted)
    assert f"fits {fits} of" in message
    assert all(uid in message for uid in two_series[1])


def test_broken_file_of_another_series_does_not_matter(two_series: tuple[Path, list[str]]) -> None:
    folder, _ = two_series
    broken = folder / "12" / "IM003"
    broken.write_bytes(broken.read_bytes()[:-20])
    assert dicom.read(folder, series="4").array.shape[0] == 4
    assert str(broken) in refusal(ImageReadError, folder, series="12")


# -- grids that are refused -------------------------------------------------------------------------


def test_missing_slice(tmp_path: Path) -> None:
    files = phantom.write_series(tmp_path, phantom.grid())
    files[2].unlink()
    message = refusal(GeometryError, tmp_path)
    assert "lacks 1 slice" in message
    assert "IM001 and IM003 are 5 mm, elsewhere 2.5 mm" in message


def test_missing_slice_near_the_end_of_a_long_series(tmp_path: Path) -> None:
    files = phantom.write_series(tmp_path, phantom.grid((4, 4, 200), spacing_xyz_mm=(1.0, 1.0, 1.0)))
    files[198].unlink()
    assert "IM197 and IM199" in refusal(GeometryError, tmp_path)


def test_doubled_slice(tmp_path: Path) -> None:
    def double(made: Dataset, z: int) -> None:
        if z == 3:
            made.ImagePositionPatient[2] = "-99"

    phantom.write_series(tmp_path, phantom.grid(), edit=double)
    message = refusal(GeometryError, tmp_path)
    assert "IM001" in message
    assert "IM003" in message


def test_copy_of_a_slice(tmp_path: Path) -> None:
    files = phantom.write_series(tmp_path, phantom.grid())
    (tmp_path / "copy").write_bytes(files[2].read_bytes())
    message = refusal(GeometryError, tmp_path)
    assert "IM002" in message
    assert "copies" in message


def test_folder_that_holds_every_slice_twice(tmp_path: Path) -> None:
    for file in phantom.write_series(tmp_path / "a", phantom.grid()):
        (tmp_path / "b").mkdir(exist_ok=True)
        (tmp_path / "b" / file.name).write_bytes(file.read_bytes())
    message = refusal(GeometryError, tmp_path)
    assert "a/IM000 and b/IM000 (5 such pairs)" in message


def test_mixed_spacing(tmp_path: Path) -> None:
    def widen(made: Dataset, z: int) -> None:
        made.ImagePositionPatient[2] = str(2.5 * z + max(0, z - 3) * 1.0)

    phantom.write_series(tmp_path, phantom.grid(), edit=widen)
    message = refusal(GeometryError, tmp_path)
    assert "irregular" in message
    assert "3.5 mm between IM003 and IM004, usually 2.5 mm" in message


def test_mixed_orientation_names_the_localisers(tmp_path: Path) -> None:
    def localiser(made: Dataset, z: int) -> None:
        if z in (0, 4):
            made.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]

    phantom.write_series(tmp_path, phantom.grid(), edit=localiser)
    message = refusal(GeometryError, tmp_path)
    assert "slice orientations: IM000, IM004 differ from the other 3" in message


def test_mixed_size(tmp_path: Path) -> None:
    def shrink(made: Dataset, z: int) -> None:
        if z == 1:
            phantom.put_pixels(made, np.zeros((3, 4), np.int16))

    phantom.write_series(tmp_path, phantom.grid(), edit=shrink)
    assert "image sizes: IM001 differ" in refusal(GeometryError, tmp_path)


def test_mixed_pixel_spacing(tmp_path: Path) -> None:
    def zoom(made: Dataset, z: int) -> None:
        if z == 2:
            made.PixelSpacing = ["0.5", "0.76"]

    phantom.write_series(tmp_path, phantom.grid(), edit=zoom)
    assert "pixel spacings: IM002 differ" in refusal(GeometryError, tmp_path)


@pytest.mark.parametrize("stated", [None, "-15"])
def test_gantry_tilt(tmp_path: Path, stated: str | None) -> None:
    def shear(made: Dataset, z: int) -> None:
        made.ImagePositionPatient[1] = f"{2.5 * z * np.tan(np.radians(15)):.6f}"
        if stated:
            made.GantryDetectorTilt = stated

    phantom.write_series(tmp_path, phantom.grid(), edit=shear)
    message = refusal(GeometryError, tmp_path)
    assert "sheared" in message
    assert "15 degrees" in message
    assert "IM000 to IM004" in message
    assert ("GantryDetectorTilt -15" in message) == (stated is not None)


def test_stated_tilt_without_shear_passes(tmp_path: Path) -> None:
    def state(made: Dataset, z: int) -> None:
        made.GantryDetectorTilt = "-15"

    geometry = phantom.grid(direction=phantom.oblique(np.radians(15), 0))
    phantom.write_series(tmp_path, geometry, edit=state)
    assert_is(dicom.read(tmp_path), geometry, phantom.voxels(geometry))


def test_slice_that_lies_aside(tmp_path: Path) -> None:
    def move(made: Dataset, z: int) -> None:
        if z == 2:
            made.ImagePositionPatient[0] = "3"

    phantom.write_series(tmp_path, phantom.grid(), edit=move)
    assert "IM002 is 15.5 mm aside" in refusal(GeometryError, tmp_path)


@pytest.mark.parametrize("keyword", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_slice_without_place(tmp_path: Path, keyword: str) -> None:
    def drop(made: Dataset, z: int) -> None:
        if z == 3:
            del made[keyword]

    phantom.write_series(tmp_path, phantom.grid(), edit=drop)
    message = refusal(GeometryError, tmp_path)
    assert keyword in message
    assert "IM003" in message


def test_series_without_places(tmp_path: Path) -> None:
    def drop(made: Dataset, z: int) -> None:
        del made.ImagePositionPatient

    phantom.write_series(tmp_path, phantom.grid(), edit=drop)
    assert "IM000, IM001, IM002 and 2 more" in refusal(GeometryError, tmp_path)


def test_orientation_that_is_none(tmp_path: Path) -> None:
    def skew(made: Dataset, z: int) -> None:
        made.ImageOrientationPatient = [1, 0, 0, 0.5, 1, 0]

    phantom.write_series(tmp_path, phantom.grid(), edit=skew)
    assert "perpendicular" in refusal(GeometryError, tmp_path)


# -- files that are refused -------------------------------------------------------------------------


def test_truncation_anywhere_is_named(tmp_path: Path) -> None:
    files = phantom.write_series(tmp_path, phantom.grid())
    whole = files[4].read_bytes()  # the last one: without it there would be no gap
    for length in range(132, len(whole), 5):
        files[4].write_bytes(whole[:length])
        message = refusal(ImageReadError, tmp_path)
        assert str(files[4]) in message, (length, message)


@pytest.mark.parametrize("syntax", [RLELossless, DeflatedExplicitVRLittleEndian])
def test_truncated_compressed_file(tmp_path: Path, syntax: Any) -> None:
    made = phantom.dataset(np.arange(4096, dtype=np.int16).reshape(64, 64), "CT")
    if syntax.is_encapsulated:
        made.compress(syntax)
    else:
        made.file_meta.TransferSyntaxUID = syntax
    path = phantom.save(made, tmp_path / "cut.dcm")
    path.write_bytes(path.read_bytes()[:-900])
    assert str(path) in refusal(ImageReadError, path)


def test_noise_never_ends_in_a_traceback(tmp_path: Path) -> None:
    files = phantom.write_series(tmp_path, phantom.grid((3, 3, 1)))
    whole = np.frombuffer(files[0].read_bytes(), np.uint8)
    generator = np.random.default_rng(7)
    messages = []
    for _ in range(150):
        noisy = whole.copy()
        at = generator.integers(132, len(noisy), 3)
        noisy[at] = generator.integers(0, 256, 3)
        files[0].write_bytes(noisy.tobytes())
        try:
            dicom.read(files[0])
        except AnytomyError as error:
            messages.append(str(error))
    assert messages
    assert not any("\n" in message for message in messages)


def test_without_pixels(tmp_path: Path) -> None:
    def drop(made: Dataset, z: int) -> None:
        if z == 1:
            del made.PixelData

    files = phantom.write_series(tmp_path, phantom.grid(), edit=drop)
    assert f"{files[1]} has no pixel data" in refusal(ImageReadError, tmp_path)


def test_files_that_are_none(tmp_path: Path) -> None:
    assert "does not exist" in refusal(ImageReadError, tmp_path / "absent")
    assert "no DICOM image" in refusal(ImageReadError, tmp_path)
    (tmp_path / "empty.dcm").touch()
    assert "empty.dcm is empty" in refusal(ImageReadError, tmp_path)
    (tmp_path / "empty.dcm").write_text("hello" * 100)
    assert "not a DICOM file" in refusal(ImageReadError, tmp_path)


def test_header_that_claims_too_much(tmp_path: Path) -> None:
    made = phantom.dataset(np.zeros((4, 4), np.int16), "CT")
    made.Rows = made.Columns = 65535
    made.NumberOfFrames = 999999
    assert "truncated or corrupt" in refusal(ImageReadError, phantom.save(made, tmp_path / "x.dcm"))


def test_compressed_header_that_claims_too_much(tmp_path: Path) -> None:
    made = phantom.dataset(np.zeros((4, 4), np.uint8), "US")
    made.compress(RLELossless)
    made.NumberOfFrames = 2_000_000_000
    assert "truncated or corrupt" in refusal(ImageReadError, phantom.save(made, tmp_path / "x.dcm"), time=0)


def test_missing_decoder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = phantom.dataset(np.zeros((16, 16), np.uint8), "US")
    made.compress(RLELossless)
    made.file_meta.TransferSyntaxUID = JPEGLSLossless
    path = phantom.save(made, tmp_path / "x.dcm")
    monkeypatch.setattr("pydicom.pixels.decoders.base.Decoder.is_available", False)
    message = refusal(MissingDependencyError, path)
    assert "JPEG-LS Lossless" in message
    assert 'pip install "pylibjpeg[libjpeg]"' in message


def test_video_is_named(tmp_path: Path) -> None:
    made = phantom.dataset(np.zeros((16, 16), np.uint8), "US")
    made.compress(RLELossless)
    made.file_meta.TransferSyntaxUID = MPEG2MPML
    assert "MPEG2" in refusal(ImageReadError, phantom.save(made, tmp_path / "x.dcm"))


# -- several volumes at the same place --------------------------------------------------------------


def write_times(folder: Path, put: Any, count: int = 3) -> tuple[Geometry, np.ndarray]:
    """`count` volumes of one series; `put(dataset, time, z)` marks them."""
    geometry = phantom.grid()
    uid = generate_uid()
    array = np.stack([phantom.voxels(geometry) + 1000 * t for t in range(count)])
    for t in range(count):

        def edit(made: Dataset, z: int, t: int = t) -> None:
            made.SeriesInstanceUID = uid
            put(made, t, z)

        # Times alternate in the file names.
        order = [z * count + t for z in range(5)]
        phantom.write_series(folder, geometry, array[t], modality="MR", edit=edit, order=order)
    return geometry, array


def put_temporal(made: Dataset, time: int, z: int) -> None:
    made.TemporalPositionIdentifier = time + 1


def put_echo(made: Dataset, time: int, z: int) -> None:
    made.EchoTime = str(4.5 * (time + 1))


def put_acquisition(made: Dataset, time: int, z: int) -> None:
    made.AcquisitionNumber = time + 1


def put_slicewise_time(made: Dataset, time: int, z: int) -> None:
    """Interleaved acquisition: each slice has its own time."""
    made.AcquisitionTime = f"1015{10 + 6 * time + (z * 2) % 5:02}.5"


def put_diffusion(made: Dataset, time: int, z: int) -> None:
    made.DiffusionBValue = float([0, 1000, 1000][time])
    made.DiffusionGradientOrientation = [float(time == 1), float(time == 2), 0.0]


@pytest.mark.parametrize("put", [put_temporal, put_echo, put_acquisition, put_slicewise_time, put_diffusion])
def test_volumes_at_the_same_place(tmp_path: Path, put: Any) -> None:
    geometry, array = write_times(tmp_path, put)
    message = refusal(ImageReadError, tmp_path)
    assert "3 volumes" in message
    assert "--time 0 to 2" in message
    read = [dicom.read(tmp_path, time=t) for t in range(3)]
    for image in read:
        assert image.geometry.is_close(geometry)
    expected = {volume.tobytes() for volume in array}
    assert {image.array.tobytes() for image in read} == expected
    if put is not put_diffusion:
        np.testing.assert_array_equal([image.array for image in read], array)
    for t in (3, -1):
        assert "0 to 2" in refusal(OptionError, tmp_path, time=t)


def test_two_marks_together(tmp_path: Path) -> None:
    def put(made: Dataset, time: int, z: int) -> None:
        made.TemporalPositionIdentifier, made.EchoNumbers = divmod(time, 2)

    _, array = write_times(tmp_path, put, count=4)
    for t in range(4):
        np.testing.assert_array_equal(dicom.read(tmp_path, time=t).array, array[t])


def test_time_with_a_missing_slice_is_refused(tmp_path: Path) -> None:
    write_times(tmp_path, put_temporal)
    (tmp_path / "IM004").unlink()
    assert "same position" in refusal(GeometryError, tmp_path, time=0)


def test_volumes_that_nothing_tells_apart_are_refused(tmp_path: Path) -> None:
    write_times(tmp_path, lambda made, time, z: None)
    assert "IM000 and IM001" in refusal(GeometryError, tmp_path)


def test_marks_that_differ_by_slice_do_not_split_a_volume(tmp_path: Path) -> None:
    geometry = phantom.grid()

    def put(made: Dataset, z: int) -> None:
        made.AcquisitionNumber, made.AcquisitionTime = z, f"1015{z:02}"

    phantom.write_series(tmp_path, geometry, edit=put)
    assert_is(dicom.read(tmp_path), geometry, phantom.voxels(geometry))
    assert_is(dicom.read(tmp_path, time=0), geometry, phantom.voxels(geometry))
    assert "--time 0 " in refusal(OptionError, tmp_path, time=1)


# -- values -----------------------------------------------------------------------------------------


def read_one(tmp_path: Path, pixels: np.ndarray, modality: str = "CT", **tags: Any) -> Image:
    made = phantom.dataset(pixels, modality)
    for keyword, value in tags.items():
        setattr(made, keyword, value)
    return dicom.read(phantom.save(made, tmp_path / "one.dcm"))


@pytest.mark.parametrize(
    ("stored", "kind", "tags", "expected"),
    [
        (np.int16, np.int16, {}, [-30000, 0, 30000]),
        (np.uint16, np.uint16, {}, [0, 1, 65535]),
        (np.uint16, np.int32, {"RescaleIntercept": "-1024", "RescaleSlope": "1"}, [-1024, -1023, 64511]),
        (
            np.uint16,
            np.int16,
            {"RescaleIntercept": "-1024", "BitsStored": 12, "HighBit": 11},
            [-1024, 0, 3071],
        ),
        (np.int16, np.float32, {"RescaleSlope": "0.5", "RescaleIntercept": "1"}, [-14999, 1, 15001]),
        (np.int16, np.float32, {"RescaleIntercept": "0.25"}, [-29999.75, 0.25, 30000.25]),
        (np.uint8, np.uint8, {}, [0, 7, 255]),
    ],
)
def test_rescaling(
    tmp_path: Path, stored: Any, kind: Any, tags: dict[str, Any], expected: list[float]
) -> None:
    values = (np.array(expected) - float(tags.get("RescaleIntercept", 0))) / float(
        tags.get("RescaleSlope", 1)
    )
    image = read_one(tmp_path, values.astype(stored)[None], **tags)
    assert image.array.dtype == kind
    np.testing.assert_array_equal(image.array, [expected])


def test_unused_high_bits_are_ignored(tmp_path: Path) -> None:
    signed = np.array([[-1, -2048, 2047]], np.int16) & 0x0FFF | np.int16(0x3000)
    image = read_one(tmp_path, signed, BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(image.array, [[-1, -2048, 2047]])
    unsigned = np.array([[0xF001, 0x0FFF]], np.uint16)
    image = read_one(tmp_path, unsigned, BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(image.array, [[1, 4095]])


def test_slope_of_each_slice(tmp_path: Path) -> None:
    geometry = phantom.grid()

    def rescale(made: Dataset, z: int) -> None:
        made.RescaleSlope, made.RescaleIntercept = str(1 + z / 4), str(z)

    phantom.write_series(tmp_path, geometry, modality="PT", edit=rescale)
    image = dicom.read(tmp_path)
    z = np.arange(5)[:, None, None]
    assert image.array.dtype == np.float32
    np.testing.assert_array_equal(image.array, phantom.voxels(geometry) * (1 + z / 4) + z)


def test_modality_table(tmp_path: Path) -> None:
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType = [4, 0, 16], "US"
    table.add_new("LUTData", "US", [10, 20, 300, 4000])
    image = read_one(tmp_path, np.array([[0, 1, 2, 3]], np.uint8), "DX", ModalityLUTSequence=Items([table]))
    np.testing.assert_array_equal(image.array, [[10, 20, 300, 4000]])


def test_monochrome1_makes_lungs_dark(tmp_path: Path) -> None:
    # In MONOCHROME1 the largest value is black: lungs, which let the rays through, have large values.
    lung, bone = 4000, 100
    tags = {"PhotometricInterpretation": "MONOCHROME1", "BitsStored": 12, "HighBit": 11}
    pixels = np.array([[lung, bone]], np.uint16)
    radiograph = read_one(tmp_path, pixels, "DX", **tags)
    np.testing.assert_array_equal(radiograph.array, [[95, 3995]])
    quantity = read_one(tmp_path, pixels, "PT", **tags)
    np.testing.assert_array_equal(quantity.array, pixels)


def test_float_pixels(tmp_path: Path) -> None:
    made = phantom.dataset(np.zeros((1, 2), np.uint16), "MR")
    del made.PixelData
    made.BitsAllocated = 32
    made.FloatPixelData = np.array([1.5, -2.25], np.float32).tobytes()
    image = dicom.read(phantom.save(made, tmp_path / "one.dcm"))
    np.testing.assert_array_equal(image.array, np.array([[1.5, -2.25]], np.float32))


# -- pictures ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keyword", ["PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", None]
)
def test_picture_without_place(tmp_path: Path, keyword: str | None) -> None:
    tags = {keyword: ["0.2", "0.3"]} if keyword else {}
    image = read_one(tmp_path, np.arange(6, dtype=np.uint16).reshape(2, 3), "DX", **tags)
    assert not image.is_volume
    assert image.modality == "DX"
    assert image.array.shape == (2, 3)
    assert image.geometry.spacing_xyz_mm == ((0.3, 0.2, 1.0) if keyword else (1.0, 1.0, 1.0))


def test_colour(tmp_path: Path) -> None:
    pixels = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    image = read_one(tmp_path, pixels, "US")
    assert image.is_colour
    assert not image.is_volume
    np.testing.assert_array_equal(image.array, pixels)
    np.testing.assert_array_equal(dicom.read(tmp_path / "one.dcm", channel=1).array, pixels[..., 1])
    assert "0 to 2" in refusal(OptionError, tmp_path / "one.dcm", channel=3)


def test_colour_by_planes_and_ybr(tmp_path: Path) -> None:
    pixels = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    planes = pixels.transpose(2, 0, 1).tobytes()
    image = read_one(tmp_path, pixels, "SC", PlanarConfiguration=1, PixelData=planes)
    np.testing.assert_array_equal(image.array, pixels)
    red = np.array([[[76, 85, 255]]], np.uint8)
    image = read_one(tmp_path, red, "US", PhotometricInterpretation="YBR_FULL")
    np.testing.assert_allclose(image.array, [[[255, 0, 0]]], atol=2)


def test_palette(tmp_path: Path) -> None:
    tags: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for number, colour in enumerate(("Red", "Green", "Blue")):
        tags[f"{colour}PaletteColorLookupTableDescriptor"] = [4, 0, 16]
        entries = np.array([0, 1, 2, 255], np.uint16) * 256 + number * 256 * (np.arange(4) < 3)
        tags[f"{colour}PaletteColorLookupTableData"] = entries.astype(np.uint16).tobytes()
    image = read_one(tmp_path, np.array([[0, 1, 2, 3]], np.uint8), "US", **tags)
    np.testing.assert_array_equal(image.array, [[[0, 1, 2], [1, 2, 3], [2, 3, 4], [255, 255, 255]]])


def test_cine_needs_a_frame(tmp_path: Path) -> None:
    frames = np.arange(4 * 8, dtype=np.uint8).reshape(4, 2, 4)
    path = phantom.save(phantom.dataset(frames, "US"), tmp_path / "cine.dcm")
    message = refusal(ImageReadError, path)
    assert "4 frames" in message
    assert "--time 0 to 3" in message
    image = dicom.read(path, time=2)
    assert not image.is_volume
    np.testing.assert_array_equal(image.array, frames[2])
    assert image.header.slices[0].frame_number == 3
    assert "0 to 3" in refusal(OptionError, path, time=4)


def test_cine_in_colour_and_compressed(tmp_path: Path) -> None:
    frames = np.arange(3 * 16 * 16 * 3, dtype=np.uint32).reshape(3, 16, 16, 3).astype(np.uint8)
    made = phantom.dataset(frames, "US")
    made.compress(RLELossless)
    path = phantom.save(made, tmp_path / "cine.dcm")
    np.testing.assert_array_equal(dicom.read(path, time=1).array, frames[1])


def test_cine_with_a_place(tmp_path: Path) -> None:
    made = phantom.dataset(np.arange(32, dtype=np.uint8).reshape(4, 2, 4), "US")
    made.ImagePositionPatient, made.ImageOrientationPatient = [1, 2, 3], [1, 0, 0, 0, 1, 0]
    made.PixelSpacing = [1, 1]
    path = phantom.save(made, tmp_path / "cine.dcm")
    assert "4 volumes" in refusal(ImageReadError, path)
    image = dicom.read(path, time=3)
    assert image.geometry.origin_lps_mm == (1, 2, 3)
    np.testing.assert_array_equal(image.array, np.arange(24, 32).reshape(1, 2, 4))


def test_pictures_of_one_series_are_not_stacked(tmp_path: Path) -> None:
    uid = generate_uid()
    for i in range(2):
        made = phantom.dataset(np.zeros((2, 3), np.uint8), "US")
        made.SeriesInstanceUID = uid
        phantom.save(made, tmp_path / f"{i}.dcm")
    assert "give one file" in refusal(GeometryError, tmp_path)


# -- enhanced multi-frame ---------------------------------------------------------------------------


@pytest.mark.parametrize("direction", [phantom.AXIAL, phantom.oblique()], ids=["axial", "oblique"])
def test_enhanced(tmp_path: Path, direction: np.ndarray) -> None:
    geometry = phantom.grid(direction=direction)
    array = phantom.voxels(geometry)
    order = [3, 0, 4, 1, 2]
    path = phantom.save(phantom.enhanced(geometry, array, order), tmp_path / "mf.dcm")
    image = dicom.read(path)
    assert image.array.dtype == np.float32
    assert_is(image, geometry, 2.0 * array - 5)
    assert [s.frame_number for s in image.header.slices] == [order.index(z) + 1 for z in range(5)]


def test_enhanced_over_time(tmp_path: Path) -> None:
    geometry = phantom.grid()
    array = phantom.voxels(geometry)
    twice = np.concatenate([array, array + 500])
    doubled = phantom.enhanced(geometry, twice, list(range(10)), modality="MR")
    for i, frame in enumerate(doubled.PerFrameFunctionalGroupsSequence):
        place = [f"{v:.10g}" for v in geometry.to_physical((0, 0, i % 5))]
        frame.PlanePositionSequence[0].ImagePositionPatient = place
        frame.FrameContentSequence[0].TemporalPositionIndex = i // 5 + 1
    path = phantom.save(doubled, tmp_path / "mf.dcm")
    assert "2 volumes" in refusal(ImageReadError, path)
    assert_is(dicom.read(path, time=1), geometry, 2.0 * (array + 500) - 5)


def test_enhanced_with_a_gap(tmp_path: Path) -> None:
    geometry = phantom.grid()
    made = phantom.enhanced(geometry, phantom.voxels(geometry), [0, 1, 3, 4])
    message = refusal(GeometryError, phantom.save(made, tmp_path / "mf.dcm"))
    assert "between mf.dcm frame 2 and mf.dcm frame 3" in message


def test_enhanced_with_too_few_places(tmp_path: Path) -> None:
    geometry = phantom.grid()
    made = phantom.enhanced(geometry, phantom.voxels(geometry), range(5))
    del made.PerFrameFunctionalGroupsSequence[4]
    assert re.search("5 frames, got 4", refusal(ImageReadError, phantom.save(made, tmp_path / "mf.dcm")))


# -- memory and real scans --------------------------------------------------------------------------


def test_memory_is_the_array_and_little_more(tmp_path: Path) -> None:
    geometry = phantom.grid((256, 256, 60))
    phantom.write_series(tmp_path, geometry, np.zeros(geometry.shape_zyx, np.int16))
    dicom.read(next(tmp_path.iterdir()))  # imports
    tracemalloc.start()
    image = dicom.read(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < image.array.nbytes + 10 * image.array[0].nbytes


@pytest.mark.shared
@pytest.mark.parametrize(
    "folder", ["chaos_ct/1/DICOM_anon", "dcmqi_ct_liver/ct-3slice", "dcmqi_ct_liver/24x38x3/image"]
)
def test_real_series_agree_with_itk(shared: Path, folder: str) -> None:
    path = shared / "data" / folder
    assert_agrees_with_itk(dicom.read(path), path)


@pytest.mark.shared
def test_real_multi_frame_equals_its_single_frames(shared: Path) -> None:
    folder = shared / "data" / "dcmqi_ct_liver" / "23x38x3"
    single, multi = dicom.read(folder / "image"), dicom.read(folder / "multiframe")
    assert multi.geometry.is_close(single.geometry)
    np.testing.assert_array_equal(multi.array, single.array)


@pytest.mark.shared
def test_real_segmentation_is_no_image(shared: Path) -> None:
    assert "SEG" in refusal(ImageReadError, shared / "data" / "dcmqi_ct_liver" / "liver.dcm")
