"""Dice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from anytomy.core.errors import GeometryError
from anytomy.evaluation.metrics import dice

masks = arrays(bool, (3, 4, 5))


@given(masks, masks)
def test_agrees_with_sets(a, b):
    first, second = ({tuple(p) for p in np.argwhere(m)} for m in (a, b))
    expected = 1.0 if not first and not second else 2 * len(first & second) / (len(first) + len(second))
    assert dice(a, b) == pytest.approx(expected)
    assert dice(a, b) == dice(b, a)


@given(masks, st.sampled_from([np.uint8, np.int64, np.float32]))
def test_any_type_counts_as_a_mask(a, dtype):
    assert dice(a.astype(dtype) * 3, a) == 1


def test_empty_masks():
    none, some = np.zeros((4, 4), bool), np.eye(4, dtype=bool)
    assert dice(none, none) == 1
    assert dice(none, some) == dice(some, none) == 0


def test_large_masks_do_not_overflow():
    many = np.ones((2**16, 2**10), dtype=bool)
    assert dice(many, many) == 1


def test_shapes_that_differ_are_refused():
    with pytest.raises(GeometryError, match=r"\(2, 3\) and \(3, 2\)"):
        dice(np.ones((2, 3)), np.ones((3, 2)))
