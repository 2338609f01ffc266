"""PNG, JPEG, BMP and GIF: every mode as a viewer shows it, nothing lost that can be kept."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from anytomy.core.errors import AnytomyWarning, ImageReadError, OptionError, OutputError
from anytomy.core.image import Image
from anytomy.io import raster

GREY = (np.arange(6 * 8) * 5).reshape(6, 8).astype(np.uint8)
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)


def save(path: Path, values: np.ndarray, **options) -> Path:
    Pillow.fromarray(values).save(path, **options)
    return path


@pytest.mark.parametrize("ending", ["png", "bmp", "gif"])
def test_grey_comes_back_exactly(tmp_path, ending):
    path = save(tmp_path / f"a.{ending}", GREY)
    image = raster.read(path)
    np.testing.assert_array_equal(image.array, GREY)
    assert (image.is_volume, image.is_colour, image.format) == (False, False, ending)
    assert image.geometry.size_xyz == (8, 6, 1)


@pytest.mark.parametrize("ending", ["png", "bmp", "jpg", "gif"])
def test_content_is_recognised_whatever_the_name(tmp_path, ending):
    path = save(tmp_path / f"a.{ending}", GREY).rename(tmp_path / "a.bin")
    assert raster.matches(path, path.read_bytes()[:64])


@pytest.mark.parametrize(
    "head", [b"", b"BM", b"BMI of the patients, kg per square m", b"II*\x00", b"\x89PNG"]
)
def test_other_content_is_not_claimed(head):
    assert not raster.matches(Path("a.bmp"), head)


def test_16_bit_grey_keeps_all_values(tmp_path):
    values = np.array([[0, 1, 255, 256], [4095, 32767, 32768, 65535]], np.uint16)
    image = raster.read(save(tmp_path / "a.png", values))
    assert image.array.dtype == np.uint16
    np.testing.assert_array_equal(image.array, values)


def test_equal_channels_stay_colour(tmp_path):
    image = raster.read(save(tmp_path / "a.png", np.repeat(GREY[..., None], 3, axis=-1)))
    assert image.is_colour


def test_palette_of_colours_is_looked_up(tmp_path):
    picture = Pillow.fromarray(np.array([[0, 1], [2, 1]], np.uint8))
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 0, 255])
    picture.save(tmp_path / "a.png")
    expected = [[[0, 0, 0], [255, 0, 0]], [[0, 0, 255], [255, 0, 0]]]
    np.testing.assert_array_equal(raster.read(tmp_path / "a.png").array, expected)


def test_palette_of_greys_is_grey(tmp_path):
    picture = Pillow.fromarray(np.array([[0, 1], [2, 1]], np.uint8))
    picture.putpalette([0, 0, 0, 90, 90, 90, 200, 200, 200])
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(raster.read(tmp_path / "a.png").array, [[0, 90], [200, 90]])


def test_1_bit_is_black_and_white_and_as_labels_0_and_1(tmp_path):
    path = save(tmp_path / "a.png", GREY > 100)
    np.testing.assert_array_equal(raster.read(path).array, np.where(GREY > 100, 255, 0))
    np.testing.assert_array_equal(raster.read(path, labels=True).array, GREY > 100)


def test_transparency_is_dropped_and_what_nobody_sees_is_black(tmp_path):
    alpha = np.full((6, 8), 128, np.uint8)
    alpha[0] = 0
    path = save(tmp_path / "a.png", np.dstack([COLOUR, alpha]))
    expected = COLOUR.copy()
    expected[0] = 0
    np.testing.assert_array_equal(raster.read(path).array, expected)
    path = save(tmp_path / "b.png", np.dstack([GREY, alpha]))
    np.testing.assert_array_equal(raster.read(path).array, expected[..., 0])


def test_cmyk_becomes_rgb(tmp_path):
    Pillow.new("RGB", (32, 32), (200, 30, 60)).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    image = raster.read(tmp_path / "a.jpg")
    assert np.abs(image.array.mean(axis=(0, 1)) - (200, 30, 60)).max() < 8


def test_exif_orientation_gives_the_upright_picture(tmp_path):
    stored = np.zeros((20, 40), np.uint8)
    stored[:10, :20] = 255
    exif = Pillow.Exif()
    exif[0x0112] = 6  # turn clockwise to see it upright
    path = save(tmp_path / "a.jpg", stored, exif=exif)
    image = raster.read(path)
    assert image.array.shape == (40, 20)
    assert image.geometry.size_xyz == (20, 40, 1)
    assert image.array[:20, 10:].min() > 200
    assert image.array[20:].max() < 50


def test_one_frame_of_an_animation_is_chosen(tmp_path):
    frames = [Pillow.fromarray(np.full((4, 4), v, np.uint8)) for v in (10, 120, 250)]
    path = tmp_path / "a.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with pytest.raises(ImageReadError, match=r"3 frames.*--time 0 to 2"):
        raster.read(path)
    assert [int(raster.read(path, time=t).array.max()) for t in range(3)] == [10, 120, 250]
    with pytest.raises(OptionError, match="0 to 2, got --time 3"):
        raster.read(path, time=3)


def test_one_channel_of_a_colour_picture(tmp_path):
    path = save(tmp_path / "a.png", COLOUR)
    np.testing.assert_array_equal(raster.read(path, channel=1).array, COLOUR[..., 1])
    with pytest.raises(OptionError, match="--channel 3"):
        raster.read(path, channel=3)


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "gif"])
def test_any_truncation_is_one_line(tmp_path, ending):
    noise = np.random.default_rng(0).integers(0, 255, (40, 40), np.uint8)
    whole = save(tmp_path / f"whole.{ending}", noise).read_bytes()
    expected = raster.read(tmp_path / f"whole.{ending}").array
    for length in range(0, len(whole), 97):
        path = tmp_path / f"cut.{ending}"
        path.write_bytes(whole[:length])
        _same_or_refused(path, expected)


def _same_or_refused(path: Path, expected: np.ndarray) -> None:
    """Bytes after the last pixel may be missing; anything else is an error of one line."""
    try:
        got = raster.read(path).array
    except ImageReadError as error:
        message = str(error)
    else:
        np.testing.assert_array_equal(got, expected)
        return
    assert path.name in message
    assert "\n" not in message


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )
    with pytest.raises(ImageReadError, match="too many pixels"):
        raster.read(path)


def test_cut_16_bit_colour_is_said(tmp_path):
    rows = b"".join(b"\x00" + struct.pack(">6H", *(300 * i for i in range(6))) for _ in range(2))

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    path = tmp_path / "deep.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    with pytest.warns(AnytomyWarning, match="upper 8 bits"):
        assert raster.read(path).array.shape == (2, 2, 3)


# -- label maps ----------------------------------------------------------------------------------


def test_label_map_values_are_the_ids_and_viewers_see_colours(tmp_path):
    labels = np.array([[0, 1, 2], [7, 254, 255]], np.uint16)
    path = tmp_path / "a.png"
    raster.write(path, labels, Image.from_array(labels))
    with Pillow.open(path) as picture:
        np.testing.assert_array_equal(np.array(picture), labels)
        seen = np.array(picture.convert("RGB"))
    assert tuple(seen[0, 0]) == (0, 0, 0)
    assert len(np.unique(seen.reshape(-1, 3), axis=0)) >= 4
    assert seen[0, 1:].max(axis=-1).min() > 100
    np.testing.assert_array_equal(raster.read(path, labels=True).array, labels)


def test_ids_above_255_are_kept(tmp_path):
    labels = np.array([[[0, 1], [300, 65535]]], np.uint16)
    raster.write(tmp_path / "a.png", labels, Image.from_array(labels[0]))
    np.testing.assert_array_equal(np.array(Pillow.open(tmp_path / "a.png")), labels[0])


@pytest.mark.parametrize(("name", "word"), [("a.jpg", "lossy"), ("a.bmp", "label maps")])
def test_pictures_that_cannot_hold_ids_are_refused(tmp_path, name, word):
    with pytest.raises(OutputError, match=word):
        raster.write(tmp_path / name, np.ones((2, 2), np.uint8), Image.from_array(GREY))
    assert not (tmp_path / name).exists()


def test_several_slices_do_not_fit_into_a_picture(tmp_path):
    with pytest.raises(OutputError, match="2 slices"):
        raster.write(tmp_path / "a.png", np.ones((2, 3, 3), np.uint8), Image.from_array(GREY))


def test_masks_in_lossy_or_colour_files(tmp_path):
    mask = np.zeros((64, 64), np.uint8)
    mask[20:40, 20:40] = 255
    path = save(tmp_path / "a.jpg", mask, quality=60)
    assert len(np.unique(raster.read(path).array)) > 2  # why labels need care
    np.testing.assert_array_equal(raster.read(path, labels=True).array, mask > 0)
    path = save(tmp_path / "b.png", np.repeat(mask[..., None], 3, axis=-1))
    np.testing.assert_array_equal(raster.read(path, labels=True).array, mask)
    with pytest.raises(ImageReadError, match="one number per pixel"):
        raster.read(save(tmp_path / "c.png", COLOUR), labels=True)


def test_large_pictures_below_the_limit_make_no_noise(tmp_path, monkeypatch, recwarn):
    path = save(tmp_path / "a.png", GREY)
    monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", GREY.size - 1)
    raster.read(path)
    assert not recwarn.list


def test_missing_file(tmp_path):
    with pytest.raises(ImageReadError, match="No such file"):
        raster.read(tmp_path / "a.png")
