from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anytomy.core.errors import ImageReadError
from anytomy.core.geometry import Geometry
from anytomy.core.image import Image


class TestFromArray:
    @pytest.mark.parametrize(
        ("shape", "is_volume", "is_colour", "size_xyz"),
        [
            ((4, 5), False, False, (5, 4, 1)),
            ((4, 5, 3), False, True, (5, 4, 1)),
            ((6, 4, 5), True, False, (5, 4, 6)),
            ((6, 4, 5, 3), True, True, (5, 4, 6)),
        ],
    )
    def test_axes_say_what_it_is(
        self, shape: tuple[int, ...], is_volume: bool, is_colour: bool, size_xyz: tuple[int, ...]
    ) -> None:
        image = Image.from_array(np.zeros(shape, np.int16))
        assert (image.is_volume, image.is_colour) == (is_volume, is_colour)
        assert image.geometry.size_xyz == size_xyz
        assert image.volume.shape[:3] == image.geometry.shape_zyx
        assert np.shares_memory(image.volume, image.array)

    def test_three_columns_can_be_a_volume(self) -> None:
        image = Image.from_array(np.zeros((4, 5, 3)), is_volume=True)
        assert (image.is_volume, image.is_colour, image.geometry.size_xyz) == (True, False, (3, 5, 4))

    def test_masks_become_numbers(self) -> None:
        assert Image.from_array(np.ones((2, 2), bool)).array.dtype == np.uint8

    @pytest.mark.parametrize(
        ("array", "message"),
        [
            (np.zeros((0, 4)), "got shape"),
            (np.zeros(()), "got shape"),
            (np.zeros(5), "got shape"),
            (np.zeros((2, 2), complex), "whole or real numbers"),
            (np.full((2, 2), "x"), "whole or real numbers"),
            (np.full((2, 2), None), "whole or real numbers"),
            (np.zeros((2, 2), "M8[s]"), "whole or real numbers"),
            (np.zeros((2, 2, 2, 4)), "4 channels"),
            (np.zeros((2, 2, 2, 3, 3)), "shape"),
        ],
        ids=["empty", "a number", "a row", "complex", "text", "objects", "dates", "channels", "five axes"],
    )
    def test_what_is_no_image_is_refused(self, array: np.ndarray, message: str) -> None:
        with pytest.raises(ImageReadError, match=message):
            Image.from_array(array)


class TestFit:
    def test_the_array_must_lie_on_its_grid(self) -> None:
        with pytest.raises(ImageReadError, match=r"scan\.nii has shape \(5, 4, 3\), expected \(3, 4, 5\)"):
            Image(np.zeros((5, 4, 3)), Geometry((5, 4, 3)), is_volume=True, path=Path("scan.nii"))

    def test_an_image_has_one_slice(self) -> None:
        with pytest.raises(ImageReadError, match="2 slices"):
            Image(np.zeros((4, 5)), Geometry((5, 4, 2)), is_volume=False)

    def test_messages_name_the_file(self) -> None:
        image = Image(np.zeros((4, 5)), Geometry((5, 4, 1)), is_volume=False, path=Path("a") / "b.png")
        assert image.name == str(Path("a") / "b.png")
        assert Image.from_array(np.zeros((4, 5))).name == "image"
