"""From files to label maps: grids, stored values, objects, and what cannot be read."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from anytomy.core.errors import AnytomyWarning, GeometryError, ImageReadError, InputError, OptionError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.datasets import loading
from anytomy.datasets.case import Case, ImageRef, MaskRef
from anytomy.datasets.layout import Target
from tests.core.strategies import (
    FLIPS,
    ORDERS,
    STORAGES,
    geometries,
    numbered_voxels,
    places,
    stored,
    stored_array,
)
from tests.datasets.phantoms import draw, nifti, noise, picture, simple_itk, two_blobs
from tests.io.dicom_phantom import AXIAL, SAGITTAL, grid, oblique, write_series

ANY = Target("liver", above=0.0)
INSTANCES = Target("cell", objects="instances")


def value(*values: int, **more: Any) -> Target:
    return Target("liver", values=values, **more)


def labels(
    image: Path | Image, masks: Path | Sequence[Path], *targets: Target, form: str = "map", **more: Any
) -> dict[str, NDArray[Any]]:
    """The label maps of a case of one image and one mask, which may be several files."""
    paths = (masks,) if isinstance(masks, Path) else tuple(masks)
    path = image if isinstance(image, Path) else Path("memory")
    refs = tuple(MaskRef(target, paths, form) for target in targets or (ANY,))
    case = Case("set", "1", "1", ImageRef(path), refs, **more)
    return case.labels(case.read() if isinstance(image, Path) else image)


def only(image: Path | Image, masks: Path | Sequence[Path], *targets: Target, **more: Any) -> NDArray[Any]:
    """The one label map; no warning may come."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (found,) = labels(image, masks, *targets, **more).values()
    return found


def flat(shape: tuple[int, ...] = (6, 8)) -> Image:
    """A picture in memory."""
    return Image.from_array(np.zeros(shape, np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where examples overwrite each other's files."""
    return tmp_path_factory.mktemp("volumes")


# -- the same voxels, stored otherwise ---------------------------------------------------------------


def at_the_same_place(image: Geometry, label: Geometry, array: NDArray[Any]) -> NDArray[Any]:
    """For each voxel of the image the value of the label's voxel nearest in the patient, by brute force."""
    there = places(label).reshape(-1, 3)
    here = places(image).reshape(-1, 3)
    distance = np.linalg.norm(here[:, None] - there[None], axis=-1)
    assert distance.min(axis=1).max() < 1e-3 * min(image.spacing_xyz_mm)
    return array.reshape(-1)[distance.argmin(axis=1)].reshape(image.shape_zyx)


@given(geometries(), st.sampled_from(ORDERS), st.sampled_from(FLIPS))
def test_a_label_stored_in_other_axes_lies_where_it_did(
    folder: Path, geometry: Geometry, order: tuple[int, ...], flips: tuple[bool, ...]
) -> None:
    own = stored(geometry, order, flips)
    array = (numbered_voxels(own) + 1).astype(np.int16)
    nifti(folder / "image.nii", np.zeros(geometry.shape_zyx, np.int16), geometry)
    nifti(folder / "label.nii", array, own)
    found = only(folder / "image.nii", folder / "label.nii", INSTANCES)
    np.testing.assert_array_equal(found, at_the_same_place(geometry, own, array))


@pytest.mark.parametrize("turned", [AXIAL, SAGITTAL, oblique()], ids=["axial", "sagittal", "oblique"])
def test_all_48_ways_to_store_a_label(turned: NDArray[Any], tmp_path: Path) -> None:
    geometry = grid(size_xyz=(4, 4, 4), spacing_xyz_mm=(1.0, 1.0, 1.0), direction=turned)
    original = draw(geometry.shape_zyx, [1, 2, 3], 0)
    image = Image.from_array(np.zeros(geometry.shape_zyx), geometry=geometry, is_volume=True)
    image = Image(image.array, geometry, is_volume=True, format="nifti")
    for order, flips in STORAGES:
        nifti(tmp_path / "label.nii", stored_array(original, order, flips), stored(geometry, order, flips))
        np.testing.assert_array_equal(only(image, tmp_path / "label.nii", INSTANCES), original)


def test_a_label_of_another_format_lies_where_it_did(tmp_path: Path) -> None:
    geometry = grid()
    original = draw(geometry.shape_zyx, [1, 2], 0)
    nifti(tmp_path / "image.nii", noise(original.shape, 0).astype(np.int16), geometry)
    for order, flips in STORAGES[:: len(STORAGES) // 7]:
        array = np.ascontiguousarray(stored_array(original, order, flips))
        simple_itk(tmp_path / "label.nrrd", array, stored(geometry, order, flips))
        found = only(tmp_path / "image.nii", tmp_path / "label.nrrd", value(2))
        np.testing.assert_array_equal(found, original == 2)


def test_a_label_of_a_dicom_series_lies_where_it_did(tmp_path: Path) -> None:
    geometry = grid(direction=oblique())
    write_series(tmp_path / "series", geometry, order=[4, 3, 2, 1, 0])
    original = draw(geometry.shape_zyx, [1], 0)
    order, flips = (2, 0, 1), (True, False, True)
    nifti(tmp_path / "label.nii", stored_array(original, order, flips), stored(geometry, order, flips))
    image = Case("set", "1", "1", ImageRef(tmp_path / "series"), ()).read()
    found = only(image, tmp_path / "label.nii")
    expected = at_the_same_place(image.geometry, geometry, original)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("places_off", [1e-5, 0.05])
def test_last_digits_of_headers_make_no_difference(places_off: float, tmp_path: Path) -> None:
    geometry = grid()
    shift = tuple(o + places_off * s for o, s in zip(geometry.origin_lps_mm, (0.75, 0.5, 2.5), strict=True))
    near = grid(origin_lps_mm=shift)  # type: ignore[arg-type]
    original = draw(geometry.shape_zyx, [1], 0)
    nifti(tmp_path / "image.nii", noise(original.shape, 0), geometry)
    for order, flips in (STORAGES[0], STORAGES[29]):
        nifti(tmp_path / "label.nii", stored_array(original, order, flips), stored(near, order, flips))
        np.testing.assert_array_equal(only(tmp_path / "image.nii", tmp_path / "label.nii"), original)


def test_a_label_that_is_turned_and_half_a_voxel_off_is_turned_and_said(tmp_path: Path) -> None:
    geometry = grid()
    near = grid(origin_lps_mm=(-12.5 + 0.3, 30.25, -101.5))
    original = draw(geometry.shape_zyx, [1], 0)
    nifti(tmp_path / "image.nii", noise(original.shape, 0), geometry)
    order, flips = (0, 1, 2), (True, True, False)
    nifti(tmp_path / "label.nii", stored_array(original, order, flips), stored(near, order, flips))
    with pytest.warns(AnytomyWarning, match=r"label\.nii lies elsewhere .*up to 0\.4 voxels.* after turning"):
        found = labels(tmp_path / "image.nii", tmp_path / "label.nii")
    np.testing.assert_array_equal(found["liver"], original)


@pytest.mark.parametrize(
    "header",
    [
        Geometry((7, 6, 5)),  # none at all: 1 mm at the origin
        grid(origin_lps_mm=(200.0, 0.0, 0.0)),
        grid(spacing_xyz_mm=(0.75, 0.5, 5.0)),
        stored(Geometry((7, 6, 5)), (0, 1, 2), (True, True, False)),
        grid(direction=oblique()),
    ],
    ids=["none", "shifted", "slices", "flipped", "turned"],
)
def test_a_label_with_another_header_is_taken_one_to_one_and_said(header: Geometry, tmp_path: Path) -> None:
    original = draw((5, 6, 7), [1], 0)
    nifti(tmp_path / "image.nii", noise(original.shape, 0), grid())
    nifti(tmp_path / "label.nii", original, header)
    with pytest.warns(AnytomyWarning, match=r"label\.nii lies elsewhere .* one to one") as told:
        found = labels(tmp_path / "image.nii", tmp_path / "label.nii")
    assert len(told) == 1
    np.testing.assert_array_equal(found["liver"], original)


@pytest.mark.parametrize(
    "shape", [(5, 6, 8), (4, 6, 7), (6, 5, 7), (7, 6, 5), (10, 6, 7), (3, 6, 7), (5, 42, 1), (1, 6, 7)]
)
def test_a_label_of_another_shape_is_refused_and_named(shape: tuple[int, int, int], tmp_path: Path) -> None:
    nifti(tmp_path / "image.nii", noise((5, 6, 7), 0), grid())
    nifti(tmp_path / "label.nii", np.ones(shape, np.uint8), grid(size_xyz=shape[::-1]))
    with pytest.raises(GeometryError, match=r"label\.nii has shape .* \(5, 6, 7\)"):
        labels(tmp_path / "image.nii", tmp_path / "label.nii")


def test_a_label_of_every_second_slice_is_refused(tmp_path: Path) -> None:
    nifti(tmp_path / "image.nii", noise((5, 6, 7), 0), grid())
    coarse = grid(size_xyz=(7, 6, 3), spacing_xyz_mm=(0.75, 0.5, 5.0))
    nifti(tmp_path / "label.nii", np.ones((3, 6, 7), np.uint8), coarse)
    with pytest.raises(GeometryError, match=r"label\.nii has shape"):
        labels(tmp_path / "image.nii", tmp_path / "label.nii")


# -- one slice ---------------------------------------------------------------------------------------


def test_a_2d_nifti_and_a_volume_of_one_slice_fit_to_each_other(tmp_path: Path) -> None:
    original = draw((6, 7), [1], 0)
    nifti(tmp_path / "flat.nii", original, grid(size_xyz=(7, 6, 1)))
    nifti(tmp_path / "deep.nii", original[None], grid(size_xyz=(7, 6, 1)))
    picture(tmp_path / "picture.png", original * 255)
    for image in ("flat.nii", "deep.nii"):
        for mask in ("flat.nii", "deep.nii", "picture.png"):
            found = only(tmp_path / image, tmp_path / mask)
            np.testing.assert_array_equal(found, original[None], err_msg=f"{image} {mask}")
    for mask in ("flat.nii", "deep.nii", "picture.png"):
        np.testing.assert_array_equal(only(tmp_path / "picture.png", tmp_path / mask), original)


# -- one axis more -----------------------------------------------------------------------------------


def test_one_channel_of_a_label_with_four_axes(tmp_path: Path) -> None:
    frames = np.stack([draw((5, 6, 7), [1], seed) for seed in range(3)])
    nifti(tmp_path / "image.nii", noise((5, 6, 7), 0), grid())
    nifti(tmp_path / "label.nii", frames, grid())
    targets = [Target(f"part {n}", above=0.0, channel=n) for n in (2, 0)]
    found = labels(tmp_path / "image.nii", tmp_path / "label.nii", *targets)
    for target in targets:
        np.testing.assert_array_equal(found[target.structure], frames[target.channel])
    with pytest.raises(ImageReadError, match=r"label\.nii holds 3 "):
        labels(tmp_path / "image.nii", tmp_path / "label.nii")
    with pytest.raises(OptionError, match=r"label\.nii holds 3 "):
        labels(tmp_path / "image.nii", tmp_path / "label.nii", Target("liver", above=0, channel=3))


def test_one_channel_of_a_nrrd_with_vectors(tmp_path: Path) -> None:
    import SimpleITK as sitk  # noqa: N813

    layers = np.stack([draw((5, 6, 7), [1], seed) for seed in range(4)], axis=-1).astype(np.int16)
    image = sitk.GetImageFromArray(layers, isVector=True)
    sitk.WriteImage(image, str(tmp_path / "label.nrrd"))
    nifti(tmp_path / "image.nii", noise((5, 6, 7), 0), Geometry((7, 6, 5)))
    found = only(tmp_path / "image.nii", tmp_path / "label.nrrd", Target("liver", above=0.0, channel=3))
    np.testing.assert_array_equal(found, layers[..., 3])


def test_one_channel_of_a_colour_picture(tmp_path: Path) -> None:
    layers = np.stack([draw((6, 8), [1], seed) for seed in range(3)], axis=-1)
    picture(tmp_path / "mask.png", layers * 200)
    targets = [Target(f"part {n}", above=127.0, channel=n) for n in range(3)]
    found = labels(flat(), tmp_path / "mask.png", *targets)
    for target in targets:
        np.testing.assert_array_equal(found[target.structure], layers[..., target.channel])


def test_one_time_point_of_the_image(tmp_path: Path) -> None:
    frames = np.stack([noise((5, 6, 7), seed) for seed in range(3)])
    nifti(tmp_path / "image.nii", frames, grid())
    image = Case("set", "1", "1", ImageRef(tmp_path / "image.nii", time=2), ()).read()
    np.testing.assert_array_equal(image.array, frames[2])


# -- pictures of masks -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mask.png", "mask.bmp", "mask.tif"])
def test_colours_tell_structures_apart(name: str, tmp_path: Path) -> None:
    colours = {"liver": (100, 0, 100), "kidney": (100, 0, 101), "bone": (255, 255, 255)}
    rng = np.random.default_rng(0)
    which = rng.integers(0, 4, size=(6, 8))
    palette = np.array([(0, 0, 0), *colours.values()], np.uint8)
    picture(tmp_path / name, palette[which])
    targets = [Target(name, colour=colour) for name, colour in colours.items()]
    found = labels(flat(), tmp_path / name, *targets)
    for number, structure in enumerate(colours, start=1):
        np.testing.assert_array_equal(found[structure], which == number)


def test_a_colour_in_a_picture_with_alpha_palette_or_grey(tmp_path: Path) -> None:
    from PIL import Image as Pillow

    which = draw((6, 8), [1], 0)
    rgb = np.array([(0, 0, 0), (255, 0, 255)], np.uint8)[which]
    target = Target("liver", colour=(255, 0, 255))
    picture(tmp_path / "alpha.png", np.dstack([rgb, np.full((6, 8), 128, np.uint8)]))
    palette = Pillow.fromarray(rgb).convert("P", palette=Pillow.Palette.ADAPTIVE, colors=2)
    palette.save(tmp_path / "palette.png")
    for name in ("alpha.png", "palette.png"):
        np.testing.assert_array_equal(only(flat(), tmp_path / name, target), which, err_msg=name)
    picture(tmp_path / "grey.png", which * 255)
    white = Target("liver", colour=(255, 255, 255))
    np.testing.assert_array_equal(only(flat(), tmp_path / "grey.png", white), which)


def palette_picture(path: Path, indices: NDArray[Any], colours: Sequence[tuple[int, int, int]]) -> None:
    from PIL import Image as Pillow

    made = Pillow.fromarray(indices.astype(np.uint8)).copy()
    made = made.convert("P")
    made.putdata(indices.ravel().tolist())
    made.putpalette([part for colour in colours for part in colour])
    made.save(path)


@pytest.mark.parametrize("name", ["mask.png", "mask.gif"])
def test_label_values_of_a_palette_picture_are_its_indices(name: str, tmp_path: Path) -> None:
    which = draw((6, 8), [1, 2, 3], 0)
    colours = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (1, 1, 2)]
    if name.endswith("gif"):
        # A writer of GIFs may order colours as it likes; what counts is what stands in the file.
        from PIL import Image as Pillow

        palette_picture(tmp_path / name, which, colours)
        with Pillow.open(tmp_path / name) as stored_picture:
            which = np.array(stored_picture)
            assert stored_picture.mode == "P"
    else:
        palette_picture(tmp_path / name, which, colours)
    np.testing.assert_array_equal(only(flat(), tmp_path / name, value(1)), which == 1)
    np.testing.assert_array_equal(only(flat(), tmp_path / name, value(3)), which == 3)
    np.testing.assert_array_equal(only(flat(), tmp_path / name, value(2, 3)), np.isin(which, (2, 3)))
    np.testing.assert_array_equal(only(flat(), tmp_path / name, INSTANCES), which)


@pytest.mark.parametrize("above", [0, 127])
def test_a_threshold_is_one_of_what_a_palette_picture_shows(above: int, tmp_path: Path) -> None:
    white = draw((6, 8), [1], 0)
    palette_picture(tmp_path / "plain.png", white, [(0, 0, 0), (255, 255, 255)])
    palette_picture(tmp_path / "upside_down.png", 1 - white, [(255, 255, 255), (0, 0, 0)])
    for name in ("plain.png", "upside_down.png"):
        found = only(flat(), tmp_path / name, Target("liver", above=above))
        np.testing.assert_array_equal(found, white, err_msg=name)


@pytest.mark.parametrize("name", ["mask.png", "mask.bmp", "mask.tif"])
@pytest.mark.parametrize("target", [ANY, Target("liver", above=127.0), value(1)], ids=["0", "127", "values"])
def test_pictures_of_one_bit(name: str, target: Target, tmp_path: Path) -> None:
    from PIL import Image as Pillow

    mask = draw((6, 8), [1], 0)
    Pillow.fromarray(mask.astype(bool)).save(tmp_path / name)
    with Pillow.open(tmp_path / name) as made:
        assert made.mode == "1"
    np.testing.assert_array_equal(only(flat(), tmp_path / name, target), mask)


@pytest.mark.parametrize("name", ["mask.png", "mask.bmp", "mask.tif"])
@pytest.mark.parametrize("target", [ANY, Target("liver", above=127.0), value(1)], ids=["0", "127", "values"])
def test_pictures_of_0_and_1(name: str, target: Target, tmp_path: Path) -> None:
    mask = draw((6, 8), [1], 0)
    picture(tmp_path / name, mask)
    np.testing.assert_array_equal(only(flat(), tmp_path / name, target), mask)


@pytest.mark.parametrize("name", ["mask.png", "mask.tif"])
def test_empty_masks_are_empty(name: str, tmp_path: Path) -> None:
    picture(tmp_path / name, np.zeros((6, 8), np.uint8))
    for target in (ANY, Target("liver", above=127.0), value(1), INSTANCES):
        assert not only(flat(), tmp_path / name, target).any()


def test_jpegs_are_cut_in_the_middle(tmp_path: Path) -> None:
    from PIL import Image as Pillow

    mask = two_blobs((40, 56)) > 0
    for colour in (False, True):
        array = mask.astype(np.uint8) * 255
        array = np.repeat(array[..., None], 3, axis=-1) if colour else array
        Pillow.fromarray(array).save(tmp_path / "mask.jpg", quality=60)
        with Pillow.open(tmp_path / "mask.jpg") as made:
            assert len(np.unique(np.array(made))) > 2  # as JPEGs do
        found = only(flat((40, 56)), tmp_path / "mask.jpg", Target("liver", above=127.0))
        np.testing.assert_array_equal(found, mask)


def test_noise_of_a_black_jpeg_is_no_mask(tmp_path: Path) -> None:
    picture(tmp_path / "mask.jpg", np.full((16, 16), 1, np.uint8))
    assert not only(flat((16, 16)), tmp_path / "mask.jpg", Target("liver", above=127.0)).any()


def test_soft_maps_are_cut_where_the_card_says(tmp_path: Path) -> None:
    soft = np.tile(np.linspace(0, 255, 8).astype(np.uint8), (6, 1))
    picture(tmp_path / "soft.png", soft)
    found = only(flat(), tmp_path / "soft.png", Target("cup", above=127.0))
    np.testing.assert_array_equal(found, soft > 127)
    nifti(tmp_path / "image.nii", noise((5, 6, 7), 0), grid())
    likely = np.random.default_rng(0).random((5, 6, 7)).astype(np.float32)
    nifti(tmp_path / "soft.nii", likely, grid())
    found = only(tmp_path / "image.nii", tmp_path / "soft.nii", Target("liver", above=0.5))
    np.testing.assert_array_equal(found, likely > 0.5)


def test_masks_with_alpha_are_what_is_seen(tmp_path: Path) -> None:
    mask = draw((6, 8), [1], 0)
    white = np.full((6, 8), 255, np.uint8)
    picture(tmp_path / "rgba.png", np.dstack([white, white, white, mask * 255]))
    picture(tmp_path / "opaque.png", np.dstack([mask * 255, mask * 255, mask * 255, white]))
    picture(tmp_path / "grey.png", np.dstack([mask * 255, white]))
    for name in ("rgba.png", "opaque.png", "grey.png"):
        np.testing.assert_array_equal(only(flat(), tmp_path / name), mask, err_msg=name)
    np.testing.assert_array_equal(only(flat(), tmp_path / "opaque.png", value(255)), mask)


def test_colour_where_one_value_was_meant_counts_as_seen(tmp_path: Path) -> None:
    mask = draw((6, 8), [1], 0)
    picture(tmp_path / "red.png", np.dstack([mask * 255, mask * 0, mask * 0]))
    np.testing.assert_array_equal(only(flat(), tmp_path / "red.png"), mask)


# -- label values ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cells.png", "cells.tif"])
def test_instances_of_16_bits_keep_their_numbers(name: str, tmp_path: Path) -> None:
    cells = np.zeros((6, 8), np.uint16)
    cells[0, 0], cells[1, 1], cells[2, 2:4] = 1, 300, 65535
    picture(tmp_path / name, cells)
    np.testing.assert_array_equal(only(flat(), tmp_path / name, INSTANCES), cells)
    np.testing.assert_array_equal(only(flat(), tmp_path / name, ANY), cells > 0)
    np.testing.assert_array_equal(only(flat(), tmp_path / name, value(300)), cells == 300)


def test_a_single_instance_keeps_its_number(tmp_path: Path) -> None:
    mask = draw((6, 8), [1], 0)
    picture(tmp_path / "cells.png", mask)
    np.testing.assert_array_equal(only(flat(), tmp_path / "cells.png", INSTANCES), mask)


@pytest.mark.parametrize("slope", [None, 0.1, 1 / 3, 1 / 255])
def test_label_values_that_were_stored_as_floats_or_with_a_slope(slope: float | None, tmp_path: Path) -> None:
    import nibabel

    original = draw((5, 6, 7), [1, 2, 3], 0)
    nifti(tmp_path / "image.nii", noise((5, 6, 7), 0), grid())
    if slope is None:
        nifti(tmp_path / "label.nii", original.astype(np.float32), grid())
    else:
        whole = np.round(original / slope).astype(np.int16)
        made = nibabel.Nifti1Image(whole.T, grid().affine_ras)
        made.header.set_slope_inter(slope, 0)
        nibabel.save(made, tmp_path / "label.nii")
        proxy = np.asarray(nibabel.load(tmp_path / "label.nii").dataobj)
        np.testing.assert_allclose(proxy.T, original, atol=1e-4)
    for wanted in (1, 2, 3):
        found = only(tmp_path / "image.nii", tmp_path / "label.nii", value(wanted))
        np.testing.assert_array_equal(found, original == wanted)
    found = only(tmp_path / "image.nii", tmp_path / "label.nii", INSTANCES)
    np.testing.assert_array_equal(found, original)
    assert np.issubdtype(found.dtype, np.integer)


def test_values_between_labels_are_none(tmp_path: Path) -> None:
    between = np.zeros((5, 6, 7), np.float32)
    between[0], between[1], between[2] = 0.5, 1.4, 1.0
    nifti(tmp_path / "image.nii", noise((5, 6, 7), 0), grid())
    nifti(tmp_path / "label.nii", between, grid())
    found = only(tmp_path / "image.nii", tmp_path / "label.nii", value(1))
    np.testing.assert_array_equal(found, between == 1)


def test_values_that_are_no_numbers_are_background(tmp_path: Path) -> None:
    array = np.zeros((5, 6, 7), np.float32)
    array[0], array[1], array[2] = np.nan, 2, -1
    nifti(tmp_path / "image.nii", noise((5, 6, 7), 0), grid())
    nifti(tmp_path / "label.nii", array, grid())
    for target, expected in ((INSTANCES, [0, 2, 0]), (value(2), [0, 1, 0]), (ANY, [0, 1, 0])):
        with pytest.warns(AnytomyWarning, match="NaN"):
            (found,) = labels(tmp_path / "image.nii", tmp_path / "label.nii", target).values()
        assert found[:3, 0, 0].tolist() == expected


def test_arrays_of_an_npz(tmp_path: Path) -> None:
    original = draw((5, 6, 7), [1, 2], 0)
    image = noise((5, 6, 7), 0)
    np.savez(tmp_path / "case.npz", imgs=image, gts=original, other=image[::-1])
    masks = (MaskRef(value(2), (tmp_path / "case.npz",), key="gts"),)
    case = Case("set", "1", "1", ImageRef(tmp_path / "case.npz", key="imgs"), masks)
    read, found = case.load()
    np.testing.assert_array_equal(read.array, image)
    np.testing.assert_array_equal(found["liver"], original == 2)
    other = Case("set", "1", "1", ImageRef(tmp_path / "case.npz", key="other"), masks).read()
    np.testing.assert_array_equal(other.array, image[::-1])
    assert other.path == tmp_path / "case.npz"
    broken = (MaskRef(value(2), (tmp_path / "case.npz",), key="labels"),)
    with pytest.raises(ImageReadError, match=r"case\.npz has no array 'labels', only imgs, gts, other"):
        Case("set", "1", "1", ImageRef(tmp_path / "case.npz", key="imgs"), broken).load()


# -- objects -----------------------------------------------------------------------------------------


def test_parts_are_objects_and_corners_connect(tmp_path: Path) -> None:
    mask = np.zeros((6, 8), np.uint8)
    mask[0, 0] = mask[1, 1] = mask[4, 4:6] = mask[0, 7] = 255
    picture(tmp_path / "mask.png", mask)
    found = only(flat(), tmp_path / "mask.png", Target("lung", above=127.0, objects="parts"))
    assert found.max() == 3
    assert found[0, 0] == found[1, 1] != found[4, 4] == found[4, 5]
    np.testing.assert_array_equal(found > 0, mask > 0)
    volume = np.zeros((5, 6, 7), np.uint8)
    volume[0, 0, 0] = volume[1, 1, 1] = volume[4] = 3
    nifti(tmp_path / "label.nii", volume, grid())
    nifti(tmp_path / "image.nii", noise((5, 6, 7), 0), grid())
    found = only(tmp_path / "image.nii", tmp_path / "label.nii", value(3, objects="parts"))
    assert found.max() == 2


def test_all_of_it_is_one_object(tmp_path: Path) -> None:
    picture(tmp_path / "mask.png", two_blobs((6, 8)) * 100)
    assert set(np.unique(only(flat(), tmp_path / "mask.png"))) == {0, 1}


def test_several_files_are_one_object_each(tmp_path: Path) -> None:
    blobs = two_blobs((8, 8))
    files = [tmp_path / f"{n}.png" for n in (1, 2, 3)]
    for number, path in enumerate(files, start=1):
        picture(path, (blobs == number).astype(np.uint8) * 255)
    found = only(flat((8, 8)), files, Target("tumour", above=0.0), form="files")
    np.testing.assert_array_equal(found, blobs)
    picture(files[2], np.full((8, 8), 255, np.uint8))
    found = only(flat((8, 8)), files, Target("tumour", above=0.0), form="files")
    assert (found == 3).all(), "where objects overlap, the later one lies above"


def test_several_files_are_cut_by_each_targets_own_threshold(tmp_path: Path) -> None:
    soft = np.tile(np.linspace(0, 255, 8).astype(np.uint8), (6, 1))
    files = [tmp_path / "1.png", tmp_path / "2.png"]
    picture(files[0], np.zeros_like(soft))
    picture(files[1], soft)
    targets = [Target("disc", above=50.0), Target("cup", above=200.0)]
    found = labels(flat(), files, *targets, form="files")
    np.testing.assert_array_equal(found["disc"] == 2, soft > 50)
    np.testing.assert_array_equal(found["cup"] == 2, soft > 200)


def test_two_masks_of_one_structure_give_objects_of_both(tmp_path: Path) -> None:
    left, right = np.zeros((2, 6, 8), np.uint8)
    left[:, :3], right[:, 5:] = 1, 1
    picture(tmp_path / "left.png", left * 255)
    picture(tmp_path / "right.png", right * 255)
    refs = tuple(MaskRef(Target("lung", above=0.0), (tmp_path / name,)) for name in ("left.png", "right.png"))
    found = Case("set", "1", "1", ImageRef(Path("x")), refs).labels(flat())["lung"]
    np.testing.assert_array_equal(found, left + 2 * right)


def test_numbers_of_two_masks_do_not_run_over(tmp_path: Path) -> None:
    cells = np.zeros((6, 8), np.uint8)
    cells[0, :2] = 255, 3
    more = np.zeros((6, 8), np.uint8)
    more[5, :2] = 255, 1
    picture(tmp_path / "1.png", cells)
    picture(tmp_path / "2.png", more)
    refs = tuple(MaskRef(INSTANCES, (tmp_path / name,)) for name in ("1.png", "2.png"))
    found = Case("set", "1", "1", ImageRef(Path("x")), refs).labels(flat())["cell"]
    assert found[0, :2].tolist() == [255, 3]
    assert found[5, :2].tolist() == [510, 256]
    assert np.count_nonzero(found) == 4


def test_a_file_of_many_structures_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = draw((5, 6, 7), list(range(1, 6)), 0)
    nifti(tmp_path / "image.nii", noise((5, 6, 7), 0), grid())
    nifti(tmp_path / "label.nii", original, grid())
    calls = []
    plain = loading.raw_label
    monkeypatch.setattr(loading, "raw_label", lambda *a, **k: calls.append(a) or plain(*a, **k))
    targets = [Target(f"organ {n}", values=(n,)) for n in range(1, 6)]
    found = labels(tmp_path / "image.nii", tmp_path / "label.nii", *targets)
    assert len(calls) == 1
    assert list(found) == [f"organ {n}" for n in range(1, 6)]
    for n in range(1, 6):
        np.testing.assert_array_equal(found[f"organ {n}"], original == n)


# -- masks of another size ---------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [2, 3])
def test_masks_are_resized_only_where_the_card_says(factor: int, tmp_path: Path) -> None:
    mask = draw((6, 8), [1, 2], 0)
    picture(tmp_path / "mask.png", mask)
    large = flat((6 * factor, 8 * factor))
    with pytest.raises(GeometryError, match=r"mask\.png has shape \(6, 8\), but its image"):
        only(large, tmp_path / "mask.png", value(2))
    found = only(large, tmp_path / "mask.png", value(2), resize_masks=True)
    np.testing.assert_array_equal(found, np.kron(mask == 2, np.ones((factor, factor))))
    picture(tmp_path / "large.png", np.kron(mask, np.ones((3, 3), np.uint8)))
    small = only(flat(), tmp_path / "large.png", value(2), resize_masks=True)
    np.testing.assert_array_equal(small, mask == 2)


@given(*[st.integers(1, 40)] * 4)
def test_a_resized_mask_has_at_each_pixel_what_lies_under_its_centre(
    folder: Path, height: int, width: int, rows: int, columns: int
) -> None:
    mask = draw((height, width), [1], height * width)
    picture(folder / "mask.png", mask * 255)
    found = only(flat((rows, columns)), folder / "mask.png", resize_masks=True)
    under = [[(2 * i + 1) * n // (2 * m) for i in range(m)] for n, m in ((height, rows), (width, columns))]
    np.testing.assert_array_equal(found, mask[under[0]][:, under[1]])


def test_coloured_masks_are_resized_too(tmp_path: Path) -> None:
    which = draw((6, 8), [1], 0)
    picture(tmp_path / "mask.png", np.array([(0, 0, 0), (255, 0, 0)], np.uint8)[which])
    found = only(
        flat((12, 16)), tmp_path / "mask.png", Target("liver", colour=(255, 0, 0)), resize_masks=True
    )
    np.testing.assert_array_equal(found, np.kron(which, np.ones((2, 2))))


def test_a_label_of_another_grid_is_resampled_by_place(tmp_path: Path) -> None:
    nifti(tmp_path / "image.nii", noise((5, 6, 7), 0), grid())
    fine = Geometry((7, 6, 10), (0.75, 0.5, 1.25), grid().origin_lps_mm)
    original = draw((5, 6, 7), [1], 0)
    order, flips = (1, 2, 0), (True, False, False)
    nifti(
        tmp_path / "label.nii",
        stored_array(original.repeat(2, axis=0), order, flips),
        stored(fine, order, flips),
    )
    found = only(tmp_path / "image.nii", tmp_path / "label.nii", resize_masks=True)
    np.testing.assert_array_equal(found, original)


# -- a picture for each slice of a series ------------------------------------------------------------


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]], ids=str)
def test_pictures_follow_the_files_of_a_series_not_its_positions(order: list[int], tmp_path: Path) -> None:
    geometry = grid()
    voxels = noise(geometry.shape_zyx, 1).astype(np.int16)
    write_series(tmp_path / "series", geometry, voxels, order=order, name="i{:d}.dcm")
    masks = {}
    for z, number in enumerate(order):  # each mask is cut from its own file's slice
        masks[z] = (voxels[z] > 127).astype(np.uint8)
        picture(tmp_path / f"ground/m{number + 8}.png", masks[z] * 255)  # m8, m9, m10, ...
    files = sorted((tmp_path / "ground").iterdir())
    case = Case("set", "1", "1", ImageRef(tmp_path / "series"), (MaskRef(ANY, tuple(files), "slices"),))
    image, found = case.load()
    np.testing.assert_array_equal(found["liver"], image.array > 127)


def slices_case(root: Path, count: int = 5) -> Case:
    write_series(root / "series", grid())
    for z in range(count):
        picture(root / f"ground/{z}.png", np.full((6, 7), 255, np.uint8))
    files = tuple(root / f"ground/{z}.png" for z in range(count))
    return Case("set", "1", "1", ImageRef(root / "series"), (MaskRef(ANY, files, "slices"),))


@pytest.mark.parametrize("count", [4, 6])
def test_a_missing_mask_or_slice_is_said(count: int, tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match=rf"series has 5 slices, but .*ground has {count} masks"):
        slices_case(tmp_path, count).load()


def test_a_picture_of_another_size_is_named(tmp_path: Path) -> None:
    case = slices_case(tmp_path)
    picture(tmp_path / "ground/3.png", np.zeros((7, 6), np.uint8))
    with pytest.raises(GeometryError, match=r"3\.png has shape \(7, 6\), but its slice has \(6, 7\)"):
        case.load()


def test_other_files_beside_the_slices_are_passed_over(tmp_path: Path) -> None:
    case = slices_case(tmp_path)
    (tmp_path / "series/readme.txt").write_text("a text")
    (tmp_path / "series/0").mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AnytomyWarning)
        assert case.load()[1]["liver"].all()


# -- what cannot be read -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mask.png", "mask.jpg", "mask.tif", "mask.nii", "mask.nii.gz", "mask.nrrd"])
@pytest.mark.parametrize("harm", ["cut", "empty", "text", "gone"])
@pytest.mark.parametrize(
    "target",
    [ANY, value(1), INSTANCES, Target("liver", colour=(1, 2, 3))],
    ids=["above", "values", "inst", "rgb"],
)
def test_a_mask_that_cannot_be_read_is_named(name: str, harm: str, target: Target, tmp_path: Path) -> None:
    path = tmp_path / name
    if name.endswith(("nii", "gz")):
        nifti(path, draw((9, 10, 11), [1, 2, 3], 0))
    elif name.endswith("nrrd"):
        simple_itk(path, draw((9, 10, 11), [1, 2, 3], 0), grid(size_xyz=(11, 10, 9)))
    else:
        picture(path, noise((60, 80), 0))
    if harm == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    elif harm == "empty":
        path.write_bytes(b"")
    elif harm == "text":
        path.write_text("Not Found")
    else:
        path.unlink()
    image = Image.from_array(np.zeros((60, 80) if path.suffix in (".png", ".jpg", ".tif") else (9, 10, 11)))
    with pytest.raises(ImageReadError) as caught:
        labels(image, path, target)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_broken_file_of_several_is_named(tmp_path: Path) -> None:
    files = [tmp_path / "1.png", tmp_path / "2.png"]
    picture(files[0], np.zeros((6, 8), np.uint8))
    files[1].write_bytes(b"broken")
    with pytest.raises(ImageReadError, match=r"2\.png"):
        labels(flat(), files, form="files")
    picture(files[1], np.zeros((6, 9), np.uint8))
    with pytest.raises(GeometryError, match=r"2\.png has shape \(6, 9\)"):
        labels(flat(), files, form="files")


def test_an_image_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for key in ("", "imgs", "other"):
        case = Case("set", "1", "1", ImageRef(tmp_path / "gone.npz", key=key), ())
        with pytest.raises(InputError, match=r"gone\.npz"):
            case.read()


# -- modality ----------------------------------------------------------------------------------------


def test_the_sets_modality_is_taken_where_the_file_says_none(tmp_path: Path) -> None:
    hounsfield = np.linspace(-1000, 1500, 5 * 6 * 7).reshape(5, 6, 7).astype(np.int16)
    nifti(tmp_path / "ct.nii", hounsfield, grid())
    nifti(tmp_path / "grey.nii", noise((5, 6, 7), 0), grid())
    write_series(tmp_path / "mr", grid(), modality="MR")

    def modality(name: str, of_set: str) -> str | None:
        return Case("set", "1", "1", ImageRef(tmp_path / name), (), modality=of_set).read().modality

    assert modality("ct.nii", "CT") == "CT"
    assert modality("ct.nii", "MR") == "MR"
    assert modality("ct.nii", "") is None
    assert modality("grey.nii", "CT") is None, "grey levels are no HU, whatever the card says"
    assert modality("grey.nii", "MR") == "MR"
    assert modality("grey.nii", "ultrasound") is None
    assert modality("mr", "CT") == "MR"
