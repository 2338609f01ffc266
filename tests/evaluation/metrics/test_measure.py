"""One row for each case, the policy for empty masks, metrics by name."""

from __future__ import annotations

import doctest
import importlib
import math
import pkgutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

import anytomy.evaluation.metrics as metrics
from anytomy.core.errors import GeometryError, OptionError
from anytomy.evaluation.metrics import (
    METRICS,
    POLICY,
    Metric,
    Pair,
    dice,
    hd95,
    iou,
    measure,
    metric_names,
    metrics_by_name,
    nsd,
    volume_error,
)

PAGE = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"
NONE = np.zeros((4, 6, 8), bool)
SOME = NONE.copy()
SOME[1:3, 2:4, 3:5] = True  # 8 voxels
DIAGONAL = math.sqrt((4 * 3) ** 2 + 6**2 + 8**2)

# Found, truth, and the values of dice, iou, nsd, hd95, volume_error, volume_error_ml and fp_slices.
EMPTY_CASES = {
    "both": (NONE, NONE, (1, 1, 1, 0, 0, 0, 0)),
    "truth": (SOME, NONE, (0, 0, 0, DIAGONAL, math.nan, 0.024, 2)),
    "found": (NONE, SOME, (0, 0, 0, DIAGONAL, -1, -0.024, 0)),
    "none": (SOME, SOME, (1, 1, 1, 0, 0, 0, 0)),
}


class TestPolicy:
    @pytest.mark.parametrize("case", EMPTY_CASES)
    def test_every_case_has_a_value_and_is_told(self, case):
        found, truth, expected = EMPTY_CASES[case]
        row = measure(found, truth, spacing=(3, 1, 1))
        assert row["empty"] == case
        assert list(row)[:7] == list(METRICS)
        assert tuple(row[name] for name in METRICS) == pytest.approx(expected, nan_ok=True)

    @pytest.mark.parametrize("case", EMPTY_CASES)
    def test_functions_follow_it_too(self, case):
        found, truth, expected = EMPTY_CASES[case]
        spacing = (3, 1, 1)
        values = (
            dice(found, truth),
            iou(found, truth),
            nsd(found, truth, spacing),
            hd95(found, truth, spacing),
        )
        assert (*values, volume_error(found, truth)) == pytest.approx(expected[:5], nan_ok=True)

    def test_the_penalty_of_a_picture_is_its_diagonal_in_pixels(self):
        assert hd95(np.zeros((30, 40)), np.eye(30, 40)) == 50
        assert measure(np.zeros((30, 40)), np.eye(30, 40))["unit"] == "px"

    def test_the_documented_table_is_that_of_the_code(self):
        words = {"NaN": math.nan, "image diagonal": "diagonal"}
        rows = {}
        for line in PAGE.read_text(encoding="utf-8").splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            name = cells[0].strip("`")
            if len(cells) == 4 and cells[0] == f"`{name}`" and name in POLICY:
                rows[name] = [words.get(cell, cell) for cell in cells[1:]]
        assert list(rows) == list(POLICY)
        for name, row in rows.items():
            values = [value if value == "diagonal" else float(value) for value in row]
            for value, expected in zip(values, vars(POLICY[name]).values(), strict=True):
                assert value == expected or (math.isnan(value) and math.isnan(expected)), name

    def test_every_metric_is_documented(self):
        text = PAGE.read_text(encoding="utf-8")
        assert [name for name in METRICS if f"`{name}`" not in text] == []


class TestMeasure:
    def test_row(self):
        found = np.roll(SOME, 1, axis=2)
        row = measure(found, SOME, metrics=["hd95", "dice"], spacing=(3, 1, 0.5), tolerance=1)
        assert row == {
            "hd95": 0.5,
            "dice": 0.5,
            "empty": "none",
            "found_voxels": 8,
            "truth_voxels": 8,
            "empty_slices": 2,
            "tolerance": 1,
            "unit": "mm",
        }

    def test_pixels_without_spacing_and_where_told(self):
        assert measure(SOME, SOME)["unit"] == "px"
        assert measure(SOME, SOME, spacing=(1, 1, 1))["unit"] == "mm"
        assert measure(SOME, SOME, spacing=(2, 1, 1), unit="px")["unit"] == "px"

    def test_ml_need_a_volume_in_mm(self):
        assert math.isnan(measure(SOME, NONE)["volume_error_ml"])
        assert math.isnan(measure(SOME[1], NONE[1], spacing=(1, 1))["volume_error_ml"])

    def test_tolerance_and_axis_are_passed_on(self):
        found = np.roll(SOME, 2, axis=2)
        assert measure(found, SOME, tolerance=1)["nsd"] < measure(found, SOME, tolerance=2)["nsd"] == 1
        assert measure(found, NONE, axis=1)["fp_slices"] == 2
        assert measure(found, NONE, axis=1)["empty_slices"] == 6

    @given(arrays(bool, (3, 4, 5)), arrays(bool, (3, 4, 5)))
    def test_says_what_the_functions_say(self, found, truth):
        row = measure(found, truth, spacing=(3, 1, 2), tolerance=1.5)
        assert row["dice"] == dice(found, truth)
        assert row["nsd"] == nsd(found, truth, (3, 1, 2), 1.5)
        assert row["hd95"] == hd95(found, truth, (3, 1, 2))
        assert (row["found_voxels"], row["truth_voxels"]) == (found.sum(), truth.sum())

    def test_fortran_order_is_the_same(self):
        found = np.roll(SOME, 1, axis=1)
        assert measure(np.asfortranarray(found), np.asfortranarray(SOME)) == pytest.approx(
            measure(found, SOME), nan_ok=True
        )

    def test_what_cannot_be_used_is_refused(self):
        with pytest.raises(GeometryError, match="one shape"):
            measure(SOME, SOME[1])
        with pytest.raises(OptionError, match="mm with a spacing"):
            measure(SOME, SOME, unit="mm")
        with pytest.raises(OptionError, match="mm with a spacing, or px"):
            measure(SOME, SOME, spacing=(1, 1, 1), unit="cm")
        with pytest.raises(OptionError, match="3 positive spacings"):
            measure(SOME, SOME, spacing=(1, 1))


class TestMetrics:
    @pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
    def test_contract(self, metric):
        assert METRICS[metric.name] is metric
        assert metric.definition
        assert "\n" not in metric.definition
        assert metric.better in ("higher", "lower", "zero")
        perfect = metric(Pair(SOME, SOME, (3, 1, 1)))
        assert perfect == (1 if metric.better == "higher" else 0)

    def test_units(self):
        of_mm, of_px = Pair(SOME, SOME, (3, 1, 1)), Pair(SOME, SOME)
        assert [METRICS["hd95"].unit_of(pair) for pair in (of_mm, of_px)] == ["mm", "px"]
        assert METRICS["volume_error_ml"].unit_of(of_mm) == "ml"
        assert METRICS["dice"].unit_of(of_mm) == ""

    def test_by_name_in_the_order_asked_for(self):
        assert [metric.name for metric in metrics_by_name(["nsd", "dice"])] == ["nsd", "dice"]
        assert metrics_by_name("dice") == (METRICS["dice"],)

    def test_an_unknown_name_lists_what_there_is(self):
        with pytest.raises(OptionError, match=r"dice, iou, nsd, hd95, .* got 'hd59'; did you mean hd95\?"):
            metrics_by_name(["hd59"])


class TestThirdParties:
    @pytest.fixture
    def plugin(self, tmp_path, monkeypatch):
        info = tmp_path / "their_metrics-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-metrics\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            "[anytomy.metrics]\n"
            "missed = their_metrics:MISSED\n"
            "dice = their_metrics:MISSED\n"
            "renamed = their_metrics:MISSED\n"
            "number = their_metrics:NUMBER\n"
            "gone = their_metrics:GONE\n"
        )
        (tmp_path / "their_metrics.py").write_text(
            "from anytomy.evaluation.metrics import Metric\n"
            "MISSED = Metric(name='missed', definition='voxels missed', better='lower',\n"
            "    function=lambda pair: pair.truth_voxels - pair.shared_voxels)\n"
            "NUMBER = 3\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        yield
        sys.modules.pop("their_metrics", None)

    @pytest.mark.usefixtures("plugin")
    def test_their_metrics_are_found_and_loaded_when_asked_for(self):
        assert metric_names()[-4:] == ("gone", "missed", "number", "renamed")
        assert "their_metrics" not in sys.modules
        row = measure(NONE, SOME, metrics=["missed", "dice"])
        assert (row["missed"], row["dice"]) == (8, 0)

    @pytest.mark.usefixtures("plugin")
    def test_ours_come_first(self):
        assert metrics_by_name(["dice"]) == (METRICS["dice"],)

    @pytest.mark.usefixtures("plugin")
    @pytest.mark.parametrize(
        ("name", "message"),
        [("number", "a Metric, got int"), ("gone", "cannot be loaded"), ("renamed", "got missed")],
    )
    def test_what_is_no_metric_is_refused_in_one_line(self, name, message):
        with pytest.raises(OptionError, match=message):
            metrics_by_name([name])

    def test_an_object_will_do(self):
        missed = Metric(name="missed", definition="x", better="lower", function=lambda pair: 5.0)
        assert measure(SOME, SOME, metrics=[missed])["missed"] == 5


def test_every_public_name_is_there_once():
    assert len(set(metrics.__all__)) == len(metrics.__all__)
    for name in metrics.__all__:
        assert getattr(metrics, name) is not None


@pytest.mark.parametrize("module", [m.name for m in pkgutil.iter_modules(metrics.__path__)])
def test_examples_are_right(module):
    found = importlib.import_module(f"{metrics.__name__}.{module}")
    assert doctest.testmod(found).failed == 0


def test_importing_loads_nothing_heavy():
    code = "import sys, anytomy.evaluation.metrics; sys.exit(bool({'scipy', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
