"""Cells: AP at IoU thresholds and panoptic quality."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from anytomy.core.errors import GeometryError, OptionError
from anytomy.evaluation.metrics import (
    Emptiness,
    Overlaps,
    average_precision,
    match,
    measure_instances,
    panoptic_quality,
)

label_maps = arrays(np.uint8, (5, 6), elements=st.integers(0, 4))
mask_lists = st.lists(arrays(bool, (2, 4)), max_size=4)


def row(*runs, length=60):
    """A picture of one row with the given runs (start, stop), each a mask."""
    return [np.array([[start <= x < stop for x in range(length)]]) for start, stop in runs]


def labels(*runs, length=60):
    return sum(mask * number for number, mask in enumerate(row(*runs, length=length), start=1))


# IoU 0.8, IoU 0.6, one missed, one invented.
TRUTH = labels((0, 10), (20, 30), (40, 50))
FOUND = labels((0, 8), (20, 26), (55, 60))


def test_panoptic_quality_by_hand():
    result = panoptic_quality(FOUND, TRUTH)
    assert result.matching.pairs == ((1, 1, 0.8), (2, 2, 0.6))
    assert (result.matching.false_positives, result.matching.false_negatives) == (1, 1)
    assert result.pq == pytest.approx(1.4 / 3)
    assert result.sq == pytest.approx(0.7)
    assert result.dq == pytest.approx(2 / 3)


def test_average_precision_by_hand():
    result = average_precision(FOUND, TRUTH)
    # Two of four up to 0.6, one of five up to 0.8, then none of six.
    assert list(result.values) == [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
    assert list(result.values.values()) == pytest.approx([0.5] * 3 + [0.2] * 4 + [0] * 3)
    assert result.mean == pytest.approx((1.5 + 0.8) / 10)


def test_an_iou_of_one_half_is_a_match_for_ap_and_none_for_pq():
    truth, found = labels((0, 10)), labels((0, 5))
    assert average_precision(found, truth, [0.5]).values == {0.5: 1}
    assert panoptic_quality(found, truth).pq == 0
    assert panoptic_quality(found, truth).sq == 0


def test_one_object_counts_once():
    # A nucleus split in two halves of IoU 0.5, and one prompted twice.
    assert match(Overlaps.between(labels((0, 5), (5, 10)), labels((0, 10))), 0.5).false_positives == 1
    twice = match(Overlaps.between(row((0, 10), (0, 9)), labels((0, 10))), 0.5)
    assert twice.pairs == ((0, 1, 1.0),)
    assert twice.false_positives == 1


def test_masks_that_overlap_are_paired_so_that_most_find_a_partner():
    # The first mask fits the second object best, but then the second mask would be left alone.
    truth = row((0, 10), (2, 12))
    found = row((1, 12), (3, 12))
    pairs = match(Overlaps.between(found, truth), 0.5).pairs
    assert [(f, t) for f, t, _ in pairs] == [(0, 0), (1, 1)]
    assert pairs[0][2] == pytest.approx(9 / 12)


def test_objects_go_by_their_labels():
    truth = TRUTH.astype(np.int64) * 100_000_000_000
    pairs = panoptic_quality(FOUND.astype(np.uint16) * 7, truth).matching.pairs
    assert [pair[:2] for pair in pairs] == [(7, 100_000_000_000), (14, 200_000_000_000)]


@given(label_maps, label_maps)
def test_label_maps_and_masks_say_the_same(found, truth):
    as_masks = [[m == n for n in range(1, 5)] for m in (found, truth)]
    expected = measure_instances(found, truth)
    for a, b in itertools.product((found, as_masks[0]), (truth, as_masks[1], np.stack(as_masks[1]))):
        result = measure_instances(a, b)
        for name in ("ap", "ap50", "pq", "sq", "dq", "tp", "fp", "fn", "empty", "truth_objects"):
            assert result[name] == expected[name]
        assert result["found_objects"] == len(set(found.ravel()) - {0})


@given(mask_lists, mask_lists)
def test_iou_agrees_with_one_by_one(found, truth):
    overlaps = Overlaps.between(found, truth)
    seen = {
        (overlaps.found_ids[f], overlaps.truth_ids[t]): value
        for f, t, value in zip(overlaps.found, overlaps.truth, overlaps.iou, strict=True)
    }
    for (i, a), (j, b) in itertools.product(enumerate(found), enumerate(truth)):
        shared = np.count_nonzero(a & b)
        expected = shared / np.count_nonzero(a | b) if shared else 0
        assert seen.get((i, j), 0) == pytest.approx(expected)


@given(mask_lists, mask_lists, st.sampled_from([0.05, 0.2, 0.5, 0.75, 1]))
def test_no_other_pairing_is_better(found, truth, threshold):
    overlaps = Overlaps.between(found, truth)
    table = {
        (overlaps.found_ids[f], overlaps.truth_ids[t]): value
        for f, t, value in zip(overlaps.found, overlaps.truth, overlaps.iou, strict=True)
        if value >= threshold
    }
    # Truth for each found mask, or None (there are as many Nones as found masks).
    choices = [*range(len(truth)), *[None] * len(found)]
    best = (0, 0.0)
    for choice in itertools.permutations(choices, len(found)):
        values = [table[f, t] for f, t in enumerate(choice) if (f, t) in table]
        best = max(best, (len(values), sum(values)))
    pairs = match(overlaps, threshold).pairs
    assert len(pairs) == best[0]
    assert sum(value for _, _, value in pairs) == pytest.approx(best[1])
    assert len({f for f, _, _ in pairs}) == len({t for _, t, _ in pairs}) == len(pairs)


@given(label_maps)
def test_the_truth_itself_is_perfect(truth):
    result = measure_instances(truth, truth)
    assert result["ap"] == result["pq"] == result["sq"] == result["dq"] == 1


class TestEmpty:
    none = np.zeros((1, 60), int)

    @pytest.mark.parametrize(
        ("found", "truth", "case", "value"),
        [
            (none, none, Emptiness.BOTH, 1),
            ([], [], Emptiness.BOTH, 1),
            (FOUND, none, Emptiness.TRUTH, 0),
            (FOUND, [], Emptiness.TRUTH, 0),
            (none, TRUTH, Emptiness.FOUND, 0),
            ([], TRUTH, Emptiness.FOUND, 0),
            (labels((12, 18)), TRUTH, Emptiness.NONE, 0),
        ],
    )
    def test_no_objects(self, found, truth, case, value):
        result = measure_instances(found, truth)
        assert result["empty"] == case
        assert result["ap"] == result["ap50"] == result["pq"] == result["sq"] == result["dq"] == value

    def test_masks_without_pixels_are_no_objects_but_counted(self):
        result = measure_instances([*row((0, 10)), self.none], [*row((0, 10)), self.none, self.none])
        assert (result["tp"], result["fp"], result["fn"]) == (1, 0, 0)
        assert (result["found_without_pixels"], result["truth_without_pixels"]) == (1, 2)
        assert (result["found_objects"], result["truth_objects"]) == (1, 1)


class TestRefused:
    @pytest.mark.parametrize("threshold", [0, -0.5, 1.01, float("nan")])
    def test_thresholds(self, threshold):
        with pytest.raises(OptionError, match="IoU threshold"):
            average_precision(FOUND, TRUTH, [threshold])
        with pytest.raises(OptionError, match="at least one"):
            average_precision(FOUND, TRUTH, [])

    @pytest.mark.parametrize(
        "found", [TRUTH.T, np.zeros((2, 60), np.uint8), row((0, 3), length=59), [np.ones((2, 60))]]
    )
    def test_shapes_that_differ(self, found):
        with pytest.raises(GeometryError, match="one shape"):
            average_precision(found, TRUTH)

    def test_masks_of_several_shapes(self):
        with pytest.raises(GeometryError, match="one shape"):
            panoptic_quality([*row((0, 3)), *row((0, 3), length=61)], TRUTH)

    @pytest.mark.parametrize("found", [TRUTH > 0, TRUTH.astype(float), {1: TRUTH}, None])
    def test_neither_a_label_map_nor_masks(self, found):
        with pytest.raises(GeometryError, match="label map"):
            panoptic_quality(found, TRUTH)

    def test_negative_labels(self):
        with pytest.raises(GeometryError, match="from 0 on, got -3"):
            panoptic_quality(-TRUTH, TRUTH)
