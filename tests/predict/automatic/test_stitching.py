"""Objects over the borders of windows."""

from __future__ import annotations

from typing import Any

import numpy as np

from anytomy.predict.automatic.instance import Instance, tight
from anytomy.predict.automatic.stitching import matches, stitch
from anytomy.predict.automatic.windows import Window

LEFT, RIGHT = Window(0, 0, 40, 60), Window(0, 40, 40, 100)


def seen(truth: np.ndarray[Any, Any], window: Window, score: float = 0.9) -> Instance:
    """What a perfect model finds of an object in a window."""
    part = np.zeros_like(truth)
    part[window.part] = truth[window.part]
    found = tight(part)
    assert found is not None
    return Instance(*found, score, 1.0, (float(window.left), 0.0), cut=bool((truth & ~part).any()))


def bar(x0: int, x1: int, y0: int = 10, y1: int = 20) -> np.ndarray[Any, Any]:
    out = np.zeros((40, 100), bool)
    out[y0:y1, x0:x1] = True
    return out


def whole(each: Instance) -> np.ndarray[Any, Any]:
    out = np.zeros((40, 100), bool)
    out[each.box.part] = each.mask
    return out


def test_parts_are_united_with_the_mean_score() -> None:
    truth = bar(20, 90)
    (one,) = stitch([LEFT, RIGHT], [[seen(truth, LEFT, 0.8)], [seen(truth, RIGHT, 1.0)]])
    np.testing.assert_array_equal(whole(one), truth)
    assert one.score == (0.8 * 400 + 1.0 * 500) / 900
    assert one.point == (40.0, 0.0)  # of the larger part


def test_what_one_window_sees_whole_is_taken_from_it() -> None:
    truth = bar(45, 70)
    right = seen(truth, RIGHT, 0.5)
    assert stitch([LEFT, RIGHT], [[seen(truth, LEFT, 0.9)], [right]]) == [right]


def test_what_both_see_whole_is_taken_once() -> None:
    left, right = seen(bar(42, 56), LEFT, 0.9), seen(bar(43, 58), RIGHT, 0.8)
    assert stitch([LEFT, RIGHT], [[left], [right]]) == [left]


def test_neighbours_stay_apart() -> None:
    upper, lower = bar(20, 90, 5, 15), bar(20, 90, 15, 30)
    found = stitch(
        [LEFT, RIGHT], [[seen(upper, LEFT), seen(lower, LEFT)], [seen(lower, RIGHT), seen(upper, RIGHT)]]
    )
    assert len(found) == 2
    np.testing.assert_array_equal(whole(found[0]), upper)
    np.testing.assert_array_equal(whole(found[1]), lower)


def test_a_part_that_nobody_continues_stays() -> None:
    part = seen(bar(20, 90), LEFT)
    assert stitch([LEFT, RIGHT], [[part], []]) == [part]


def test_two_objects_that_a_cut_one_holds_both_stay() -> None:
    both = seen(bar(45, 70), LEFT)
    upper, lower = seen(bar(45, 70, 10, 15), RIGHT), seen(bar(45, 70, 15, 20), RIGHT)
    found = stitch([LEFT, RIGHT], [[both], [upper, lower]])
    assert {id(upper), id(lower)} <= {id(each) for each in found}


def test_windows_apart_change_nothing() -> None:
    a, b = seen(bar(5, 15), LEFT), seen(bar(80, 90), RIGHT)
    assert stitch([Window(0, 0, 40, 30), Window(0, 70, 40, 100)], [[a], [b]]) == [a, b]


def test_matches_are_one_to_one_and_the_best_first() -> None:
    cell, part = seen(bar(10, 50), LEFT), seen(bar(15, 45), LEFT)
    again, other = seen(bar(10, 49), LEFT), seen(bar(16, 45), LEFT)
    assert sorted(matches([cell, part], [other, again])) == [(0, 1), (1, 0)]
    assert matches([cell], [part, again]) == [(0, 1)]
