"""Marks in plots stand where their numbers are."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from anytomy.evaluation.statistics import Interval
from anytomy.report.plots import MOST_DOTS, Series, Strip, curves_plot, distribution


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def marks(root: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    return [element for element in root.iter() if element.get("class") == kind]


def x_of(root: ElementTree.Element, text: str) -> float:
    return next(float(e.get("x")) for e in root.iter("text") if e.text == text)


def scale(root: ElementTree.Element):
    """From Dice to x, by the labels of the axis."""
    zero, one = x_of(root, "0.0"), x_of(root, "1.0")
    return lambda dice: zero + dice * (one - zero)


def strip(values, name="liver", group="set", mean=None):
    values = np.asarray(values, float)
    mean = values.mean() if mean is None else mean
    return Strip(name, values, Interval(mean, mean - 0.05, mean + 0.05, len(values)), group)


class TestDistribution:
    def test_dots_box_median_and_mean_stand_at_their_values(self):
        values = [0.2, 0.5, 0.6, 0.9]
        root = parsed(distribution([strip(values)], "t"))
        x = scale(root)
        dots = sorted(float(dot.get("cx")) for dot in marks(root, "dot"))
        np.testing.assert_allclose(dots, [x(v) for v in values], atol=0.06)
        (box,) = marks(root, "box")
        low, median, high = np.percentile(values, [25, 50, 75])
        assert float(box.get("x")) == pytest.approx(x(low), abs=0.06)
        assert float(box.get("width")) == pytest.approx(x(high) - x(low), abs=0.11)
        (line,) = marks(root, "median")
        assert float(re.match(r"M([\d.]+)", line.get("d"))[1]) == pytest.approx(x(median), abs=0.06)
        (mean,) = marks(root, "mean")
        assert float(re.match(r"M([\d.]+)", mean.get("d"))[1]) == pytest.approx(x(0.55), abs=0.06)

    def test_the_line_of_the_weak_is_at_080_and_the_weak_are_called_so(self):
        root = parsed(distribution([strip([0.9, 0.95]), strip([0.5, 0.6], name="vein")], "t"))
        (limit,) = marks(root, "limit")
        assert float(re.match(r"M([\d.]+)", limit.get("d"))[1]) == pytest.approx(scale(root)(0.8), abs=0.06)
        texts = [e.text for e in root.iter("text")]
        assert "0.925" in texts
        assert [t for t in texts if t and "weak" in t] == ["0.550  weak"]

    def test_rows_stand_below_each_other_and_groups_have_their_name_once(self):
        root = parsed(
            distribution([strip([0.9], "a", "one"), strip([0.8], "b", "one"), strip([0.7], "c", "two")], "t")
        )
        places = [
            (e.text, float(e.get("y"))) for e in root.iter("text") if e.text in ("one", "two", "a", "b", "c")
        ]
        assert [text for text, _ in places] == ["one", "a", "b", "two", "c"]
        heights = [y for _, y in places]
        assert heights == sorted(heights)
        assert heights[-1] < float(root.get("height"))

    def test_of_very_many_objects_quantiles_are_drawn_with_the_extremes(self):
        values = np.linspace(0.1, 0.9, 5000)
        root = parsed(distribution([strip(values)], "t"))
        dots = sorted(float(dot.get("cx")) for dot in marks(root, "dot"))
        assert len(dots) == MOST_DOTS
        np.testing.assert_allclose(dots[:: MOST_DOTS - 1], [scale(root)(0.1), scale(root)(0.9)], atol=0.06)

    def test_a_single_patient_has_no_whiskers(self):
        alone = Strip("x", [0.5], Interval(0.5, math.nan, math.nan, 1))
        root = parsed(distribution([alone], "t"))
        assert not marks(root, "whisker")
        assert len(marks(root, "mean")) == 1

    def test_nothing_measured_is_an_empty_row(self):
        root = parsed(distribution([Strip("x", [], Interval(math.nan, math.nan, math.nan, 0))], "t"))
        assert not marks(root, "dot")


class TestCurves:
    def series(self, name, means, places=None):
        points = [
            (p, Interval(m, m - 0.02, m + 0.02, 5)) for p, m in zip(places or range(9), means, strict=False)
        ]
        return Series(name, points)

    def plot(self, *series, zero=True):
        text = curves_plot(series, ["a", "b", "c"], title="t", x_label="x", y_label="y", zero=zero)
        return parsed(text)

    def test_markers_stand_at_their_values(self):
        root = self.plot(self.series("one", [0.0, -0.1, -0.3]))
        heights = {e.text: float(e.get("y")) - 4 for e in root.iter("text") if e.get("text-anchor") == "end"}
        zero, low = heights["0"], heights["−0.20"]
        y_of = [float(re.match(r"M[\d.]+ ([\d.]+)", m.get("d"))[1]) for m in marks(root, "marker")[:3]]
        per = (low - zero) / 0.2
        np.testing.assert_allclose(y_of, [zero, zero + 0.1 * per, zero + 0.3 * per], atol=0.1)

    def test_lines_differ_in_markers_and_dashes_not_in_colour(self):
        root = self.plot(self.series("one", [0.1, 0.2, 0.3]), self.series("two", [0.2, 0.3, 0.4]))
        lines = [e for e in marks(root, "series") if "L" in e.get("d")]
        assert len({line.get("stroke-dasharray") for line in lines}) == 2
        shapes = {re.sub(r"M[\d.]+ [\d.]+", "", m.get("d")) for m in marks(root, "marker")}
        assert len(shapes) == 2
        assert {"one", "two"} <= {e.text for e in root.iter("text")}

    def test_a_gap_stays_at_its_place(self):
        root = self.plot(self.series("one", [0.1, 0.3], places=[0, 2]))
        x = [float(re.match(r"M([\d.]+)", m.get("d"))[1]) for m in marks(root, "marker")[:2]]
        names = {e.text: float(e.get("x")) for e in root.iter("text") if e.text in ("a", "c")}
        np.testing.assert_allclose(x, [names["a"], names["c"]], atol=0.1)

    @pytest.mark.parametrize("means", [[0.5, 0.5, 0.5], [0.0, 0.0, 0.0], [1e-4, 2e-4, 3e-4]])
    def test_flat_curves_have_an_axis_too(self, means):
        root = self.plot(self.series("one", means), zero=False)
        assert len(marks(root, "grid")) >= 2
