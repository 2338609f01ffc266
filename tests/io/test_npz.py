"""The challenges' npz files and plain npy: shapes, the order of spacing, no pickles."""

from __future__ import annotations

import numpy as np
import pytest

from anytomy.core.errors import GeometryError, ImageReadError, OptionError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.core.prediction import MaskStack, ObjectMask, Prediction
from anytomy.core.prompt import Prompt
from anytomy.core.view import SliceView
from anytomy.io import npz

VOLUME = np.arange(4 * 5 * 6).reshape(4, 5, 6).astype(np.uint8)
COLOUR = np.arange(5 * 6 * 3).reshape(5, 6, 3).astype(np.uint8)


def test_volume_with_spacing_in_x_y_z(tmp_path):
    path = tmp_path / "3D_CT.npz"
    np.savez_compressed(path, imgs=VOLUME, gts=VOLUME > 3, spacing=np.array([0.5, 0.6, 5.0]))
    image = npz.read(path)
    np.testing.assert_array_equal(image.array, VOLUME)
    assert (image.is_volume, image.format) == (True, "npz")
    assert image.geometry.spacing_xyz_mm == (0.5, 0.6, 5.0)
    np.testing.assert_array_equal(npz.read_array(path, "gts"), VOLUME > 3)
    assert npz.matches(path, path.read_bytes()[:512])


def test_spacing_of_the_interactive_challenge_is_z_y_x(tmp_path):
    clicks = np.empty(1, object)
    clicks[0] = {"fg": [], "bg": []}
    np.savez(tmp_path / "a.npz", imgs=VOLUME, spacing=[5.0, 0.6, 0.5], clicks=clicks)
    assert npz.read(tmp_path / "a.npz").geometry.spacing_xyz_mm == (0.5, 0.6, 5.0)


def test_grid_of_medsam2_files(tmp_path):
    direction = np.array([0, 1, 0, 1, 0, 0, 0, 0, -1.0])
    np.savez(tmp_path / "a.npz", imgs=VOLUME, spacing=[1, 2, 3], direction=direction, origin=[4, 5, 6])
    geometry = npz.read(tmp_path / "a.npz").geometry
    assert geometry.orientation == "PLI"
    assert geometry.origin_lps_mm == (4, 5, 6)
    np.savez(tmp_path / "b.npz", imgs=VOLUME, direction=np.arange(9.0))
    with pytest.raises(GeometryError):
        npz.read(tmp_path / "b.npz")


@pytest.mark.parametrize(
    ("name", "values", "is_volume", "is_colour"),
    [
        ("2DBox_1.npz", COLOUR, False, True),
        ("2D_grey.npz", COLOUR[..., 0], False, False),
        ("3DBox_narrow.npz", COLOUR, True, False),
        ("3D_colour.npz", np.stack([COLOUR, COLOUR]), True, True),
    ],
)
def test_what_axes_mean(tmp_path, name, values, is_volume, is_colour):
    np.savez(tmp_path / name, imgs=values)
    image = npz.read(tmp_path / name)
    assert (image.is_volume, image.is_colour) == (is_volume, is_colour)
    np.testing.assert_array_equal(image.array, values)


def test_one_array_needs_no_name_and_several_do(tmp_path):
    np.savez(tmp_path / "a.npz", whatever=VOLUME)
    np.testing.assert_array_equal(npz.read(tmp_path / "a.npz").array, VOLUME)
    np.savez(tmp_path / "b.npz", one=VOLUME, two=VOLUME)
    with pytest.raises(ImageReadError, match="'imgs', only one, two"):
        npz.read(tmp_path / "b.npz")


def test_npy(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, VOLUME.astype(np.float32))
    assert npz.matches(path, path.read_bytes()[:64])
    assert npz.read(path).array.dtype == np.float32


def test_channel(tmp_path):
    np.savez(tmp_path / "a.npz", imgs=COLOUR)
    np.testing.assert_array_equal(npz.read(tmp_path / "a.npz", channel=2).array, COLOUR[..., 2])
    with pytest.raises(OptionError, match="--time 1"):
        npz.read(tmp_path / "a.npz", time=1)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_python_objects_are_never_loaded(tmp_path, save):
    trap = np.empty(2, object)
    trap[:] = [{"a": 1}, None]
    save(tmp_path / "a.npz", imgs=trap)
    with pytest.raises(ImageReadError, match="Python objects under 'imgs'"):
        npz.read(tmp_path / "a.npz")
    np.save(tmp_path / "a.npy", trap)
    with pytest.raises(ImageReadError, match="Python objects"):
        npz.read(tmp_path / "a.npy")


@pytest.mark.parametrize("values", [np.zeros(5), np.zeros((2, 3, 4, 5)), np.zeros((1, 2, 3, 4, 5))])
def test_other_shapes_are_refused(tmp_path, values):
    np.savez(tmp_path / "a.npz", imgs=values)
    with pytest.raises(ImageReadError, match="shape"):
        npz.read(tmp_path / "a.npz")


def test_truncation(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", imgs=VOLUME)
    whole = (tmp_path / "a.npz").read_bytes()
    for length in range(4, len(whole) - 1, 23):
        (tmp_path / "cut.npz").write_bytes(whole[:length])
        with pytest.raises(ImageReadError, match="damaged or truncated"):
            npz.read(tmp_path / "cut.npz")


def test_other_archives_are_not_claimed(tmp_path):
    assert not npz.matches(tmp_path / "a.npz", b"PK\x03\x04" + bytes(22) + b"\x08\0\0\0word/doc")


def prediction_of(masks: np.ndarray, image: Image) -> Prediction:
    view = SliceView.canonical(image.geometry)
    objects = []
    for mask in masks:
        stored = ObjectMask(view)
        for index, plane in enumerate(view.apply(mask.reshape(image.geometry.shape_zyx))):
            stored.set(index, plane)
        objects.append(stored)
    labels = np.zeros(image.array.shape, np.uint8)
    for number, mask in enumerate(masks, start=1):
        labels[mask] = number
    prompts = tuple(Prompt(box=(0, 0, 2, 2), id=i + 1, name=f"größe {i}") for i in range(len(masks)))
    return Prediction(
        image.geometry,
        image.is_volume,
        MaskStack(objects, is_volume=image.is_volume, shape_zyx=image.geometry.shape_zyx),
        labels,
        prompts,
        tuple(0.5 + i / 10 for i in range(len(masks))),
    )


@pytest.mark.parametrize("shape", [(4, 5, 6), (5, 6)])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_prediction_keeps_overlapping_objects(tmp_path, shape, count):
    size = (6, 5, shape[0] if len(shape) == 3 else 1)
    geometry = Geometry(size, (0.5, 0.6, 5.0), direction=((0, 1, 0), (-1, 0, 0), (0, 0, 1)))
    image = Image.from_array(np.zeros(shape, np.uint8), geometry=geometry, is_volume=len(shape) == 3)
    masks = np.random.default_rng(1).random((count, *shape)) > 0.5
    prediction = prediction_of(masks, image)
    npz.write_prediction(tmp_path / "a.npz", prediction, image)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as held:
        np.testing.assert_array_equal(held["masks"], masks)
        assert held["masks"].shape == (count, *shape)
        np.testing.assert_array_equal(held["segs"], prediction.label_map)
        assert held["ids"].tolist() == list(range(1, count + 1))
        assert held["names"].tolist() == list(prediction.names)
        np.testing.assert_allclose(held["scores"], prediction.scores, rtol=1e-6)
        assert held["spacing_zyx_mm"].tolist() == [5.0, 0.6, 0.5]
        np.testing.assert_array_equal(held["affine_lps"], geometry.affine_lps)


def test_label_map(tmp_path):
    image = Image.from_array(VOLUME, geometry=Geometry((6, 5, 4), (0.5, 0.6, 5.0)))
    npz.write(tmp_path / "a.npz", VOLUME, image)
    np.testing.assert_array_equal(npz.read_array(tmp_path / "a.npz", "segs"), VOLUME)
    assert npz.read_array(tmp_path / "a.npz", "spacing").tolist() == [0.5, 0.6, 5.0]


@pytest.mark.shared
def test_real_file(shared):
    image = npz.read(next((shared / "data/recist_lesions").glob("*.npz")))
    assert image.is_volume
    assert image.geometry.spacing_xyz_mm[2] > image.geometry.spacing_xyz_mm[0]
