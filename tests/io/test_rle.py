"""Run lengths: worked examples, and there and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from anytomy.io import rle

DISC = (
    "ho11l2>F6J6L2M4L4M2N2N2N2N2N2O0O2O0O2N2O000O2O000O2O00000000000O20N1000000000001N10001N100"
    "01N2N101N101N2N2N2N2N2N3L4L3N4J6J:Bkh3"
)
MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=30))


@pytest.mark.parametrize(
    ("mask", "runs", "text"),
    [
        ([[0, 0], [0, 0]], [4], "4"),
        ([[1, 1], [1, 1]], [0, 4], "04"),
        ([[1, 0], [0, 1]], [0, 1, 2, 1], "0120"),
        ([[0, 1, 1], [0, 1, 0]], [2, 3, 1], "231"),
    ],
)
def test_examples(mask: list[list[int]], runs: list[int], text: str) -> None:
    array = np.array(mask, dtype=bool)
    assert rle.encode(array, 0, 0, array.shape) == runs
    assert rle.to_text(runs) == text


def test_text_of_the_coco_api() -> None:
    """Made by pycocotools 2.0 of a disc of radius 30 at (40, 50) in a picture of 100 x 120."""
    y, x = np.indices((100, 120))
    disc = np.hypot(y - 40, x - 50) <= 30
    assert rle.to_text(rle.encode(disc, 0, 0, (100, 120))) == DISC
    np.testing.assert_array_equal(rle.decode(rle.from_text(DISC), (100, 120)), disc)


@given(MASKS)
def test_there_and_back(mask: np.ndarray) -> None:
    shape = (mask.shape[0], mask.shape[1])
    runs = rle.encode(mask, 0, 0, shape)
    assert sum(runs) == mask.size
    assert all(run > 0 for run in runs[1:])
    np.testing.assert_array_equal(rle.decode(runs, shape), mask)
    assert rle.from_text(rle.to_text(runs)) == runs


@given(MASKS, st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_a_crop_brings_what_the_whole_brings(
    crop: np.ndarray, top: int, left: int, below: int, right: int
) -> None:
    whole = np.pad(crop, ((top, below), (left, right)))
    shape = (whole.shape[0], whole.shape[1])
    assert rle.encode(crop, top, left, shape) == rle.encode(whole, 0, 0, shape)


@given(st.lists(st.integers(0, 2**40), max_size=20))
def test_any_runs_as_text(runs: list[int]) -> None:
    assert rle.from_text(rle.to_text(runs)) == runs


@pytest.mark.parametrize("text", ["é", "4 ", "\n", "Q"])
def test_what_is_no_such_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="run lengths as text"):
        rle.from_text(text)


@pytest.mark.parametrize("runs", [[3], [5], [-1, 5], [[4]]])
def test_runs_that_do_not_fill_the_picture_are_refused(runs: list[int]) -> None:
    with pytest.raises(ValueError, match="fill 2 x 2"):
        rle.decode(runs, (2, 2))
