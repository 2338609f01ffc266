"""Contours run along the edges of pixels, closed, the object on their right."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from anytomy.report.contour import contours, dashes

masks = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


def signed_area(line):
    x, y = line.T
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2


@given(masks)
def test_the_lines_enclose_exactly_the_mask(mask):
    lines = contours(mask)
    assert sum(signed_area(line) for line in lines) == mask.sum()
    for line in lines:
        assert (line[0] == line[-1]).all()
        assert (np.abs(np.diff(line, axis=0)).min(axis=1) == 0).all()  # along rows or columns


@given(masks)
def test_their_length_is_the_number_of_edges(mask):
    padded = np.pad(mask, 1).astype(int)
    edges = sum(np.abs(np.diff(padded, axis=axis)).sum() for axis in (0, 1))
    length = sum(np.abs(np.diff(line, axis=0)).sum() for line in contours(mask))
    assert length == edges


@given(masks)
def test_there_is_one_line_around_each_part_and_each_hole(mask):
    # Pixels that touch at a corner are kept apart, holes that do so are one.
    parts = ndimage.label(mask)[1]
    holes = ndimage.label(~np.pad(mask, 1), np.ones((3, 3)))[1] - 1
    areas = [signed_area(line) for line in contours(mask)]
    assert sum(area > 0 for area in areas) == parts
    assert sum(area < 0 for area in areas) == holes


def test_dashes_are_as_long_as_asked_and_follow_corners():
    line = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 5.0]])
    pieces = dashes(line, 4, 2)
    lengths = [np.hypot(*np.diff(piece, axis=0).T).sum() for piece in pieces]
    np.testing.assert_allclose(lengths, [4, 4, 3])
    np.testing.assert_allclose(pieces[1], [[6, 0], [10, 0]])
    np.testing.assert_allclose(pieces[2], [[10, 2], [10, 5]])
    np.testing.assert_allclose(dashes(line, 12, 2)[0], [[0, 0], [10, 0], [10, 2]])
