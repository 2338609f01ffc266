"""Overlays: colours, contours and signs lie on the pixels that they speak of."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

from anytomy.core.errors import OutputError
from anytomy.report.draw import colour_of, fitted, font, legend, outline, save_picture
from anytomy.report.overlay import overlay

GREY = np.full((40, 60, 3), 100, np.uint8)
RED, BLUE = (255, 0, 0), (0, 0, 255)


def square(top: int, left: int, size: int) -> np.ndarray:
    mask = np.zeros((40, 60), bool)
    mask[top : top + size, left : left + size] = True
    return mask


def test_small_pictures_are_enlarged_by_a_whole_factor_without_blur():
    picture = np.random.default_rng(0).integers(0, 255, (40, 60, 3)).astype(np.uint8)
    drawn = overlay(picture, [], min_side=100)
    np.testing.assert_array_equal(drawn, picture.repeat(3, axis=0).repeat(3, axis=1))
    np.testing.assert_array_equal(overlay(picture, [], min_side=40), picture)


def test_the_contour_is_the_edge_of_the_mask_and_nothing_outside_changes():
    mask = square(10, 20, 15)
    drawn = overlay(GREY, [mask], colours=[RED], alpha=0.5, min_side=400)
    large = mask.repeat(10, axis=0).repeat(10, axis=1)
    assert (drawn[~large] == 100).all()
    assert tuple(drawn[100, 200]) == RED  # first pixel of the mask
    assert tuple(drawn[249, 349]) == RED  # last one
    assert tuple(drawn[175, 275]) == (178, 50, 50)  # half of both inside


def test_every_object_has_its_own_colour():
    drawn = overlay(GREY, [square(2, 2, 10), square(20, 30, 10)], colours=[RED, BLUE], min_side=40)
    assert tuple(drawn[2, 2]) == RED
    assert tuple(drawn[20, 30]) == BLUE
    assert len({colour_of(i) for i in range(30)}) == 30


def test_masks_at_the_border_are_not_fenced_off():
    whole = np.ones((6, 6), bool)
    assert not outline(whole, 2).any()
    assert outline(np.eye(6, dtype=bool), 1).sum() == 6


def test_a_box_covers_its_pixels_with_exclusive_end():
    drawn = overlay(GREY, [], boxes=[(10, 5, 20, 15)], colours=[RED], min_side=400)
    changed = np.argwhere((drawn != 100).any(axis=2))
    # The line of two pixels with a black rim lies on the edges of pixels 10 to 19 and 5 to 14.
    np.testing.assert_allclose(changed.min(axis=0), (50, 100), atol=3)
    np.testing.assert_allclose(changed.max(axis=0), (149, 199), atol=3)
    assert (drawn[60:140, 110:190] == 100).all()
    reds = (drawn == RED).all(axis=2)
    assert 0.3 < reds[50, 105:195].mean() < 0.8  # dashed


def test_points_lie_on_pixel_centres_and_differ_in_shape():
    drawn = overlay(GREY, [], points=[[(10, 20), (40, 20)]], labels=[[1, 0]], colours=[RED], min_side=400)
    centre = np.argwhere((drawn == RED).all(axis=2)).mean(axis=0)
    np.testing.assert_allclose(centre, (204.5, 104.5), atol=1)
    cross = (drawn[190:220, 390:420] == 255).all(axis=2)
    plus = (drawn[190:220, 90:120] == RED).all(axis=2)
    assert (plus[14, 8], plus[9, 9]) == (True, False)  # arms along the axes ...
    assert (cross[10, 10], cross[14, 8]) == (True, False)  # ... and along the diagonals


def test_names_stand_below_and_long_lists_end():
    drawn = overlay(GREY, [square(0, 0, 4)], names=["liver"], colours=[RED], min_side=400)
    assert drawn.shape[0] > 400
    assert drawn.shape[1] == 600
    np.testing.assert_array_equal(drawn[:400], overlay(GREY, [square(0, 0, 4)], colours=[RED], min_side=400))
    assert (drawn[400:] == RED).all(axis=2).sum() >= 14 * 14
    many = legend([(f"nucleus {i}", RED) for i in range(500)], 600)
    assert many.shape[0] < 200


@pytest.mark.parametrize("shape", [(3, 900, 3), (900, 3, 3), (1, 1, 3), (5000, 40, 3)])
def test_odd_shapes(shape):
    picture = np.zeros(shape, np.uint8)
    mask = np.ones(shape[:2], bool)
    drawn = overlay(picture, [mask], boxes=[(0, 0, 1, 1)], points=[[(0, 0)]], names=["a name that is long"])
    assert drawn.dtype == np.uint8
    assert max(drawn.shape) < 6000


def test_text_is_cut_to_its_room():
    assert fitted("liver", 200) == "liver"
    cut = fitted("a very long name of a very small structure", 100)
    assert cut.endswith("…")
    assert font(14).getlength(cut) <= 100


@pytest.mark.parametrize("name", ["a.png", "a.JPG", "a.jpeg"])
def test_pictures_are_saved(tmp_path, name):
    save_picture(tmp_path / "new" / name, GREY)
    with Pillow.open(tmp_path / "new" / name) as picture:
        np.testing.assert_allclose(np.array(picture), GREY, atol=2)
    assert [p.name for p in (tmp_path / "new").iterdir()] == [name]


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(OutputError, match=r"\.png or \.jpg"):
        save_picture(tmp_path / "a.webp", GREY)
