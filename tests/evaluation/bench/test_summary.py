"""Tables are what one gets by hand: by patient, by structure, with reasons for what is left out."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from anytomy.evaluation.bench.curves import curves
from anytomy.evaluation.bench.summary import (
    MIXED,
    Setting,
    cells,
    comparisons,
    counts,
    measured,
    overall,
    robustness,
    weak,
)
from tests.evaluation.bench.rows import row, rows_of


class TestCells:
    def test_means_are_of_patients_and_the_rest_of_objects(self):
        rows = [
            row(patient="a", object="1", dice=1.0),
            row(patient="a", object="2", dice=0.4, empty="found"),
            row(patient="a", object="3", dice=0.4),
            row(patient="b", object="1", dice=0.2),
        ]
        (cell,) = cells(rows)
        assert cell.interval.mean == pytest.approx((0.6 + 0.2) / 2)
        assert cell.interval.patients == 2
        assert cell.objects == 4
        assert cell.object_mean == pytest.approx(0.5)
        assert cell.quartiles == pytest.approx(tuple(np.percentile([1.0, 0.4, 0.4, 0.2], [25, 50, 75])))
        assert (cell.failed, cell.empty) == (3, 1)

    def test_there_is_one_for_each_data_set_structure_and_setting(self):
        names = [("alpha", "beta"), ("liver", "spleen"), ("box", "points-1")]
        rows = [row(dataset=d, structure=s, prompt=p) for d, s, p in itertools.product(*names)]
        found = [(c.dataset, c.structure, c.setting.prompt) for c in cells(rows)]
        assert found == sorted(itertools.product(*names))

    def test_what_was_not_measured_does_not_count(self):
        rows = [
            row(dice=0.5),
            row(status="too small", dice=None),
            row(level="case", object="2 objects", ap=0.3),
        ]
        (cell,) = cells(rows)
        assert (cell.objects, cell.interval.mean) == (1, 0.5)
        assert len(measured(rows)) == 1
        (case,) = cells(rows, "ap", level="case")
        assert (case.objects, case.interval.mean) == (1, 0.3)

    def test_values_without_a_number_are_left_out_of_means(self):
        (cell,) = cells(
            [row(patient="a", volume_error=None), row(patient="b", volume_error=0.5)], "volume_error"
        )
        assert (cell.interval.mean, cell.interval.patients, cell.objects) == (0.5, 1, 2)

    def test_lengths_have_the_unit_of_their_rows_and_no_mean_over_several(self):
        (cell,) = cells([row(unit="mm", hd95=2.0), row(unit="mm", hd95=4.0)], "hd95")
        assert (cell.unit, cell.object_mean) == ("mm", 3.0)
        (cell,) = cells([row(unit="mm"), row(unit="px")], "hd95")
        assert cell.unit == MIXED
        assert math.isnan(cell.interval.mean)
        assert math.isnan(cell.object_mean)
        assert cells([row()], "volume_error_ml")[0].unit == "ml"
        assert cells([row()])[0].unit == ""

    def test_a_metric_that_was_not_measured_gives_nothing(self):
        (cell,) = cells([row()], "somebody's")
        assert math.isnan(cell.interval.mean)
        assert cell.interval.patients == 0


class TestOverall:
    def test_structures_count_the_same_in_a_patient(self):
        rows = [row(patient="a", structure="liver", object=str(i), dice=1.0) for i in range(5)]
        rows += [
            row(patient="a", structure="spleen", dice=0.0),
            row(patient="b", structure="spleen", dice=0.8),
        ]
        (cell,) = overall(rows)
        assert cell.interval.mean == pytest.approx((0.5 + 0.8) / 2)
        assert (cell.structure, cell.objects, cell.interval.patients) == ("", 7, 2)


class TestWeak:
    def test_weak_is_below_080_and_the_weakest_come_first(self):
        rows = [
            *rows_of([0.8, 0.8], structure="strong enough"),
            *rows_of([0.7999, 0.8], structure="just weak"),
            *rows_of([0.1, 0.3], structure="very weak"),
            *rows_of([0.95, 0.97], structure="strong"),
        ]
        found = weak(cells(rows))
        assert [cell.structure for cell in found] == ["very weak", "just weak"]
        assert [cell.is_surely_weak for cell in found] == [True, False]

    def test_a_single_patient_is_never_surely_weak(self):
        (cell,) = weak(cells(rows_of([0.2])))
        assert not cell.is_surely_weak

    def test_only_dice_makes_weak(self):
        assert not weak(cells([row(nsd=0.1)], "nsd"))


class TestComparisons:
    def test_patients_are_paired_and_p_adjusted_over_all(self):
        rng = np.random.default_rng(0)
        boxes, jitters, shifts = rng.random((3, 8))
        rows = [
            *rows_of(boxes, prompt="box"),
            *rows_of(jitters, prompt="box-jitter"),
            *rows_of(shifts, prompt="box-shift"),
        ]
        found = comparisons(rows)
        pairs = list(itertools.combinations((boxes, jitters, shifts), 2))
        expected = [stats.wilcoxon(b, a, zero_method="pratt").pvalue for a, b in pairs]
        assert [c.result.p for c in found] == pytest.approx(expected)
        low = min(range(3), key=lambda i: expected[i])
        assert found[low].adjusted == pytest.approx(min(1, 3 * expected[low]))
        assert found[0].result.difference.mean == pytest.approx((jitters - boxes).mean())

    def test_settings_differ_in_one_thing_and_judge_the_same(self):
        rows = [
            row(model="a", prompt="box"),
            row(model="b", prompt="box"),
            row(model="b", prompt="centre"),
            row(model="a", prompt="box-3d", scope="volume", volume="authors"),
        ]
        found = {(c.first.model, c.first.prompt, c.second.model, c.second.prompt) for c in comparisons(rows)}
        assert found == {("a", "box", "b", "box"), ("b", "box", "b", "centre")}

    def test_of_a_data_set_only_structures_that_both_have_count(self):
        rows = []
        for i in range(6):
            patient = {"patient": f"p{i}"}
            rows += [
                row(**patient, structure="liver", dice=0.5),
                row(**patient, structure="liver", dice=0.6, prompt="centre"),
                row(**patient, structure="spleen", dice=0.1),
            ]
        (found,) = comparisons(rows, by_structure=False)
        assert found.structure == ""
        assert found.result.difference.mean == pytest.approx(0.1)
        assert found.result.difference.patients == 6


class TestRobustness:
    def moved(self, **changes):
        return row(prompt="box-jitter", **changes)

    def test_the_tight_box_of_the_same_object_is_taken_off(self):
        rows = [
            row(patient="a", object="1", dice=0.9),
            row(patient="a", object="2", dice=0.8),
            row(patient="b", case="2", dice=0.7),
            self.moved(patient="a", object="1", dice=0.8, shift=7.0),
            self.moved(patient="a", object="2", dice=0.5, shift=9.0),
            self.moved(patient="b", case="2", dice=0.7, shift=6.0),
            self.moved(patient="b", case="2", dice=0.1, shift=45.0, zoom="off"),
        ]
        found = robustness(rows)
        assert list(found) == ["tiny"]
        names = [name for name, _ in found["tiny"]]
        assert names == ["5 to 10", "over 30"]
        near, far = (interval for _, interval in found["tiny"])
        assert near.mean == pytest.approx(((-0.1 - 0.3) / 2 + 0.0) / 2)
        assert near.patients == 2
        assert far.mean == pytest.approx(-0.6)

    def test_ranges_ascend_and_an_unmoved_box_is_no_move(self):
        rows = [row(dice=0.9)]
        rows += [self.moved(shift=s, dice=0.5) for s in (25.0, 3.0, 0.0, 12.0)]
        assert [name for name, _ in robustness(rows)["tiny"]] == ["0 to 5", "10 to 15", "20 to 30"]

    def test_prompts_that_say_more_than_a_box_are_no_tight_box(self):
        with_click = '[{"box": [1, 2, 3, 4], "points": [[2, 3, 1]]}]'
        rows = [
            row(dice=0.5),
            row(prompt="box-points-1", dice=0.99, prompts=with_click),
            row(prompt="box-clicks-5", dice=0.99, dice_curve=[0.5, 0.99]),
            self.moved(shift=2.0, dice=0.4),
        ]
        ((_, interval),) = robustness(rows)["tiny"]
        assert interval.mean == pytest.approx(-0.1)

    def test_without_moved_boxes_there_is_nothing(self):
        assert robustness([row()]) == {}
        assert robustness([self.moved(shift=3.0)]) == {}


class TestCounts:
    def test_objects_count_once_with_what_became_of_them(self):
        rows = [
            row(object="1"),
            row(object="1", prompt="centre"),
            row(object="1", model="other"),
            row(object="2", status="too small"),
            row(object="", case="case 2", status="absent"),
            row(object="all", level="structure"),
            row(object="1 objects", level="case"),
        ]
        assert counts(rows) == {("alpha", "liver"): Counter({"measured": 1, "too small": 1, "absent": 1})}


class TestCurves:
    def test_patients_are_averaged_at_each_prompt_and_a_run_that_stopped_keeps_its_value(self):
        common = {"prompt": "clicks-3", "auc": 0.5}
        rows = [
            row(patient="a", dice_curve=[0.2, 0.4, 0.6], noc90=20, noc90_reached=False, **common),
            row(patient="b", dice_curve=[0.9], noc90=1, noc90_reached=True, **common),
            row(patient="c"),
        ]
        (curve,) = curves(rows)
        assert [interval.mean for interval in curve.dice] == pytest.approx([0.55, 0.65, 0.75])
        assert curve.clicks.mean == pytest.approx(10.5)
        assert (curve.reached, curve.objects, curve.auc.mean) == (1, 2, 0.5)
        assert curve.setting.prompt == "clicks-3"


def test_the_label_of_a_setting_says_what_is_not_usual():
    plain = Setting("tiny", "box", "slice", "", "off")
    assert plain.label == "tiny, box"
    assert Setting("tiny", "box-3d", "volume", "authors", "auto").label == "tiny, box-3d, authors, zoom auto"
