"""Non-maximum suppression: of masks that are alike the best one stays, whatever their order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytomy.predict.automatic.instance import Instance, overlap, suppress, tight
from anytomy.predict.automatic.proposals import stability
from anytomy.predict.automatic.windows import Window


def instance(mask: Any, score: float = 0.9, cut: bool = False) -> Instance:
    found = tight(np.asarray(mask, dtype=bool))
    assert found is not None
    return Instance(*found, score, 1.0, (0.0, 0.0), cut)


def square(y: int, x: int, side: int = 10) -> np.ndarray[Any, Any]:
    out = np.zeros((40, 40), bool)
    out[y : y + side, x : x + side] = True
    return out


class TestOverlap:
    def test_is_the_iou_of_whole_masks(self) -> None:
        a, b = square(5, 5), square(8, 9)
        expected = (a & b).sum() / (a | b).sum()
        assert overlap(instance(a), instance(b)) == pytest.approx(expected)
        assert overlap(instance(a), instance(square(20, 20))) == 0
        assert overlap(instance(a), instance(a)) == 1

    def test_in_a_region(self) -> None:
        a, b = instance(square(5, 5)), instance(square(5, 5, 20))
        assert overlap(a, b) == 0.25
        assert overlap(a, b, Window(0, 0, 15, 15)) == 1
        assert overlap(a, b, Window(30, 30, 40, 40)) == 0

    def test_boxes_may_overlap_where_masks_do_not(self) -> None:
        upper = np.triu(np.ones((20, 20), bool), 1)
        assert overlap(instance(upper), instance(~upper)) == 0


class TestSuppression:
    def test_the_better_of_two_stays(self) -> None:
        found = [instance(square(5, 5), 0.8), instance(square(5, 6), 0.9), instance(square(25, 25), 0.1)]
        assert suppress(found, 0.7) == [1, 2]
        assert suppress(found, 0.9) == [1, 0, 2]

    def test_an_order_of_ones_own(self) -> None:
        found = [instance(square(5, 5), 0.8), instance(square(5, 6), 0.9)]
        assert suppress(found, 0.7, [0, 1]) == [0]

    def test_the_first_of_equals_stays(self) -> None:
        assert suppress([instance(square(5, 5)), instance(square(5, 5))], 0.7) == [0]

    def test_nothing(self) -> None:
        assert suppress([], 0.7) == []

    def test_what_was_suppressed_suppresses_nothing(self) -> None:
        chain = [instance(square(5, 5 + 2 * i, 12), 0.9 - i / 10) for i in range(3)]
        assert overlap(chain[0], chain[1]) == overlap(chain[1], chain[2]) > 0.6 > overlap(chain[0], chain[2])
        assert suppress(chain, 0.6) == [0, 2]

    @given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3, 0.7, 1.0]))
    def test_is_the_greedy_rule(self, seed: int, limit: float) -> None:
        rng = np.random.default_rng(seed)
        found = []
        for _ in range(int(rng.integers(1, 12))):
            y, x, h, w = rng.integers(0, 20), rng.integers(0, 20), *rng.integers(1, 15, 2)
            mask = np.zeros((40, 40), bool)
            mask[y : y + h, x : x + w] = rng.random((h, w)) < 0.9
            mask[y, x] = True
            found.append(instance(mask, float(rng.choice([0.5, 0.7, 0.9]))))
        expected: list[int] = []
        for place in sorted(range(len(found)), key=lambda i: (-found[i].score, i)):
            if all(overlap(found[place], found[other]) <= limit for other in expected):
                expected.append(place)
        assert suppress(found, limit) == expected


class TestStability:
    def test_is_the_iou_of_two_thresholds(self) -> None:
        logits = np.array([[5, 2, 0.5, -0.5, -2, -5]], np.float32)
        assert stability(logits, 1) == 0.5
        assert stability(logits, 0.1) == 1
        assert stability(logits, 3) == pytest.approx(1 / 5)

    def test_no_mask_is_not_stable(self) -> None:
        assert stability(np.full((3, 3), -9, np.float32), 1) == 0
