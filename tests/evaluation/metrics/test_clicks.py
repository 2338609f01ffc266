"""Interactive runs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytomy.core.errors import OptionError
from anytomy.evaluation.metrics import Clicks, area_under_curve, at_k, cvpr25_auc, number_of_clicks

curves = st.lists(st.floats(0, 1), min_size=1, max_size=25)


def test_value_after_k_prompts_is_held_where_the_run_stopped():
    assert [at_k([0.2, 0.6, 0.9], k) for k in (1, 2, 3, 4, 20)] == [0.2, 0.6, 0.9, 0.9, 0.9]


class TestNumberOfClicks:
    def test_the_first_time_counts_and_the_target_itself_is_enough(self):
        assert number_of_clicks([0.5, 0.9, 0.2, 0.95]) == Clicks(2, True)
        assert number_of_clicks([0.99]) == Clicks(1, True)

    def test_not_reached_is_the_cap_and_told_from_a_success_with_the_last_click(self):
        assert number_of_clicks([0.5] * 20) == Clicks(20, False)
        assert number_of_clicks([0.5] * 19 + [0.9]) == Clicks(20, True)
        assert number_of_clicks([0.5] * 3) == Clicks(20, False)
        assert number_of_clicks([0.5] * 20 + [0.9]) == Clicks(20, False)

    def test_other_targets_and_caps(self):
        assert number_of_clicks([0.5, 0.8, 0.86], target=0.85) == Clicks(3, True)
        assert number_of_clicks([0.5, 0.8, 0.86], target=0.85, most=2) == Clicks(2, False)

    @given(curves)
    def test_agrees_with_the_definition_of_ritm(self, curve):
        reached = np.array(curve[:20]) >= 0.9
        assert number_of_clicks(curve).number == (np.argmax(reached) + 1 if reached.any() else 20)


class TestArea:
    def test_by_hand(self):
        assert area_under_curve([0, 1]) == 0.5
        assert area_under_curve([0.5, 0.7, 0.9]) == pytest.approx(0.7)
        assert area_under_curve([0.4]) == 0.4

    def test_held_or_cut_to_a_number_of_steps(self):
        assert area_under_curve([0, 1], steps=3) == pytest.approx(0.75)
        assert area_under_curve([0, 1, 1], steps=2) == 0.5

    @given(curves)
    def test_agrees_with_numpy_and_stays_between_least_and_most(self, curve):
        area = area_under_curve(curve)
        assert min(curve) - 1e-12 <= area <= max(curve) + 1e-12
        if len(curve) > 1:
            assert area == pytest.approx(np.trapezoid(curve) / (len(curve) - 1))

    def test_cvpr25_is_over_the_five_clicks_and_at_most_4(self):
        assert cvpr25_auc([0, 1, 1, 1, 1, 1]) == 4
        assert cvpr25_auc([1, 0, 0, 0, 0, 0]) == 0
        assert cvpr25_auc([0.9, 0.1, 0.2, 0.4, 0.5, 0.7]) == pytest.approx(0.05 + 0.2 + 0.4 + 0.5 + 0.35)

    @pytest.mark.parametrize("steps", [5, 7])
    def test_cvpr25_needs_a_box_and_five_clicks(self, steps):
        with pytest.raises(OptionError, match=f"five clicks, got {steps}"):
            cvpr25_auc([0.5] * steps)


@pytest.mark.parametrize("curve", [[], [0.5, float("nan")], [90, 95], [-0.1]])
@pytest.mark.parametrize("summary", [lambda c: at_k(c, 1), number_of_clicks, area_under_curve])
def test_a_broken_curve_is_refused(curve, summary):
    with pytest.raises(OptionError, match="expected"):
        summary(curve)


def test_less_than_one_prompt_is_refused():
    for summary in (at_k, area_under_curve):
        with pytest.raises(OptionError, match="1 or more, got 0"):
            summary([0.5], 0)
    with pytest.raises(OptionError, match="1 or more, got 0"):
        number_of_clicks([0.5], most=0)
