"""Objects in files of any format: the same masks, ids and names that were written."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np
import pytest
from PIL import Image as Pillow

from anytomy import read
from anytomy.core.errors import ImageReadError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.io.objects import read_objects
from anytomy.io.write import write_prediction
from tests.io import dicom_phantom

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GRID = Geometry((6, 5, 4), (0.5, 0.75, 2.0), (-10.0, 20.0, 30.5), ((0, -1, 0), (1, 0, 0), (0, 0, 1)))
IMAGE = Image(array=np.zeros((4, 5, 6), np.int16), geometry=GRID, is_volume=True)


def block(z: slice, y: slice, x: slice) -> Any:
    mask = np.zeros((4, 5, 6), bool)
    mask[z, y, x] = True
    return mask


LEFT, RIGHT = block(slice(1, 3), slice(0, 5), slice(0, 2)), block(slice(0, 4), slice(2, 4), slice(3, 6))
MIDDLE = block(slice(2, 4), slice(1, 3), slice(1, 5))  # shares voxels with both


def check(path: Path, masks: list[Any], names: tuple[str, ...], ids: tuple[int, ...], grid: Geometry) -> None:
    image, segments = read_objects(path)
    assert segments.numbers == ids
    assert segments.names == names
    for mask, found in zip(masks, segments.masks, strict=True):
        np.testing.assert_array_equal(found, mask)
    assert segments.geometry.is_close(grid)
    assert image.geometry.is_close(grid)
    assert set(np.unique(image.array)) <= {0, *ids}


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha", ".mhd"])
def test_a_label_map_has_ids_and_no_names(tmp_path: Path, predict: Callable[..., Any], ending: str) -> None:
    path = tmp_path / f"a{ending}"
    write_prediction(path, predict(IMAGE, [LEFT, RIGHT], names=["liver"]), IMAGE)
    check(path, [LEFT, RIGHT], ("", ""), (1, 2), GRID)


@pytest.mark.parametrize("ending", [".seg.nrrd", ".npz"])
def test_objects_that_overlap_are_apart_and_named(
    tmp_path: Path, predict: Callable[..., Any], ending: str
) -> None:
    path = tmp_path / f"a{ending}"
    names = ["left", None, "Milz, größer\\n"]
    prediction = predict(IMAGE, [LEFT, RIGHT, MIDDLE], names=names, overlap="keep")
    write_prediction(path, prediction, IMAGE)
    check(path, [LEFT, RIGHT, MIDDLE], ("left", "object 2", names[2]), (1, 2, 3), GRID)


def test_segments_in_one_layer_are_named(tmp_path: Path, predict: Callable[..., Any]) -> None:
    path = tmp_path / "a.seg.nrrd"
    empty = np.zeros((4, 5, 6), bool)
    write_prediction(path, predict(IMAGE, [LEFT, empty, RIGHT], names=["a", "b", "c"]), IMAGE)
    check(path, [LEFT, empty, RIGHT], ("a", "b", "c"), (1, 2, 3), GRID)


def test_layers_that_each_count_from_1_get_ids_of_their_own(tmp_path: Path, predict: Any) -> None:
    path = tmp_path / "a.seg.nrrd"
    write_prediction(path, predict(IMAGE, [LEFT, MIDDLE], names=["a", "b"], overlap="keep"), IMAGE)
    head, _, packed = path.read_bytes().partition(b"\n\n")
    import gzip

    values = np.frombuffer(gzip.decompress(packed), np.uint8).copy()
    values[values == 2] = 1
    head = head.replace(b"Segment1_LabelValue:=2", b"Segment1_LabelValue:=1")
    path.write_bytes(head + b"\n\n" + gzip.compress(values.tobytes()))
    check(path, [LEFT, MIDDLE], ("a", "b"), (1, 2), GRID)


def test_dicom_segments(tmp_path: Path, predict: Callable[..., Any]) -> None:
    grid = dicom_phantom.grid((6, 5, 4))
    dicom_phantom.write_series(tmp_path / "ct", grid)
    image = read(tmp_path / "ct")
    path = tmp_path / "a.seg.dcm"
    prediction = predict(image, [LEFT, MIDDLE], names=["a", "b"], overlap="keep")
    write_prediction(path, prediction, image)
    label_image, segments = read_objects(path)
    assert segments.names == ("a", "b")
    assert label_image.format == "dicom-seg"
    moved = segments.on(image.geometry)
    for mask, found in zip((LEFT, MIDDLE), moved.masks, strict=True):
        np.testing.assert_array_equal(found, mask)


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_pictures_hold_ids_behind_their_colours(
    tmp_path: Path, predict: Callable[..., Any], ending: str
) -> None:
    flat = Image.from_array(np.zeros((5, 6), np.uint8))
    path = tmp_path / f"a{ending}"
    write_prediction(path, predict(flat, [LEFT[1], RIGHT[1]]), flat)
    image, segments = read_objects(path)
    assert not segments.is_volume
    assert segments.numbers == (1, 2)
    np.testing.assert_array_equal(segments.masks[1], RIGHT[1])
    assert image.array.max() == 2


@pytest.mark.parametrize("key", ["gts", "segs", "anything"])
def test_challenge_files(tmp_path: Path, key: str) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, **{key: LEFT * np.uint8(7)})
    check(path, [LEFT], ("",), (7,), Geometry((6, 5, 4)))


def test_an_npz_with_images_alone_has_no_masks(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, imgs=np.zeros((4, 5, 6), np.uint8), boxes=np.zeros((1, 6)))
    with pytest.raises(ImageReadError, match=r"holds no masks \(segs, gts or masks\), only imgs, boxes"):
        read_objects(path)


def test_ids_may_be_floats_and_have_gaps(tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"
    values = (LEFT * 200.0 + RIGHT * 60000.0).T
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)
    found = read_objects(path).segments
    assert found.numbers == (200, 60000)
    assert [m.voxels for m in found.masks.objects] == [LEFT.sum(), RIGHT.sum()]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.linspace(-1000, 400, 120), "from -1000 to 400"),
        (np.linspace(0, 1, 120), "from 0 to 1"),
        (np.full(120, 70000.0), "from 70000 to 70000"),
        (np.arange(120) * 1.0 - 1, "from -1 to 118"),
    ],
)
def test_an_image_is_no_label_map(tmp_path: Path, values: Any, says: str) -> None:
    path = tmp_path / "a.nii.gz"
    nibabel.save(nibabel.Nifti1Image(values.reshape(6, 5, 4), np.eye(4)), path)
    with pytest.raises(ImageReadError, match=says) as caught:
        read_objects(path)
    assert "is it the image?" in str(caught.value)


def test_a_volume_of_numbers_is_no_label_map(tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"
    values = np.arange(5000, dtype=np.uint16).reshape(10, 20, 25)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)
    with pytest.raises(ImageReadError, match="4999 different values"):
        read_objects(path)


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_colours_are_no_label_map(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    Pillow.fromarray(np.random.default_rng(0).integers(0, 255, (5, 6, 3), np.uint8)).save(path)
    with pytest.raises(ImageReadError, match="has colours"):
        read_objects(path)


def test_missing_files_say_so(tmp_path: Path) -> None:
    with pytest.raises(ImageReadError, match="does not exist"):
        read_objects(tmp_path / "a.nii.gz")


def test_an_empty_label_map_has_no_objects(tmp_path: Path, predict: Callable[..., Any]) -> None:
    path = tmp_path / "a.nii.gz"
    write_prediction(path, replace(predict(IMAGE, [LEFT & RIGHT])), IMAGE)
    assert read_objects(path).segments.numbers == ()
