"""Dice, IoU, volumes, slices in which nothing was to be found."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from anytomy.core.errors import GeometryError, OptionError
from anytomy.evaluation.metrics import dice, false_positive_slices, iou, volume_error, volume_error_ml
from tests.evaluation.metrics.strategies import blobs, pairs

masks = arrays(bool, (3, 4, 5))


@given(masks, masks)
def test_agrees_with_sets(a, b):
    first, second = ({tuple(p) for p in np.argwhere(m)} for m in (a, b))
    empty = not first and not second
    expected = 1.0 if empty else 2 * len(first & second) / (len(first) + len(second))
    assert dice(a, b) == pytest.approx(expected)
    assert iou(a, b) == pytest.approx(1.0 if empty else len(first & second) / len(first | second))


@given(pairs(min_dims=1))
def test_dice_and_iou_are_symmetric_and_say_the_same(both):
    a, b = both
    assert dice(a, b) == dice(b, a)
    assert iou(a, b) == iou(b, a)
    assert dice(a, b) == pytest.approx(2 * iou(a, b) / (1 + iou(a, b)))


@given(masks, st.sampled_from([np.uint8, np.int64, np.float32]))
def test_any_type_counts_as_a_mask(a, dtype):
    assert dice(a.astype(dtype) * 3, a) == 1


def test_empty_masks():
    none, some = np.zeros((4, 4), bool), np.eye(4, dtype=bool)
    assert dice(none, none) == iou(none, none) == 1
    assert dice(none, some) == dice(some, none) == iou(none, some) == iou(some, none) == 0


def test_large_masks_do_not_overflow():
    many = np.ones((2**16, 2**10), dtype=bool)
    assert dice(many, many) == 1


@pytest.mark.parametrize("metric", [dice, iou, volume_error, false_positive_slices])
def test_shapes_that_differ_are_refused(metric):
    with pytest.raises(GeometryError, match=r"\(2, 3\) and \(3, 2\)"):
        metric(np.ones((2, 3)), np.ones((3, 2)))


@pytest.mark.parametrize("ndim", [2, 3])
def test_agrees_with_monai(ndim):
    import torch
    from monai.metrics import compute_dice, compute_iou

    for seed in range(5):
        found, truth, _ = blobs(seed, ndim)
        a, b = (torch.from_numpy(m[None, None].astype(np.float32)) for m in (found, truth))
        assert dice(found, truth) == pytest.approx(compute_dice(a, b).item(), abs=1e-6)
        assert iou(found, truth) == pytest.approx(compute_iou(a, b).item(), abs=1e-6)


class TestVolume:
    truth = np.zeros((4, 5, 6), bool)
    truth[1:3, 1:3, 1:3] = True  # 8 voxels

    def test_error_is_signed_and_relative_to_the_truth(self):
        less, more = self.truth.copy(), self.truth.copy()
        less[1] = False
        more[0, 0] = True
        assert volume_error(less, self.truth) == -0.5
        assert volume_error(more, self.truth) == 6 / 8
        assert volume_error(self.truth, self.truth) == 0

    def test_error_in_ml(self):
        assert volume_error_ml(np.ones_like(self.truth), self.truth, (5, 2, 1)) == pytest.approx(112 * 0.01)
        assert volume_error_ml(self.truth * 0, self.truth, (5, 2, 1)) == pytest.approx(-0.08)

    def test_nothing_to_be_found_has_no_relative_error_but_ml(self):
        assert math.isnan(volume_error(self.truth, self.truth * 0))
        assert volume_error_ml(self.truth, self.truth * 0, (10, 10, 10)) == 8

    def test_a_picture_has_no_volume(self):
        with pytest.raises(GeometryError, match=r"\(z, y, x\)"):
            volume_error_ml(np.ones((2, 2)), np.ones((2, 2)), (1, 1))


class TestFalsePositiveSlices:
    truth = np.zeros((5, 4, 3), bool)
    truth[1:3, 1, 1] = True

    def test_counts_only_slices_without_truth(self):
        found = np.zeros_like(self.truth)
        found[2:5, 0, 0] = True
        assert false_positive_slices(found, self.truth) == (2, 3)
        assert false_positive_slices(found, self.truth, axis=1) == (1, 3)
        assert false_positive_slices(found, self.truth, axis=-1) == (1, 2)

    def test_nothing_found(self):
        assert false_positive_slices(self.truth * 0, self.truth) == (0, 3)
        assert false_positive_slices(self.truth * 0, self.truth * 0) == (0, 5)

    def test_everything_found(self):
        assert false_positive_slices(self.truth * 0 + 1, self.truth) == (3, 3)

    def test_a_picture_is_one_slice(self):
        none, some = np.zeros((3, 3)), np.eye(3)
        assert false_positive_slices(some, none) == (1, 1)
        assert false_positive_slices(none, none) == (0, 1)
        assert false_positive_slices(some, some) == (0, 0)

    def test_an_axis_that_is_not_there_is_refused(self):
        with pytest.raises(OptionError, match="axis"):
            false_positive_slices(self.truth, self.truth, axis=3)

    @given(masks, masks, st.integers(0, 2))
    def test_agrees_with_a_loop(self, found, truth, axis):
        slices = list(zip(np.moveaxis(found, axis, 0), np.moveaxis(truth, axis, 0), strict=True))
        empty = [f for f, t in slices if not t.any()]
        assert false_positive_slices(found, truth, axis) == (sum(f.any() for f in empty), len(empty))
