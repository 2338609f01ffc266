"""TIFF: axes, spacing and values as ImageJ, OME and plain writers leave them."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from anytomy.core.errors import ImageReadError, OptionError, OutputError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.io import tiff

RANDOM = np.random.default_rng(0)
STACK = RANDOM.integers(0, 4000, (5, 12, 16)).astype(np.uint16)
FLAT = STACK[0]


def save(path, values, **options):
    tifffile.imwrite(path, values, **({"photometric": "minisblack"} | options))
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.int16, np.float32, np.float64])
def test_values_and_type_are_kept(tmp_path, dtype):
    values = FLAT.astype(dtype)
    path = save(tmp_path / "a.tif", values)
    image = tiff.read(path)
    np.testing.assert_array_equal(image.array, values)
    assert image.array.dtype == dtype
    assert (image.is_volume, image.format) == (False, "tiff")
    assert tiff.matches(path, path.read_bytes()[:16])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"metadata": None},
        {"metadata": None, "compression": "zlib"},
        {"imagej": True, "metadata": {"axes": "ZYX"}},
        {"ome": True, "metadata": {"axes": "ZYX"}},
        {"bigtiff": True},
        {"byteorder": ">"},
        {"tile": (16, 16), "metadata": {"axes": "ZYX"}},
    ],
)
def test_a_pile_of_pages_is_a_volume(tmp_path, options):
    image = tiff.read(save(tmp_path / "a.tif", STACK, **options))
    assert image.is_volume
    np.testing.assert_array_equal(image.array, STACK)
    assert image.geometry.size_xyz == (16, 12, 5)


@pytest.mark.parametrize("kind", ["imagej", "ome"])
def test_time_and_channel_are_chosen(tmp_path, kind):
    values = RANDOM.integers(0, 999, (3, 5, 2, 12, 16)).astype(np.uint16)
    path = save(tmp_path / "a.tif", values, **{kind: True}, metadata={"axes": "TZCYX"})
    with pytest.raises(ImageReadError, match=r"3 time points.*--time 0 to 2"):
        tiff.read(path)
    with pytest.raises(ImageReadError, match=r"2 channels.*--channel 0 to 1"):
        tiff.read(path, time=0)
    np.testing.assert_array_equal(tiff.read(path, time=2, channel=1).array, values[2, :, 1])
    with pytest.raises(OptionError, match="--time 3"):
        tiff.read(path, time=3, channel=0)


def test_time_series_and_channels_of_flat_pictures(tmp_path):
    path = save(tmp_path / "t.tif", STACK, imagej=True, metadata={"axes": "TYX"})
    assert not tiff.read(path, time=3).is_volume
    np.testing.assert_array_equal(tiff.read(path, time=3).array, STACK[3])
    path = save(tmp_path / "c.tif", STACK, imagej=True, metadata={"axes": "CYX"})
    np.testing.assert_array_equal(tiff.read(path, channel=4).array, STACK[4])


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colour_in_both_layouts(tmp_path, planar, dtype):
    values = RANDOM.integers(0, 255, (12, 16, 3)).astype(dtype)
    stored = values if planar == "contig" else np.moveaxis(values, -1, 0)
    path = save(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar)
    image = tiff.read(path)
    np.testing.assert_array_equal(image.array, values)
    assert image.is_colour
    assert image.array.dtype == dtype
    np.testing.assert_array_equal(tiff.read(path, channel=2).array, values[..., 2])


def test_alpha_is_dropped(tmp_path):
    values = RANDOM.integers(1, 255, (12, 16, 4)).astype(np.uint8)
    values[3, 3, 3] = 0
    path = save(tmp_path / "a.tif", values, photometric="rgb", extrasamples=["unassalpha"])
    expected = values[..., :3].copy()
    expected[3, 3] = 0
    np.testing.assert_array_equal(tiff.read(path).array, expected)


def test_samples_beyond_colour_are_channels(tmp_path):
    values = RANDOM.integers(1, 255, (12, 16, 5)).astype(np.uint8)
    path = save(tmp_path / "a.tif", values, planarconfig="contig", metadata={"axes": "YXS"})
    np.testing.assert_array_equal(tiff.read(path, channel=4).array, values[..., 4])


def test_colour_volume(tmp_path):
    values = RANDOM.integers(0, 255, (4, 12, 16, 3)).astype(np.uint8)
    image = tiff.read(save(tmp_path / "a.tif", values, photometric="rgb"))
    assert image.is_volume
    assert image.is_colour
    np.testing.assert_array_equal(image.array, values)


def test_white_is_high_also_where_it_is_stored_as_0(tmp_path):
    values = FLAT.astype(np.uint8)
    path = save(tmp_path / "a.tif", values, photometric="miniswhite")
    np.testing.assert_array_equal(tiff.read(path).array, 255 - values)
    np.testing.assert_array_equal(tiff.read(path, labels=True).array, values)


def test_1_bit(tmp_path):
    path = save(tmp_path / "a.tif", FLAT > 2000)
    np.testing.assert_array_equal(tiff.read(path).array, np.where(FLAT > 2000, 255, 0))
    np.testing.assert_array_equal(tiff.read(path, labels=True).array, FLAT > 2000)


def test_palette(tmp_path):
    index = RANDOM.integers(0, 3, (12, 16)).astype(np.uint8)
    table = np.zeros((3, 256), np.uint16)
    table[0, 1], table[2, 2] = 65535, 65535
    path = save(tmp_path / "a.tif", index, photometric="palette", colormap=table)
    np.testing.assert_array_equal(tiff.read(path).array, (table.T >> 8)[index])
    np.testing.assert_array_equal(tiff.read(path, labels=True).array, index)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("values", [FLAT, FLAT.astype(np.uint8)])
def test_compressions_that_other_programs_write(tmp_path, compression, values):
    path = tmp_path / "a.tif"
    Pillow.fromarray(values).save(path, compression=compression)
    np.testing.assert_array_equal(tiff.read(path).array, values)


def test_lzw_stack(tmp_path):
    pages = [Pillow.fromarray(page) for page in STACK]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:], compression="tiff_lzw")
    image = tiff.read(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.array, STACK)


def test_full_level_of_a_pyramid(tmp_path):
    values = RANDOM.integers(0, 255, (64, 64)).astype(np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as writer:
        writer.write(values, subifds=1, tile=(32, 32), photometric="minisblack", metadata={"axes": "YX"})
        writer.write(values[::2, ::2], subfiletype=1, tile=(32, 32), photometric="minisblack")
    np.testing.assert_array_equal(tiff.read(tmp_path / "a.ome.tif").array, values)


def test_several_images_are_never_picked_silently(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(STACK, photometric="minisblack")
        writer.write(FLAT[:6, :6], photometric="minisblack")
    with pytest.raises(ImageReadError, match=r"2 images.*--series 0 to 1"):
        tiff.read(tmp_path / "a.tif")
    np.testing.assert_array_equal(tiff.read(tmp_path / "a.tif", series="1").array, FLAT[:6, :6])
    with pytest.raises(OptionError, match="--series 7"):
        tiff.read(tmp_path / "a.tif", series=7)


def test_a_thumbnail_needs_no_choice(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(FLAT, photometric="minisblack", metadata=None)
        writer.write(FLAT[::4, ::4], subfiletype=1, photometric="minisblack", metadata=None)
    np.testing.assert_array_equal(tiff.read(tmp_path / "a.tif").array, FLAT)


# -- spacing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "mm"), [("um", 1e-3), ("micron", 1e-3), ("mm", 1.0), ("nm", 1e-6), ("cm", 10), ("inch", 25.4)]
)
def test_imagej_spacing(tmp_path, unit, mm):
    path = save(
        tmp_path / "a.tif",
        STACK,
        imagej=True,
        resolution=(2.0, 4.0),
        metadata={"axes": "ZYX", "spacing": 3.5, "unit": unit},
    )
    np.testing.assert_allclose(
        tiff.read(path).geometry.spacing_xyz_mm, np.array([0.5, 0.25, 3.5]) * mm, rtol=1e-9
    )


def test_ome_spacing(tmp_path):
    sizes = {"PhysicalSizeX": 0.3, "PhysicalSizeY": 200, "PhysicalSizeYUnit": "nm", "PhysicalSizeZ": 2}
    path = save(tmp_path / "a.ome.tif", STACK, metadata={"axes": "ZYX", **sizes, "PhysicalSizeZUnit": "mm"})
    np.testing.assert_allclose(tiff.read(path).geometry.spacing_xyz_mm, (0.3e-3, 0.2e-3, 2), rtol=1e-9)


@pytest.mark.parametrize(
    "options",
    [
        {"resolution": (72, 72), "resolutionunit": "inch"},
        {"imagej": True, "resolution": (2, 2), "metadata": {"axes": "ZYX", "unit": "pixel"}},
        {"imagej": True, "resolution": (2, 2), "metadata": {"axes": "ZYX"}},
        {"ome": True, "metadata": {"axes": "ZYX"}},
    ],
)
def test_spacing_is_1_where_no_physical_unit_is_stated(tmp_path, options):
    assert tiff.read(save(tmp_path / "a.tif", STACK, **options)).geometry.spacing_xyz_mm == (1, 1, 1)


@pytest.mark.parametrize("name", ["labels.tif", "labels.ome.tif"])
@pytest.mark.parametrize(
    "spacing", [(0.7265625, 0.8, 5.0), (0.000325, 0.000325, 0.0029), (1 / 3, 2 / 7, 1.0)]
)
def test_label_map_keeps_ids_and_spacing(tmp_path, name, spacing):
    labels = RANDOM.integers(0, 300, (5, 12, 16)).astype(np.uint16)
    image = Image.from_array(labels, geometry=Geometry((16, 12, 5), spacing))
    tiff.write(tmp_path / name, labels, image)
    back = tiff.read(tmp_path / name)
    np.testing.assert_array_equal(back.array, labels)
    assert back.geometry.is_close(image.geometry, rtol=1e-6)
    with tifffile.TiffFile(tmp_path / name) as file:
        assert file.series[0].axes == "ZYX"
        assert len(file.pages) == 5


def test_flat_label_map_is_8_bit_and_small(tmp_path):
    labels = np.zeros((200, 300), np.uint16)
    labels[50:90] = 255
    tiff.write(tmp_path / "a.tif", labels, Image.from_array(labels))
    back = tiff.read(tmp_path / "a.tif")
    assert back.array.dtype == np.uint8
    assert not back.is_volume
    np.testing.assert_array_equal(back.array, labels)
    assert (tmp_path / "a.tif").stat().st_size < 5000


def test_ids_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(OutputError, match="70000"):
        tiff.write(tmp_path / "a.tif", np.full((2, 2), 70000), Image.from_array(np.zeros((2, 2))))


# -- damage --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"metadata": None},
        {"compression": "zlib"},
        {"imagej": True, "metadata": {"axes": "ZYX"}},
        {"ome": True, "metadata": {"axes": "ZYX"}},
    ],
)
def test_truncation_is_found_wherever_it_is(tmp_path, options):
    whole = save(tmp_path / "whole.tif", STACK, **options).read_bytes()
    path = tmp_path / "cut.tif"
    for length in range(8, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:length])
        try:
            image = tiff.read(path)
        except ImageReadError as error:
            message = str(error)
        else:  # a few closing bytes may be missing, never a slice
            np.testing.assert_array_equal(image.array, STACK)
            continue
        assert "cut.tif" in message
        assert "\n" not in message


def test_what_nobody_can_decode_says_what_to_do(tmp_path):
    path = save(tmp_path / "a.tif", FLAT.astype(np.uint8), compression="zlib", metadata=None)
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        tag = file.pages[0].tags["Compression"]
    content[tag.valueoffset : tag.valueoffset + 2] = (34712).to_bytes(2, "little")  # JPEG 2000
    path.write_bytes(content)
    with pytest.raises(ImageReadError, match="imagecodecs"):
        tiff.read(path)


@pytest.mark.shared
def test_real_files(shared):
    fundus = tiff.read(next((shared / "data/drive").glob("*/images/*.tif")))
    assert fundus.array.shape == (584, 565, 3)
    assert tiff.read(shared / "data/stardist_nuclei/img3d.tif").array.shape == (31, 61, 57)
