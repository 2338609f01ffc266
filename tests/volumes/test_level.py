from __future__ import annotations

import numpy as np
import pytest

from anytomy.volumes.level import level, tight_box


def hill(radius_at_zero: float) -> np.ndarray:
    """Logits that fall by one a pixel from the middle of 41 x 41 pixels."""
    y, x = np.indices((41, 41))
    return (radius_at_zero - np.maximum(abs(y - 20), abs(x - 20))).astype(np.float32)


def square(radius: int) -> tuple[float, float, float, float]:
    return (20.0 - radius, 20.0 - radius, 21.0 + radius, 21.0 + radius)


def test_a_mask_that_fills_its_box_is_left_alone() -> None:
    assert level(hill(8.5), square(8)) == 0


def test_a_mask_that_is_nearly_as_large_as_its_box_is_left_alone() -> None:
    assert level(hill(9.5), square(10)) == 0  # 19 of 21 pixels: 0.82 of the area


@pytest.mark.parametrize("radius", [8, 9, 10])
def test_a_timid_mask_is_widened_until_it_fills_its_box(radius: int) -> None:
    logits = hill(5.5)
    found = level(logits, square(radius))
    box = tight_box(logits > found)
    assert box is not None
    assert found < 0
    assert np.prod(box[2:] - box[:2]) / (2 * radius + 1) ** 2 == pytest.approx(0.9, abs=0.1)


def test_a_mask_that_is_too_large_is_left_alone() -> None:
    assert level(hill(12.5), square(6)) == 0


def test_it_goes_no_further_than_the_box_gains_by_it() -> None:
    logits = np.full((20, 20), -3.0, np.float32)  # beyond -3 all is object
    logits[5:10, 5:10] = 1
    logits[5:10, 10:12] = -1
    found = level(logits, (5.0, 5.0, 13.0, 13.0))
    assert found == -1.25


def test_an_empty_mask_without_anything_near_stays_empty() -> None:
    assert level(np.full((8, 8), -20.0, np.float32), (1.0, 1.0, 4.0, 4.0)) == 0


def test_boxes_of_masks_have_exclusive_ends() -> None:
    mask = np.zeros((6, 7), bool)
    mask[2:4, 3:6] = True
    box = tight_box(mask)
    assert box is not None
    assert box.tolist() == [3, 2, 6, 4]
    assert tight_box(np.zeros((2, 2), bool)) is None
