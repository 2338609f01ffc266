"""NIfTI: values, grids and headers against nibabel, bad files, and headers unchanged to the byte."""

from __future__ import annotations

import gzip
import struct
import warnings
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np
import pytest

from anytomy import read
from anytomy.core.errors import AnytomyWarning, GeometryError, ImageReadError, OptionError
from anytomy.core.image import Image
from anytomy.io import nifti

if TYPE_CHECKING:
    from pathlib import Path

VALUES = np.arange(2 * 3 * 4).reshape(2, 3, 4)  # x, y, z
OBLIQUE = np.array(
    [[0.7, -0.2, 0.0, -50.5], [0.2, 0.7, 0.0, 33.3], [0.0, 0.0, -2.5, 1000.25], [0.0, 0.0, 0.0, 1.0]]
)


def save(
    path: Path, values: Any, affine: Any = OBLIQUE, kind: Any = nibabel.Nifti1Image, **codes: int
) -> Path:
    image = kind(values, affine)
    for name, code in codes.items():
        getattr(image, f"set_{name}")(affine, code)
    nibabel.save(image, path)
    return path


def edit(path: Path, **fields: Any) -> Path:
    """Change header fields of an uncompressed NIfTI-1 file."""
    block = path.read_bytes()
    header = nibabel.Nifti1Header(block[:348], check=False)
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(header.binaryblock + block[348:])
    return path


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".img"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_stored_values_and_type_come_back_as_z_y_x(tmp_path: Path, ending: str, kind: Any) -> None:
    if ending == ".img":
        kind = {nibabel.Nifti1Image: nibabel.Nifti1Pair, nibabel.Nifti2Image: nibabel.Nifti2Pair}[kind]
    path = save(tmp_path / f"a{ending}", VALUES.astype(np.int16), kind=kind)
    image = read(path)
    assert image.is_volume
    assert image.array.dtype == np.int16
    np.testing.assert_array_equal(image.array, VALUES.T)
    np.testing.assert_allclose(image.geometry.affine_ras, OBLIQUE, rtol=1e-6, atol=1e-6)
    assert (image.path, image.format) == (path, "nifti")


def test_either_file_of_a_pair_may_be_named(tmp_path: Path) -> None:
    save(tmp_path / "a.img", VALUES.astype(np.int16), kind=nibabel.Nifti1Pair)
    np.testing.assert_array_equal(read(tmp_path / "a.hdr").array, read(tmp_path / "a.img").array)
    (tmp_path / "a.img").unlink()
    with pytest.raises(ImageReadError, match=r"a\.hdr is a header without voxels"):
        read(tmp_path / "a.hdr")


@pytest.mark.parametrize(
    ("stored", "expected"),
    [(np.int16, np.float32), (np.uint8, np.float32), (np.float32, np.float32), (np.float64, np.float64)],
)
def test_scaling_is_applied_in_floating_point(tmp_path: Path, stored: Any, expected: Any) -> None:
    path = edit(save(tmp_path / "a.nii", VALUES.astype(stored)), scl_slope=0.5, scl_inter=-1024)
    image = read(path)
    assert image.array.dtype == expected
    np.testing.assert_array_equal(image.array, VALUES.T * 0.5 - 1024)


@pytest.mark.parametrize("slope", [0.0, np.nan, 1.0])
def test_no_scaling_keeps_the_stored_type(tmp_path: Path, slope: float) -> None:
    path = edit(save(tmp_path / "a.nii", VALUES.astype(np.int16)), scl_slope=slope, scl_inter=0)
    assert read(path).array.dtype == np.int16


def test_big_endian_values_are_turned(tmp_path: Path) -> None:
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    nibabel.save(nibabel.Nifti1Image(VALUES.astype(">i2"), OBLIQUE, header), tmp_path / "a.nii")
    assert (tmp_path / "a.nii").read_bytes()[:4] == struct.pack(">i", 348)
    image = read(tmp_path / "a.nii")
    assert image.array.dtype == np.int16
    np.testing.assert_array_equal(image.array, VALUES.T)


def test_the_ending_does_not_matter(tmp_path: Path) -> None:
    save(tmp_path / "a.nii.gz", VALUES.astype(np.int16))
    packed = (tmp_path / "a.nii.gz").rename(tmp_path / "really_gzip.nii")
    plain = tmp_path / "plain.dat"
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    for path in (packed, plain):
        np.testing.assert_array_equal(read(path).array, VALUES.T)


class TestGrid:
    def test_sform_goes_before_qform_and_that_before_voxel_sizes(self, tmp_path: Path) -> None:
        other = np.diag([1.0, 2.0, 3.0, 1.0])
        image = nibabel.Nifti1Image(VALUES.astype(np.uint8), None)
        for s_code, q_code in ((2, 1), (0, 1), (0, 0)):
            image.set_sform(OBLIQUE, s_code)
            image.set_qform(other, q_code)
            nibabel.save(image, tmp_path / "a.nii")
            expected = nibabel.load(tmp_path / "a.nii").affine
            np.testing.assert_allclose(read(tmp_path / "a.nii").geometry.affine_ras, expected, rtol=1e-6)

    @pytest.mark.parametrize(("unit", "factor"), [("mm", 1), ("meter", 1000), ("micron", 0.001)])
    def test_spacing_is_in_mm_whatever_the_unit(self, tmp_path: Path, unit: str, factor: float) -> None:
        image = nibabel.Nifti1Image(VALUES.astype(np.uint8), np.diag([2.0, 3.0, 4.0, 1.0]))
        image.header.set_xyzt_units(unit)
        nibabel.save(image, tmp_path / "a.nii")
        assert read(tmp_path / "a.nii").geometry.spacing_xyz_mm == pytest.approx(
            (2 * factor, 3 * factor, 4 * factor)
        )

    def test_shear_is_refused_with_the_name_of_the_file(self, tmp_path: Path) -> None:
        sheared = np.diag([1.0, 1.0, 1.0, 1.0])
        sheared[0, 1] = 0.2
        image = nibabel.Nifti1Image(VALUES.astype(np.uint8), None)
        image.set_sform(sheared, 1)
        nibabel.save(image, tmp_path / "a.nii")
        with pytest.raises(GeometryError, match=r"a\.nii.*sheared.*resample"):
            read(tmp_path / "a.nii")

    def test_a_repair_is_said_aloud(self, tmp_path: Path) -> None:
        path = edit(save(tmp_path / "a.nii", VALUES.astype(np.uint8)), pixdim=[1, 0, 1, 1, 0, 0, 0, 0])
        with pytest.warns(AnytomyWarning, match=r"a\.nii: pixdim"):
            read(path)


class TestAxes:
    @pytest.mark.parametrize("shape", [(4, 3), (4, 3, 1), (4, 3, 1, 1), (4, 3, 1, 1, 1)])
    def test_one_slice_is_a_volume(self, tmp_path: Path, shape: tuple[int, ...]) -> None:
        image = read(save(tmp_path / "a.nii.gz", np.arange(12, dtype=np.uint8).reshape(shape)))
        assert image.is_volume
        np.testing.assert_array_equal(image.array[0], np.arange(12).reshape(4, 3).T)

    @pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3, 4, 1, 5)])
    def test_4d_needs_a_choice(self, tmp_path: Path, shape: tuple[int, ...]) -> None:
        series = np.arange(120, dtype=np.int16).reshape(shape)
        path = save(tmp_path / "a.nii.gz", series)
        with pytest.raises(ImageReadError, match=r"a\.nii\.gz holds 5 volumes.*--time or --channel 0 to 4"):
            read(path)
        for frame in range(5):
            expected = series.reshape(2, 3, 4, 5)[..., frame].T
            np.testing.assert_array_equal(read(path, time=frame).array, expected)
            np.testing.assert_array_equal(read(path, channel=frame).array, expected)
        for wrong in ({"time": 5}, {"channel": -1}, {"time": 0, "channel": 0}, {"series": "1"}):
            with pytest.raises(OptionError, match=r"a\.nii\.gz"):
                read(path, **wrong)

    def test_a_volume_has_one_time_point(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.nii", VALUES.astype(np.uint8))
        np.testing.assert_array_equal(read(path, time=0).array, VALUES.T)
        with pytest.raises(OptionError, match=r"a\.nii"):
            read(path, time=1)

    @pytest.mark.parametrize("shape", [(24,), (2, 3, 2, 2, 2)])
    def test_other_numbers_of_axes_are_refused(self, tmp_path: Path, shape: tuple[int, ...]) -> None:
        path = save(tmp_path / "a.nii", np.zeros(shape, np.uint8))
        with pytest.raises(ImageReadError, match=r"a\.nii has \d axes.*expected two to four"):
            read(path)

    @pytest.mark.parametrize("channels", [3, 4])
    def test_colour(self, tmp_path: Path, channels: int) -> None:
        rgb = np.arange(24 * channels, dtype=np.uint8).reshape(2, 3, 4, channels)
        voxel = np.dtype([(name, np.uint8) for name in "RGBA"[:channels]])
        save(tmp_path / "a.nii", rgb.view(voxel)[..., 0])
        image = read(tmp_path / "a.nii")
        assert image.is_colour
        np.testing.assert_array_equal(image.array, rgb.transpose(2, 1, 0, 3)[..., :3])


class TestBadFiles:
    @pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
    @pytest.mark.parametrize("part", [0.3, 0.9])
    def test_truncated(self, tmp_path: Path, ending: str, part: float) -> None:
        noise = np.random.default_rng(0).integers(0, 4000, (20, 20, 20)).astype(np.int16)
        path = save(tmp_path / f"a{ending}", noise)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
        with pytest.raises(ImageReadError, match=r"a\.nii.* is truncated: expected 16000 bytes") as caught:
            read(path)
        assert "\n" not in str(caught.value)

    def test_header_cut_off(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.nii.gz", VALUES.astype(np.int16))
        path.write_bytes(path.read_bytes()[:40])
        with pytest.raises(ImageReadError, match=r"a\.nii\.gz is not a NIfTI file.*truncated"):
            read(path)

    def test_damage_inside_is_noticed(self, tmp_path: Path) -> None:
        noise = np.random.default_rng(0).integers(0, 255, (20, 20, 20)).astype(np.uint8)
        content = bytearray(gzip.compress(save(tmp_path / "a.nii", noise).read_bytes(), compresslevel=0))
        content[len(content) // 2] ^= 0xFF
        (tmp_path / "b.nii.gz").write_bytes(content)
        with pytest.raises(ImageReadError, match=r"b\.nii\.gz cannot be read: CRC"):
            read(tmp_path / "b.nii.gz")

    def test_complex(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.nii", VALUES.astype(np.complex64))
        with pytest.raises(ImageReadError, match=r"a\.nii has values of type complex64"):
            read(path)

    def test_unknown_type(self, tmp_path: Path) -> None:
        path = edit(save(tmp_path / "a.nii", VALUES.astype(np.int16)), datatype=77)
        with pytest.raises(ImageReadError, match=r"a\.nii"):
            read(path)

    def test_nothing_finite(self, tmp_path: Path) -> None:
        with pytest.raises(ImageReadError, match=r"a\.nii holds no finite value"):
            read(save(tmp_path / "a.nii", np.full((2, 3, 4), np.nan, np.float32)))

    def test_some_not_finite(self, tmp_path: Path) -> None:
        values = VALUES.astype(np.float32)
        values[0, 0, 0], values[1, 1, 1] = np.nan, np.inf
        with pytest.warns(AnytomyWarning, match=r"a\.nii: 2 of 24 values are NaN or infinite"):
            read(save(tmp_path / "a.nii", values))


class TestLabels:
    """The header of the image is written again; only what describes the values may change."""

    PLACING = ("dim_info", "pixdim", "qform_code", "sform_code", "xyzt_units", "srow_x", "srow_y", "srow_z")
    QUATERNION = ("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z")

    def labels(self, image: Image, dtype: Any = np.uint8) -> Any:
        return (np.arange(image.array.size).reshape(image.array.shape) % 3).astype(dtype)

    def raw_header(self, path: Path) -> Any:
        block = path.read_bytes()
        block = gzip.decompress(block) if block[:2] == b"\x1f\x8b" else block
        kind = nibabel.Nifti2Header if b"n+2" in block[:8] or b"ni2" in block[:8] else nibabel.Nifti1Header
        return kind(block[: kind.sizeof_hdr], check=False)

    @pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image, nibabel.Nifti1Pair])
    @pytest.mark.parametrize("endianness", ["<", ">"])
    @pytest.mark.parametrize("out", [".nii", ".nii.gz"])
    @pytest.mark.parametrize(("s_code", "q_code"), [(1, 0), (0, 3), (2, 4), (0, 0)])
    def test_placing_fields_are_unchanged_to_the_byte(
        self, tmp_path: Path, kind: Any, endianness: str, out: str, s_code: int, q_code: int
    ) -> None:
        header = kind.header_class(endianness=endianness)
        image = kind(VALUES.astype(np.int16), None, header)
        image.set_sform(OBLIQUE, s_code)
        image.set_qform(np.diag([0.1, 0.2, 0.3, 1.0]), q_code)
        image.header["pixdim"][0] = -1
        image.header["pixdim"][4:] = 2.5, 7, 8, 9
        image.header.set_xyzt_units("mm", "sec")
        image.header["descrip"] = b"from a scanner"
        source = tmp_path / ("in.img" if kind is nibabel.Nifti1Pair else "in.nii")
        nibabel.save(image, source)
        loaded = read(source)
        labels = self.labels(loaded, np.uint16)
        nifti.write(tmp_path / f"out{out}", labels, loaded)

        before = self.raw_header(source.with_suffix(".hdr") if source.suffix == ".img" else source)
        after = self.raw_header(tmp_path / f"out{out}")
        assert after.sizeof_hdr == before.sizeof_hdr
        for field in (*self.PLACING, *self.QUATERNION, "descrip"):
            assert after[field].tobytes() == before[field].tobytes(), field
        written = nibabel.load(tmp_path / f"out{out}")
        np.testing.assert_array_equal(written.affine, nibabel.load(source).affine)
        np.testing.assert_array_equal(np.asarray(written.dataobj), labels.T)
        assert written.get_data_dtype().newbyteorder("=") == np.uint16
        assert written.header.get_slope_inter() in ((1.0, 0.0), (None, None))

    def test_even_a_broken_qfac_is_left_alone(self, tmp_path: Path) -> None:
        source = edit(save(tmp_path / "a.nii", VALUES.astype(np.int16)), pixdim=[0, 1, 2, 3, 0, 0, 0, 0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AnytomyWarning)
            image = read(source)
        nifti.write(tmp_path / "out.nii", self.labels(image), image)
        assert self.raw_header(tmp_path / "out.nii")["pixdim"][0] == 0

    @pytest.mark.parametrize(("shape", "dims"), [((4, 3), 2), ((4, 3, 1), 3), ((4, 3, 2, 5), 3)])
    def test_number_of_axes(self, tmp_path: Path, shape: tuple[int, ...], dims: int) -> None:
        save(tmp_path / "a.nii", np.zeros(shape, np.int16))
        image = read(tmp_path / "a.nii", time=0)
        nifti.write(tmp_path / "out.nii", self.labels(image), image)
        assert nibabel.load(tmp_path / "out.nii").shape == shape[:dims]

    def test_scaled_input_gives_plain_labels(self, tmp_path: Path) -> None:
        path = edit(save(tmp_path / "a.nii", VALUES.astype(np.int16)), scl_slope=2.0, scl_inter=-1024)
        image = read(path)
        labels = self.labels(image)
        nifti.write(tmp_path / "out.nii.gz", labels, image)
        np.testing.assert_array_equal(nibabel.load(tmp_path / "out.nii.gz").get_fdata(), labels.T)

    def test_the_same_labels_give_the_same_bytes(self, tmp_path: Path) -> None:
        image = read(save(tmp_path / "a.nii", VALUES.astype(np.int16)))
        for name in ("b.nii.gz", "c.nii.gz"):
            nifti.write(tmp_path / name, self.labels(image), image)
        assert (tmp_path / "b.nii.gz").read_bytes() == (tmp_path / "c.nii.gz").read_bytes()

    def test_a_header_that_no_longer_fits_is_not_used(self, tmp_path: Path) -> None:
        image = read(save(tmp_path / "a.nii", VALUES.astype(np.int16)))
        cropped = Image(
            array=image.array[1:],
            geometry=image.geometry.crop((0, 0, 1), image.geometry.size_xyz),
            is_volume=True,
            format=image.format,
            header=image.header,
        )
        nifti.write(tmp_path / "out.nii", self.labels(cropped), cropped)
        assert read(tmp_path / "out.nii").geometry.is_close(cropped.geometry)

    def test_a_picture_wider_than_nifti_1_counts(self, tmp_path: Path) -> None:
        image = Image.from_array(np.zeros((2, 40000), np.uint8))
        nifti.write(tmp_path / "a.nii", image.array, image)
        assert nibabel.load(tmp_path / "a.nii").shape == (40000, 2, 1)
