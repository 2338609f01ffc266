"""Patients are what is counted, drawn and paired; the numbers are those of other libraries."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from anytomy.evaluation.statistics import (
    LEAST_PAIRS,
    bootstrap,
    holm,
    paired,
    patient_means,
)

finite = st.floats(0, 1, allow_nan=False)


def by_name(values: np.ndarray) -> dict[str, float]:
    return {f"p{i}": float(v) for i, v in enumerate(values)}


class TestPatientMeans:
    def test_each_patient_counts_once_whatever_the_number_of_objects(self):
        means = patient_means([("a", 1.0), ("a", 0.0), ("a", 0.5), ("b", 0.2)])
        assert means == {"a": pytest.approx(0.5), "b": pytest.approx(0.2)}

    def test_what_is_not_finite_is_left_out_and_so_is_who_has_nothing_else(self):
        means = patient_means([("a", math.nan), ("a", 0.4), ("b", math.nan), ("c", math.inf)])
        assert means == {"a": pytest.approx(0.4)}


class TestBootstrap:
    def test_agrees_with_scipys_percentile_interval(self):
        values = np.random.default_rng(3).beta(8, 2, size=40)
        mine = bootstrap(list(values), draws=20_000)
        theirs = stats.bootstrap(
            (values,), np.mean, method="percentile", n_resamples=20_000, rng=np.random.default_rng(4)
        ).confidence_interval
        assert mine.mean == pytest.approx(values.mean())
        assert mine.patients == 40
        # Two Monte Carlo estimates of the same quantiles.
        np.testing.assert_allclose((mine.low, mine.high), theirs, atol=0.002)

    def test_about_95_of_100_intervals_cover_the_true_mean(self):
        rng = np.random.default_rng(0)
        covered = 0
        for trial in range(400):
            interval = bootstrap(list(rng.normal(0.8, 0.1, size=50)), seed=trial, draws=500)
            covered += interval.low <= 0.8 <= interval.high
        assert 0.91 <= covered / 400 <= 0.98

    @pytest.mark.parametrize(("values", "patients"), [([], 0), ([0.3], 1)])
    def test_fewer_than_two_patients_have_no_interval(self, values, patients):
        interval = bootstrap(values)
        assert interval.patients == patients
        assert math.isnan(interval.low)
        assert math.isnan(interval.high)
        assert math.isnan(interval.mean) or interval.mean == 0.3

    @given(st.lists(finite, min_size=2, max_size=12), st.integers(0, 5))
    def test_the_interval_lies_within_the_values_and_depends_on_the_seed_only(self, values, seed):
        interval = bootstrap(values, seed=seed, draws=200)
        assert min(values) - 1e-9 <= interval.low <= interval.high <= max(values) + 1e-9
        assert interval == bootstrap(values, seed=seed, draws=200)


class TestPaired:
    def test_agrees_with_scipy_on_the_patients_that_both_have(self):
        rng = np.random.default_rng(1)
        first, second = rng.random(12), rng.random(12)
        held, other = by_name(first), by_name(second)
        del held["p3"], other["p7"]
        common = [i for i in range(12) if i not in (3, 7)]
        result = paired(held, other)
        expected = stats.wilcoxon(second[common], first[common], zero_method="pratt")
        assert result.p == pytest.approx(expected.pvalue)
        assert result.difference.patients == 10
        assert result.difference.mean == pytest.approx((second - first)[common].mean())
        assert result.difference.low < result.difference.mean < result.difference.high

    def test_six_clear_differences_are_the_first_that_can_be_significant(self):
        assert LEAST_PAIRS == 6
        base = np.linspace(0.1, 0.6, 6)
        assert paired(by_name(base), by_name(base + 0.1 + base / 10)).p == pytest.approx(2 / 2**6)
        assert math.isnan(paired(by_name(base[:5]), by_name(base[:5] + 0.2)).p)

    def test_the_order_of_settings_changes_the_sign_only(self):
        rng = np.random.default_rng(2)
        first, second = by_name(rng.random(9)), by_name(rng.random(9))
        one, two = paired(first, second), paired(second, first)
        assert one.p == pytest.approx(two.p)
        assert one.difference.mean == pytest.approx(-two.difference.mean)

    def test_no_difference_at_all_is_not_significant(self):
        held = by_name(np.linspace(0, 1, 8))
        assert paired(held, held).p == 1.0

    def test_settings_without_a_common_patient_have_no_difference(self):
        result = paired({"a": 1.0}, {"b": 0.0})
        assert result.difference.patients == 0
        assert math.isnan(result.p)


class TestHolm:
    def test_as_worked_out_by_hand(self):
        # 0.01 * 4, max(0.02 * 3, 0.04), max(0.03 * 2, 0.06), max(0.04 * 1, 0.06)
        np.testing.assert_allclose(holm([0.02, 0.04, 0.01, 0.03]), [0.06, 0.06, 0.04, 0.06])

    def test_what_was_not_tested_does_not_count(self):
        adjusted = holm([0.02, math.nan, 0.5])
        assert adjusted[0] == pytest.approx(0.04)
        assert math.isnan(adjusted[1])
        assert adjusted[2] == pytest.approx(0.5)

    @given(st.lists(st.floats(0, 1), max_size=12))
    def test_never_smaller_never_above_one_and_in_the_same_order(self, values):
        adjusted = holm(values)
        assert all(p <= a <= 1 for p, a in zip(values, adjusted, strict=True))
        order = np.argsort(values, kind="stable")
        assert (np.diff(np.asarray(adjusted)[order]) >= 0).all()

    @given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.01, 0.2))
    def test_rejects_what_the_step_down_procedure_rejects(self, values, level):
        rejected, order = set(), sorted(range(len(values)), key=lambda i: values[i])
        for rank, i in enumerate(order):
            if values[i] * (len(values) - rank) > level:
                break
            rejected.add(i)
        assert {i for i, p in enumerate(holm(values)) if p <= level} == rejected
