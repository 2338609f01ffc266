"""NRRD and MetaImage: values and grids against SimpleITK and pynrrd, bad files, geometry word for word."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import nrrd
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from anytomy import read
from anytomy.core.errors import GeometryError, ImageReadError, OptionError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.io import itk

if TYPE_CHECKING:
    from pathlib import Path

VALUES = np.arange(24, dtype=np.int16).reshape(4, 3, 2)  # z, y, x
ANGLE = 0.3
TURNED = [np.cos(ANGLE), -np.sin(ANGLE), 0, np.sin(ANGLE), np.cos(ANGLE), 0, 0, 0, -1]
SPACING, ORIGIN = (0.8105470000012345, 1 / 3, 2.5000000000001), (-235.2, 1 / 7, 1e5 / 3)


def save(path: Path, values: Any = VALUES, *, vector: bool = False, compress: bool = False) -> Path:
    image = sitk.GetImageFromArray(values, isVector=vector)
    if image.GetDimension() == 3:
        image.SetSpacing(SPACING)
        image.SetOrigin(ORIGIN)
        image.SetDirection(TURNED)
    sitk.WriteImage(image, str(path), compress)
    return path


def save_nrrd(path: Path, values_xyz: Any, **header: Any) -> Path:
    nrrd.write(str(path), values_xyz, {name.replace("_", " "): value for name, value in header.items()})
    return path


def header_lines(path: Path) -> dict[str, str]:
    text = re.split(rb"\n\n|ElementDataFile", path.read_bytes())[0].decode()
    pairs = (
        re.split(r": | = ", line, maxsplit=1) for line in text.splitlines() if ": " in line or " = " in line
    )
    return {name: value for name, value in pairs if not name.startswith("#")}


@pytest.mark.parametrize("ending", [".nrrd", ".nhdr", ".mha", ".mhd"])
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.float32, np.float64])
def test_stored_values_type_and_grid(tmp_path: Path, ending: str, compress: bool, dtype: Any) -> None:
    path = save(tmp_path / f"a{ending}", VALUES.astype(dtype), compress=compress)
    image = read(path)
    assert image.is_volume
    assert image.array.dtype == dtype
    np.testing.assert_array_equal(image.array, VALUES)
    assert image.geometry.spacing_xyz_mm == pytest.approx(SPACING, rel=1e-14)
    assert image.geometry.origin_lps_mm == ORIGIN
    np.testing.assert_allclose(np.ravel(image.geometry.direction), TURNED, atol=1e-15)


def test_an_nrrd_in_ras_lies_at_the_same_physical_place(tmp_path: Path) -> None:
    path = save_nrrd(
        tmp_path / "a.nrrd",
        VALUES.T,
        space="right-anterior-superior",
        space_directions=np.diag([0.5, 0.6, 0.7]),
        space_origin=[1.0, 2.0, 3.0],
    )
    image = read(path)
    assert image.geometry.orientation == "RAS"
    np.testing.assert_allclose(image.geometry.to_physical((1, 1, 1)), (-1.5, -2.6, 3.7))


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_two_axes_are_an_image_with_its_spacing(tmp_path: Path, ending: str) -> None:
    flat = sitk.GetImageFromArray(VALUES[0])
    flat.SetSpacing((0.3, 0.4))
    sitk.WriteImage(flat, str(tmp_path / f"a{ending}"))
    image = read(tmp_path / f"a{ending}")
    assert not image.is_volume
    np.testing.assert_array_equal(image.array, VALUES[0])
    assert image.geometry.spacing_xyz_mm == pytest.approx((0.3, 0.4, 1.0))
    itk.write(tmp_path / f"out{ending}", image.array.astype(np.uint8), image)
    written = sitk.ReadImage(str(tmp_path / f"out{ending}"))
    assert written.GetSize() == (2, 3)
    assert written.GetSpacing() == pytest.approx((0.3, 0.4))


class TestChannels:
    @pytest.mark.parametrize("ending", [".nrrd", ".mha"])
    def test_three_channels_of_bytes_are_colour(self, tmp_path: Path, ending: str) -> None:
        rgb = np.arange(72, dtype=np.uint8).reshape(4, 3, 2, 3)
        path = save(tmp_path / f"a{ending}", rgb, vector=True)
        image = read(path)
        assert image.is_colour
        np.testing.assert_array_equal(image.array, rgb)
        np.testing.assert_array_equal(read(path, channel=1).array, rgb[..., 1])

    @pytest.mark.parametrize("ending", [".nrrd", ".mha"])
    def test_a_vector_field_is_not_colour(self, tmp_path: Path, ending: str) -> None:
        path = save(tmp_path / f"a{ending}", np.ones((4, 3, 2, 3), np.float32), vector=True)
        with pytest.raises(ImageReadError, match=r"holds 3 volumes.*--channel 0 to 2"):
            read(path)

    @pytest.mark.parametrize("ending", [".nrrd", ".mha"])
    def test_4d_needs_a_choice(self, tmp_path: Path, ending: str) -> None:
        series = np.arange(48, dtype=np.int16).reshape(2, 4, 3, 2)
        path = save(tmp_path / f"a{ending}", series)
        with pytest.raises(ImageReadError, match=r"holds 2 volumes.*--time or --channel 0 to 1"):
            read(path)
        np.testing.assert_array_equal(read(path, time=1).array, series[1])
        for wrong in ({"time": 2}, {"series": "x"}):
            with pytest.raises(OptionError, match=re.escape(str(path))):
                read(path, **wrong)
        np.testing.assert_array_equal(read(save(path, series[:1])).array, series[0])

    @pytest.mark.parametrize("ending", [".nrrd", ".mha"])
    def test_5d_is_refused(self, tmp_path: Path, ending: str) -> None:
        path = save(tmp_path / f"a{ending}", np.zeros((2, 2, 4, 3, 2), np.uint8))
        with pytest.raises(ImageReadError, match="has 5 axes, expected two to four"):
            read(path)

    @pytest.mark.parametrize("first", [True, False])
    def test_three_layers_of_a_list_are_not_colour(self, tmp_path: Path, first: bool) -> None:
        layers = np.arange(72, dtype=np.uint8).reshape(3, 2, 3, 4)
        axes: list[Any] = [[np.nan] * 3, *np.diag([0.5, 0.6, 0.7])]
        kinds = ["list", "domain", "domain", "domain"]
        values = layers if first else np.moveaxis(layers, 0, -1)
        path = save_nrrd(
            tmp_path / "a.nrrd",
            values,
            space="left-posterior-superior",
            kinds=kinds if first else kinds[::-1],
            space_directions=np.array(axes if first else axes[1:] + axes[:1]),
            space_origin=[1.0, 2.0, 3.0],
        )
        with pytest.raises(ImageReadError, match="holds 3 volumes"):
            read(path)
        image = read(path, channel=2)
        np.testing.assert_array_equal(image.array, layers[2].T)
        assert image.geometry.spacing_xyz_mm == pytest.approx((0.5, 0.6, 0.7))
        itk.write(tmp_path / "out.nrrd", image.array, image)
        assert read(tmp_path / "out.nrrd").geometry == image.geometry


class TestBadFiles:
    @pytest.mark.parametrize("ending", [".nrrd", ".mha"])
    @pytest.mark.parametrize("compress", [False, True])
    @pytest.mark.parametrize("kept", [-5, 60])
    def test_truncated(
        self, tmp_path: Path, ending: str, compress: bool, kept: int, capfd: pytest.CaptureFixture[str]
    ) -> None:
        path = save(tmp_path / f"a{ending}", compress=compress)
        content = path.read_bytes()
        path.write_bytes(content[:kept])
        with pytest.raises(ImageReadError, match=rf"a\{ending} is truncated") as caught:
            read(path)
        assert "\n" not in str(caught.value)
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize(("ending", "raw"), [(".nhdr", "a.raw"), (".mhd", "a.raw")])
    def test_missing_voxel_file(
        self, tmp_path: Path, ending: str, raw: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        path = save(tmp_path / f"a{ending}")
        (tmp_path / raw).write_bytes(b"1234")
        with pytest.raises(ImageReadError, match=r"is truncated"):
            read(path)
        (tmp_path / raw).unlink()
        with pytest.raises(ImageReadError, match=r"a\.raw"):
            read(path)
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize(("ending", "key"), [(".nhdr", b"data file: "), (".mhd", b"ElementDataFile = ")])
    @pytest.mark.parametrize("name", [b"../secret", b"/etc/hostname", b"LIST\n/etc/hostname"])
    def test_a_header_cannot_point_elsewhere(
        self, tmp_path: Path, ending: str, key: bytes, name: bytes
    ) -> None:
        path = save(tmp_path / f"a{ending}")
        path.write_bytes(path.read_bytes().replace(key + b"a.raw", key + name))
        with pytest.raises(ImageReadError, match=rf"a\{ending} names a"):
            read(path)

    def test_compressed_as_a_whole(self, tmp_path: Path) -> None:
        import gzip

        path = tmp_path / "a.nrrd.gz"
        path.write_bytes(gzip.compress(save(tmp_path / "a.nrrd").read_bytes()))
        with pytest.raises(ImageReadError, match="unpack it first"):
            read(path)

    def test_sheared(self, tmp_path: Path) -> None:
        axes = np.diag([0.5, 0.6, 0.7])
        axes[0, 1] = 0.2
        path = save_nrrd(
            tmp_path / "a.nrrd", VALUES.T, space="left-posterior-superior", space_directions=axes
        )
        with pytest.raises(GeometryError, match=r"a\.nrrd.*sheared"):
            read(path)

    def test_the_ending_does_not_matter(self, tmp_path: Path) -> None:
        for ending in (".nrrd", ".mha"):
            path = save(tmp_path / f"a{ending}").rename(tmp_path / f"{ending[1:]}.dat")
            np.testing.assert_array_equal(read(path).array, VALUES)


class TestLabels:
    @pytest.mark.parametrize(
        "placing",
        [
            {
                "space": "right-anterior-superior",
                "space directions": "(0.50000000001,0.0,0) (0,0.6000,0) (0,0,-7e-1)",
                "space origin": "(1.10,2,3.333333333333333333)",
                "space units": '"mm" "mm" "mm"',
            },
            {"spacings": "0.30 0.4 0.5", "axis mins": "nan nan nan"},
            {
                "space": "LPS",
                "space directions": "(0.59225181931118165,0.49884682571392741,-0.23953301694909354) "
                "(-0.20382693976285784,0.26082161604527032,0.03921446597306856) "
                "(0.7590929376964457,0.23686266497495764,2.3701632833796151)",
                "space origin": "(-235.19999999999999,0.14285714285714285,33333.333333333336)",
            },
        ],
    )
    def test_lines_that_place_an_nrrd_are_written_word_for_word(
        self, tmp_path: Path, placing: dict[str, str]
    ) -> None:
        lines = ["NRRD0004", "type: int16", "dimension: 3", "sizes: 2 3 4", "endian: little", "encoding: raw"]
        lines += [f"{name}: {text}" for name, text in placing.items()]
        (tmp_path / "a.nrrd").write_bytes("\n".join(lines).encode() + b"\n\n" + VALUES.tobytes())
        image = read(tmp_path / "a.nrrd")
        itk.write(tmp_path / "out.nrrd", (VALUES % 3).astype(np.uint16), image)

        written = header_lines(tmp_path / "out.nrrd")
        assert {name: written.get(name) for name in placing} == placing
        result = sitk.ReadImage(str(tmp_path / "out.nrrd"))
        before = sitk.ReadImage(str(tmp_path / "a.nrrd"))
        for fact in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
            assert getattr(result, fact)() == getattr(before, fact)()
        np.testing.assert_array_equal(sitk.GetArrayFromImage(result), VALUES % 3)
        np.testing.assert_array_equal(nrrd.read(str(tmp_path / "out.nrrd"))[0], (VALUES % 3).T)

    @pytest.mark.parametrize("ending", [".mha", ".mhd"])
    def test_numbers_that_place_a_metaimage_are_the_same(self, tmp_path: Path, ending: str) -> None:
        image = read(save(tmp_path / f"a{ending}"))
        labels = (VALUES % 3).astype(np.uint8)
        if ending == ".mhd":
            assert itk.write_mhd(tmp_path / "out.mhd", labels, image) == [
                tmp_path / "out.mhd",
                tmp_path / "out.zraw",
            ]
        else:
            itk.write(tmp_path / "out.mha", labels, image)
        before, after = header_lines(tmp_path / f"a{ending}"), header_lines(tmp_path / f"out{ending}")
        for name in ("TransformMatrix", "Offset", "ElementSpacing", "CenterOfRotation"):
            assert [float(v) for v in after[name].split()] == [float(v) for v in before[name].split()]
        assert after["AnatomicalOrientation"] == before["AnatomicalOrientation"]
        result = sitk.ReadImage(str(tmp_path / f"out{ending}"))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(result), labels)
        assert result.GetPixelID() == sitk.sitkUInt8

    def test_lines_that_no_longer_fit_are_not_used(self, tmp_path: Path) -> None:
        image = read(save(tmp_path / "a.nrrd"))
        cropped = Image(
            array=image.array[1:],
            geometry=image.geometry.crop((0, 0, 1), image.geometry.size_xyz),
            is_volume=True,
            format=image.format,
            header=image.header,
        )
        itk.write(tmp_path / "out.nrrd", cropped.array.astype(np.uint8), cropped)
        assert read(tmp_path / "out.nrrd").geometry.is_close(cropped.geometry)

    @pytest.mark.parametrize("ending", [".nrrd", ".mha"])
    def test_a_picture_with_a_place_keeps_it_in_three_axes(self, tmp_path: Path, ending: str) -> None:
        geometry = Geometry((2, 3, 1), (0.5, 0.6, 4.0), (1.0, 2.0, 3.0), ((0, 0, 1), (1, 0, 0), (0, -1, 0)))
        image = Image(array=VALUES[0], geometry=geometry, is_volume=False, format="dicom")
        itk.write(tmp_path / f"out{ending}", VALUES[0].astype(np.uint8), image)
        written = read(tmp_path / f"out{ending}")
        assert written.array.shape == (1, 3, 2)
        assert written.geometry.is_close(geometry, rtol=1e-14)


@pytest.mark.parametrize("size", ["0", "nan", "inf"])
class TestVoxelSizes:
    """A size that is none is an error, not 1 mm."""

    def test_nrrd(self, tmp_path: Path, size: str) -> None:
        for place in (
            f"spacings: 1 1 {size}",
            f"space dimension: 3\nspace directions: (1,0,0) (0,1,0) (0,0,{size})",
        ):
            head = f"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 8 7 6\nencoding: raw\n{place}\n\n"
            (tmp_path / "a.nrrd").write_bytes(head.encode() + bytes(8 * 7 * 6))
            with pytest.raises(GeometryError, match=r"a\.nrrd says that voxels measure .* along axis 2"):
                read(tmp_path / "a.nrrd")

    def test_meta_image(self, tmp_path: Path, size: str) -> None:
        head = f"NDims = 3\nDimSize = 8 7 6\nElementSpacing = 1 1 {size}\nElementType = MET_UCHAR\n"
        (tmp_path / "a.mha").write_bytes(
            f"ObjectType = Image\n{head}ElementDataFile = LOCAL\n".encode() + bytes(336)
        )
        with pytest.raises(GeometryError, match=rf"a\.mha says that voxels are {size} mm wide"):
            read(tmp_path / "a.mha")
