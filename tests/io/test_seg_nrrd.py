"""Slicer's segmentations, read back with pynrrd as Slicer's own tools do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nrrd
import numpy as np
import pytest

from anytomy import read
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.io import seg_nrrd

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

GRID = Geometry((6, 5, 4), (0.5, 0.75, 2.0), (-10.0, 20.0, 30.5), ((0, -1, 0), (1, 0, 0), (0, 0, 1)))
IMAGE = Image(array=np.zeros((4, 5, 6), np.int16), geometry=GRID, is_volume=True)


def block(z: slice, y: slice, x: slice) -> NDArray[np.bool_]:
    mask = np.zeros((4, 5, 6), bool)
    mask[z, y, x] = True
    return mask


LEFT, RIGHT = block(slice(1, 3), slice(0, 5), slice(0, 2)), block(slice(0, 4), slice(2, 4), slice(3, 6))
MIDDLE = block(slice(2, 4), slice(1, 3), slice(1, 5))
EMPTY = np.zeros((4, 5, 6), bool)


def write_and_read(path: Path, *args: Any, **options: Any) -> tuple[NDArray[Any], dict[str, Any]]:
    predict, masks = args
    seg_nrrd.write_prediction(path, predict(IMAGE, masks, **options), IMAGE)
    values, header = nrrd.read(str(path))
    return values, header


def check_grid(header: dict[str, Any], directions: Any) -> None:
    assert header["space"] == "left-posterior-superior"
    np.testing.assert_array_equal(header["space origin"], GRID.origin_lps_mm)
    np.testing.assert_array_equal(directions, (GRID.direction_matrix * GRID.spacing_xyz_mm).T)


def test_objects_apart_share_one_layer(tmp_path: Path, predict: Callable[..., Any]) -> None:
    values, header = write_and_read(
        tmp_path / "a.seg.nrrd", predict, [LEFT, RIGHT, EMPTY], names=["Left kidney", None, "Milz, größer"]
    )
    np.testing.assert_array_equal(values.T, LEFT * 1 + RIGHT * 2)
    check_grid(header, header["space directions"])
    assert header["kinds"] == ["domain"] * 3
    assert header["Segment0_ID"] == "Segment_1"
    assert [header[f"Segment{n}_Name"] for n in range(2)] == ["Left kidney", "object 2"]
    assert "Segment2_Name:=Milz, größer\n".encode() in (tmp_path / "a.seg.nrrd").read_bytes()
    assert [header[f"Segment{n}_LabelValue"] for n in range(3)] == ["1", "2", "3"]
    assert {header[f"Segment{n}_Layer"] for n in range(3)} == {"0"}
    assert header["Segment0_Extent"] == "0 1 0 4 1 2"
    assert header["Segment1_Extent"] == "3 5 2 3 0 3"
    assert header["Segment2_Extent"] == "0 -1 0 -1 0 -1"
    colours = [tuple(map(float, header[f"Segment{n}_Color"].split())) for n in range(3)]
    assert len(set(colours)) == 3
    assert all(0 <= part <= 1 for colour in colours for part in colour)
    assert header["Segmentation_SourceRepresentation"] == "Binary labelmap"
    assert header["Segmentation_ReferenceImageExtentOffset"] == "0 0 0"


def test_overlapping_objects_get_as_few_layers_as_they_need(
    tmp_path: Path, predict: Callable[..., Any]
) -> None:
    masks = [LEFT, MIDDLE, RIGHT]
    values, header = write_and_read(tmp_path / "a.seg.nrrd", predict, masks, overlap="keep")
    assert values.shape == (2, 6, 5, 4)
    assert header["kinds"] == ["list", "domain", "domain", "domain"]
    assert np.isnan(header["space directions"][0]).all()
    check_grid(header, header["space directions"][1:])
    for n, mask in enumerate(masks):
        layer, value = (int(header[f"Segment{n}_{field}"]) for field in ("Layer", "LabelValue"))
        np.testing.assert_array_equal(np.equal(values[layer].T, value), mask)
    image = read(tmp_path / "a.seg.nrrd", channel=1)
    np.testing.assert_array_equal(image.array == 2, MIDDLE)
    assert image.geometry.is_close(GRID, rtol=1e-14)


@pytest.mark.parametrize(("masks", "overlap"), [([LEFT, MIDDLE], "higher-logit"), ([LEFT, RIGHT], "keep")])
def test_one_layer_where_nothing_is_lost_by_it(
    tmp_path: Path, predict: Callable[..., Any], masks: Any, overlap: str
) -> None:
    values, _ = write_and_read(tmp_path / "a.seg.nrrd", predict, masks, overlap=overlap)
    np.testing.assert_array_equal(values.T, np.where(masks[1], 2, masks[0]))


def test_a_label_map_in_it_is_read_as_an_image(tmp_path: Path, predict: Callable[..., Any]) -> None:
    values, _ = write_and_read(tmp_path / "a.seg.nrrd", predict, [LEFT, RIGHT], dtype=np.uint16)
    image = read(tmp_path / "a.seg.nrrd")
    assert image.array.dtype == values.dtype == np.uint16
    np.testing.assert_array_equal(image.array, values.T)
    assert image.geometry.is_close(GRID, rtol=1e-14)


def test_a_picture_gets_three_spatial_axes(tmp_path: Path, predict: Callable[..., Any]) -> None:
    picture = Image.from_array(np.zeros((5, 6), np.uint8))
    seg_nrrd.write_prediction(tmp_path / "a.seg.nrrd", predict(picture, [LEFT[1]]), picture)
    values, header = nrrd.read(str(tmp_path / "a.seg.nrrd"))
    np.testing.assert_array_equal(values.T[0], LEFT[1])
    assert header["Segment0_Extent"] == "0 1 0 4 0 0"


def test_names_cannot_break_the_header(tmp_path: Path, predict: Callable[..., Any]) -> None:
    values, header = write_and_read(tmp_path / "a.seg.nrrd", predict, [LEFT], names=["a\n\nb: c := d\\e"])
    np.testing.assert_array_equal(values.T, LEFT)
    assert header["Segment0_Name"].startswith("a\\n\\nb: c := d")


@pytest.mark.shared
def test_files_of_others_are_read(shared: Path) -> None:
    for name in ("liver_seg", "liver_spine_seg", "sparse_labelmap_ppv5_seg"):
        path = shared / "data" / "dcmqi_ct_liver" / f"{name}.nrrd"
        values, header = nrrd.read(str(path))
        image = read(path)
        np.testing.assert_array_equal(image.array, values.T)
        corner = np.asarray(values.shape) - 1
        expected = header["space origin"] + corner @ header["space directions"]
        np.testing.assert_allclose(image.geometry.to_physical(corner), expected, rtol=1e-12)
