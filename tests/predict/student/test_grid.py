"""The grid of a student: sizes, orientation, colours, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.core.view import SliceView
from anytomy.predict.student.grid import StudentGrid, resized

RANDOM = np.random.default_rng(0)


def grid(**changes: Any) -> StudentGrid:
    values: dict[str, Any] = {"dims": 2, "colours": 1, "patch": (16, 16)}
    return StudentGrid(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "shape", "spacing", "expected"),
    [
        ({}, (3, 20, 30), (5, 1, 1), (3, 20, 30)),
        ({"size": 64}, (3, 20, 30), (5, 1, 1), (3, 43, 64)),
        ({"size": 64}, (1, 1000, 1), (1, 1, 1), (1, 64, 1)),
        ({"spacing_mm": (2.0, 0.5)}, (3, 20, 30), (5, 1, 1), (3, 10, 60)),
        ({"dims": 3, "patch": (8, 8, 8), "spacing_mm": (2.5, 2, 2)}, (3, 20, 30), (5, 1, 1), (6, 10, 15)),
    ],
)
def test_sizes_on_the_grid(changes: Any, shape: Any, spacing: Any, expected: Any) -> None:
    assert grid(**changes).shape(shape, spacing) == expected


@given(source=st.integers(1, 40), target=st.integers(1, 80))
def test_resizing_keeps_what_is_constant_and_enlarges_as_torch(source: int, target: int) -> None:
    np.testing.assert_allclose(resized(np.full((2, source), 7, np.float32), (target,)), 7, rtol=1e-6)
    values = np.random.default_rng(source).normal(size=(1, 1, source)).astype(np.float32)
    if target >= source:
        expected = F.interpolate(torch.tensor(values), size=target, mode="linear", align_corners=False)
    else:
        flat = torch.tensor(values)[:, :, None]
        expected = F.interpolate(
            flat.expand(1, 1, 3, source),
            size=(3, target),
            mode="bilinear",
            align_corners=False,
            antialias=True,
        )[:, :, 0]
    np.testing.assert_allclose(resized(values, (target,)), expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("dims", [2, 3])
def test_a_scan_looks_the_same_however_it_is_stored(dims: int) -> None:
    """A slice of a 2D student keeps its axis; a 3D student sees axial slices from foot to head."""
    array = RANDOM.integers(0, 255, (6, 9, 12), dtype=np.uint8)
    plain = Geometry(size_xyz=(12, 9, 6), spacing_xyz_mm=(1.0, 1.5, 4.0))
    turned = Image.from_array(
        array[:, ::-1, ::-1],
        geometry=Geometry(
            size_xyz=(12, 9, 6),
            spacing_xyz_mm=(1.0, 1.5, 4.0),
            direction=((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0)),
        ),
    )
    mine = grid(dims=dims, patch=(8,) * dims, spacing_mm=(2.0,) * dims)
    first = mine.levels(Image.from_array(array, geometry=plain), "none")
    np.testing.assert_array_equal(first, mine.levels(turned, "none"))
    assert first.dtype == np.uint8
    assert first.shape == ((1, 6, 7, 6) if dims == 2 else (1, 12, 7, 6))


def test_a_3d_student_finds_the_axial_slices() -> None:
    # Sagittal acquisition: the file's z runs to the left, its y from head to foot, its x to the back.
    geometry = Geometry(size_xyz=(12, 9, 6), direction=((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, -1.0, 0.0)))
    image = Image.from_array(RANDOM.integers(0, 255, (6, 9, 12), dtype=np.uint8), geometry=geometry)
    solid = grid(dims=3, patch=(8, 8, 8))
    assert solid.levels(image, "none").shape == (1, 9, 12, 6)
    assert grid().levels(image, "none").shape[1] == 6
    np.testing.assert_array_equal(
        solid.levels(image, "none")[0], SliceView.canonical(geometry, "y").apply(image.array)
    )


def test_back_on_the_files_pixels() -> None:
    image = Image.from_array(
        np.zeros((6, 9, 12), np.uint8), geometry=Geometry(size_xyz=(12, 9, 6), spacing_xyz_mm=(1.0, 1.0, 3.0))
    )
    solid = grid(dims=3, patch=(8, 8, 8), spacing_mm=(1.5, 0.5, 0.5))
    z, y, x = np.meshgrid(*(np.linspace(0, 1, n) for n in (12, 18, 24)), indexing="ij")
    back = solid.restore(np.stack([z, y, x]).astype(np.float32), image)
    assert back.shape == (3, 6, 9, 12)
    assert (np.diff(back[0], axis=0) > 0).all()
    assert (np.diff(back[2], axis=2) > 0).all()
    flat = grid(size=20).restore(np.ones((2, 1, 15, 20), np.float32), Image.from_array(np.zeros((30, 40))))
    assert flat.shape == (2, 30, 40)


def test_colours() -> None:
    picture = RANDOM.integers(0, 255, (1, 5, 6, 3), dtype=np.uint8)
    three = grid(colours=3, mean=(0.0,) * 3, std=(255.0,) * 3)
    np.testing.assert_array_equal(three.coloured(picture), picture.transpose(3, 0, 1, 2))
    from PIL import Image as Picture

    expected = np.asarray(Picture.fromarray(picture[0]).convert("L"), np.float32)
    assert np.abs(grid().coloured(picture)[0, 0] - expected).max() <= 1
    np.testing.assert_array_equal(three.coloured(picture[..., 0])[2], picture[..., 0])


def test_normalised_takes_arrays_and_tensors() -> None:
    mine = grid(colours=3, mean=(51.0, 102.0, 0.0), std=(51.0, 25.5, 255.0))
    levels = np.full((3, 2, 2), 0.4, np.float32)
    found = mine.normalised(levels)
    np.testing.assert_allclose(found[:, 0, 0], [1.0, 0.0, 0.4], atol=1e-6)
    np.testing.assert_allclose(mine.normalised(torch.tensor(levels)).numpy(), found, atol=1e-6)
