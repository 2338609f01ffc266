"""Marks of the trade plot stand where their numbers are."""

from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree

import pytest

from anytomy.evaluation.statistics import Interval
from anytomy.report.distill_plots import Trade, trade_plot


def interval(mean: float) -> Interval:
    return Interval(mean, mean - 0.01, mean + 0.01, 10)


def drawn(trades: list[Trade], gained: float = 20.0) -> ElementTree.Element:
    return ElementTree.fromstring(trade_plot(trades, gained, "Dice over speed"))


def centres(root: ElementTree.Element) -> list[tuple[float, float]]:
    """Where the markers stand, teacher and student by turns."""
    found = []
    for path in root.iter("path"):
        if path.get("class") == "marker":
            x, y = re.match(r"M([\d.]+) ([\d.]+)", path.get("d", "")).groups()  # type: ignore[union-attr]
            found.append((float(x), float(y)))
    return found


def height(root: ElementTree.Element, value: str) -> float:
    return next(float(e.get("y", 0)) - 4 for e in root.iter("text") if e.text == value)


def test_markers_stand_at_their_dice() -> None:
    root = drawn([Trade("liver", interval(0.9), interval(0.8))])
    (_, teacher), (_, student) = centres(root)
    assert teacher == pytest.approx(height(root, "0.90"), abs=0.2)
    assert student == pytest.approx(height(root, "0.80"), abs=0.2)


def test_the_faster_one_stands_right() -> None:
    (there, _), (here, _) = centres(drawn([Trade("liver", interval(0.9), interval(0.8))], gained=20))
    assert here > there
    (there, _), (here, _) = centres(drawn([Trade("liver", interval(0.9), interval(0.8))], gained=0.5))
    assert here < there


def test_names_do_not_cover_each_other_and_say_what_is_lost() -> None:
    trades = [Trade(f"part {i}", interval(0.9), interval(0.85 + 0.0001 * i)) for i in range(5)]
    names = [e for e in drawn(trades).iter("text") if (e.text or "").startswith("part")]
    heights = sorted(float(e.get("y", 0)) for e in names)
    assert all(b - a >= 15.9 for a, b in itertools.pairwise(heights))
    assert any("0.850 (−0.050)" in (e.text or "") for e in names)
